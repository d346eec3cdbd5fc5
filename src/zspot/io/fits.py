"""FITS: images and cubes of integers or floats (extra `fits`)."""

import io
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zspot.core.errors import FileError
from zspot.io.checks import Limit, check_pixel_type
from zspot.io.image_file import ImageFile

_CARD, _BLOCK = 80, 2880  # bytes
_SUMS = (b"CHECKSUM", b"DATASUM ")
# Stored as signed numbers (bytes: unsigned ones) with this BZERO, they mean the other kind.
_SHIFTS = {("uint8", -128): "int8", ("int16", 1 << 15): "uint16", ("int32", 1 << 31): "uint32"}


def read(path: Path, limit: Limit) -> ImageFile:
    """Read the first image of a FITS file; more than two axes are planes ("QYX")."""
    from astropy.io import fits

    content, notes = path.read_bytes(), []
    file = io.BytesIO(content)
    # Headers may break rules in ways that do no harm.
    with warnings.catch_warnings(action="ignore"), fits.open(file, memmap=False) as opened:
        units: Any = opened
        images = [unit for unit in units if unit.is_image and len(unit.shape) > 1]
        if not images or isinstance(images[0], fits.CompImageHDU):
            kind = "a compressed" if images else "no"
            raise FileError(f"{path} holds {kind} image; give a plain one of two or more axes")
        header, shape, where = images[0].header, images[0].shape, images[0].fileinfo()
    bits = header["BITPIX"]
    stored = np.dtype("u1" if bits == 8 else f">{'f' if bits < 0 else 'i'}{abs(bits) // 8}")
    check_pixel_type(path, stored)
    limit.check(path, shape, stored.itemsize)
    start, count = where["datLoc"], int(np.prod(shape, dtype=object))
    if len(content) < start + count * stored.itemsize:
        raise FileError(f"{path} is truncated: its pixels end early; copy the file again")
    data = np.frombuffer(content, stored, count, start).reshape(shape)
    data = data.astype(stored.newbyteorder("="))
    shift = header.get("BZERO", 0) if header.get("BSCALE", 1) == 1 else 0
    meant = _SHIFTS.get((data.dtype.name, shift))
    if meant:
        data = (data.astype(np.int64) + int(shift)).astype(meant)
    head = content[where["hdrLoc"] : start]
    for card in (head[i : i + _CARD] for i in range(0, len(head), _CARD)):
        if card[:8] in _SUMS:
            head = head.replace(card, b" " * _CARD)
            notes.append("The checksum of the FITS image is blanked.")
    if len(content) % _BLOCK:
        notes.append("The FITS file does not end in a whole block, as if cut: look at the result.")
    if len(images) > 1:
        notes.append(f"Other images in the FITS file keep their old pixels: {len(images) - 1}.")
    end = start + count * stored.itemsize
    own = {"before": content[: where["hdrLoc"]] + head, "after": content[end:], "stored": stored}
    own["shift"] = int(shift) if meant else 0
    metadata: dict[str, Any] = {"fits": own}
    if "BLANK" in header and stored.kind in "iu":
        metadata["nodata"] = float(header["BLANK"] + own["shift"])
    if not meant and any(key in header for key in ("BSCALE", "BZERO")):
        metadata["shown"] = "the stored numbers are kept, without BSCALE and BZERO"
    axes = "Q" * (len(shape) - 2) + "YX"
    return ImageFile(data, axes, None, "fits", metadata, path, tuple(dict.fromkeys(notes)))


def refusal(image: ImageFile) -> str | None:
    """Say why FITS cannot hold the image, or None."""
    if image.alpha is not None:
        return "FITS cannot mark transparency; write a .png or .tif file"
    if image.data.dtype == np.float16:
        return "FITS cannot hold float16 pixels; write a .tif file"
    return None


def write(handle: BinaryIO, image: ImageFile) -> None:
    """Write the source around the new pixels, or the pixels alone, colours as planes."""
    from astropy.io import fits

    data, own = image.data, image.metadata.get("fits")
    if own is None:
        if "S" in image.axes:
            data = np.moveaxis(data, image.axes.index("S"), -3)
        made = io.BytesIO()
        fits.PrimaryHDU(np.ascontiguousarray(data)).writeto(made)
        handle.write(made.getbuffer())
        return
    if own["shift"]:
        data = data.astype(np.int64) - own["shift"]
    handle.write(own["before"])
    handle.write(np.ascontiguousarray(data, own["stored"]).data)
    handle.write(own["after"])
