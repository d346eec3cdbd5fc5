"""OpenEXR: half, float and 32-bit integers (extra `exr`)."""

import contextlib
import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zspot.core.errors import FileError
from zspot.io.checks import Limit
from zspot.io.image_file import ImageFile, plain_refusal

_DTYPES = ("float16", "float32", "uint32")
_LOSSLESS = ("NO", "RLE", "ZIPS", "ZIP", "PIZ", "ZSTD", "HTJ2K32", "HTJ2K256")


def read(path: Path, limit: Limit) -> ImageFile:
    """Read the first part of an OpenEXR file: R, G, B together, or Y, or each channel alone."""
    import OpenEXR

    heads = OpenEXR.File(str(path), header_only=True).parts
    for head in heads:
        listed, (low, high) = head.header["channels"], head.header["dataWindow"]
        width, height = (int(side) for side in high.astype(np.int64) - low + 1)
        limit.check(path, (height, width, len(listed)), 4)
        plain = "ONE_LEVEL" in repr(head.header.get("tiles", "ONE_LEVEL"))
        plain &= all((c.xSampling, c.ySampling) == (1, 1) for c in listed)
        if not plain or "deep" in str(head.type()):
            raise FileError(f"{path} is deep, subsampled or a mipmap; convert it to a plain image")
    with contextlib.redirect_stdout(io.StringIO()):  # where it says what is damaged
        found = OpenEXR.File(str(path), separate_channels=True).parts
    parts = [(p.header, {name: c.pixels for name, c in p.channels.items()}) for p in found]
    if len(parts) != len(heads):
        raise FileError(f"{path} is truncated: its pixels end early; copy the file again")
    pixels = parts[0][1]
    layers = [name for name in pixels if name.rpartition(".")[2] in ("R", "G", "B", "Y")]
    others = layers or [name for name in pixels if name != "A"] or ["A"]
    names = next((n for n in (["R", "G", "B"], ["Y"]) if {*n} <= {*pixels}), others)
    if len({pixels[name].dtype for name in names}) > 1:
        raise FileError(f"{path} has channels of several types; convert them to one")
    data, axes = np.stack([pixels[name] for name in names]), "CYX"
    if len(names) == 1:
        data, axes = data[0], "YX"
    elif names == ["R", "G", "B"]:
        data, axes = np.moveaxis(data, 0, -1), "YXS"
    left = [name for name in pixels if name not in names]
    notes = [f"Not denoised: channels {', '.join(left)}."] if left else []
    if len(parts) > 1:
        notes.append(f"Not denoised: {len(parts) - 1} other parts of the OpenEXR file.")
    for header, _ in parts:
        name = header["compression"].name.removesuffix("_COMPRESSION")
        if name not in _LOSSLESS:
            notes.append(f"{name} compression is replaced by lossless ZIP; the file may grow.")
            header["compression"] = OpenEXR.ZIP_COMPRESSION
    data, alpha = np.ascontiguousarray(data), pixels["A"] if "A" in left else None
    metadata: dict[str, Any] = {"exr": {"parts": parts, "names": names}}
    metadata |= {} if alpha is None else {"shown": "its colours are multiplied by alpha"}
    return ImageFile(data, axes, alpha, "exr", metadata, path, tuple(notes))


def refusal(image: ImageFile) -> str | None:
    """Say why OpenEXR cannot hold the image, or None."""
    own = "exr" in image.metadata
    return None if own else plain_refusal(image, "OpenEXR", _DTYPES, (1, 2, 3, 4))


def write(handle: BinaryIO, image: ImageFile) -> None:
    """Write the parts of the source around the new pixels, or one part without attributes."""
    import OpenEXR

    own = image.metadata.get("exr")
    axis = image.channel_axis
    planes = [image.data] if axis is None else list(np.moveaxis(image.data, axis, 0))
    sides = [image.data.shape[image.axes.index(letter)] for letter in "YX"]
    names = own["names"] if own else ["R", "G", "B"] if len(planes) == 3 else ["Y"]
    new = dict(zip(names, planes, strict=True))
    new |= {} if image.alpha is None else {"A": image.alpha}
    new = {name: np.ascontiguousarray(plane.reshape(sides)) for name, plane in new.items()}
    parts = own["parts"] if own else [({}, {})]
    first = OpenEXR.Part(parts[0][0], parts[0][1] | new)
    others = [OpenEXR.Part(head, dict(pixels)) for head, pixels in parts[1:]]
    OpenEXR.File([first, *others]).write(handle.name)
