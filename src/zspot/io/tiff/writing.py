"""Writing a TIFF file whole: around the source's own bytes, or converted from another format."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
import tifffile

from zspot.io.image_file import ImageFile
from zspot.io.tiff.exif import attach_exif, byte_order
from zspot.io.tiff.rewrite import rewrite
from zspot.io.tiff.series import ICC, UNITS, XMP, join

# Above this, offsets overflow classic TIFF; the rest is room for tags.
_CLASSIC_LIMIT = 2**32 - 2**25


def refusal(image: ImageFile) -> str | None:
    """Say why TIFF cannot hold the image, or None: it holds all supported ones."""
    return None


def write(handle: BinaryIO, image: ImageFile) -> None:
    """Write the source file around the new pixels, or convert another format.

    A converted file is deflate-compressed and carries ICC profile, XMP, resolution, alpha and EXIF
    (without maker notes, whose internal offsets would break). Pages of a stack carry no axis names.
    """
    own = image.metadata.get("tiff")
    if own is not None:
        layout = own["layout"]
        data = join(image.data, image.axes, image.alpha, own["stored_axes"])
        planes = (data,) if layout.contiguous is not None else data.reshape(-1, *layout.shape)
        rewrite(handle, layout, planes)
        return
    exif = image.metadata.get("exif")
    order = byte_order(exif) if exif else "<"
    data, samples = _samples_last(image)
    big = data.nbytes > _CLASSIC_LIMIT
    with tifffile.TiffWriter(handle, bigtiff=big, byteorder=order, ome=False) as writer:
        writer.write(data, metadata=None, software=False, **_options(image, samples))
    if exif and not big:
        attach_exif(handle, exif)


def _samples_last(image: ImageFile) -> tuple[np.ndarray, int]:
    """Return pixels with interleaved samples, alpha last, and the number of samples."""
    data, axes = image.data, image.axes
    if "S" in axes:
        data, axes = np.moveaxis(data, axes.index("S"), -1), axes.replace("S", "") + "S"
    if image.alpha is not None:
        data = data if "S" in axes else data[..., np.newaxis]
        data = np.concatenate([data, image.alpha[..., np.newaxis]], axis=-1)
    elif "S" in axes and data.shape[-1] == 1:
        data = data[..., 0]
    samples = data.shape[-1] if data.ndim > len(axes.replace("S", "")) else 1
    return np.ascontiguousarray(data), samples


def _options(image: ImageFile, samples: int) -> dict[str, Any]:
    found = image.metadata
    alpha = image.alpha is not None
    colours = 3 if samples - alpha >= 3 else 1
    options: dict[str, Any] = {
        "photometric": "rgb" if colours == 3 else "minisblack",
        "planarconfig": "contig" if samples > 1 else None,
        "compression": "zlib",
        "predictor": 2 if image.data.dtype.kind in "iu" else None,
    }
    extra = ["unspecified"] * (samples - colours - alpha) + ["unassalpha"] * alpha
    if extra:
        options["extrasamples"] = extra
    if "resolution" in found:
        x, y, unit = found["resolution"]
        code = next((code for code, name in UNITS.items() if name == unit), 1)
        options |= {"resolution": (x, y), "resolutionunit": code}
    blocks = [(XMP, 1, found.get("xmp")), (ICC, 7, found.get("icc"))]
    options["extratags"] = [(code, kind, len(b), b, True) for code, kind, b in blocks if b]
    return options
