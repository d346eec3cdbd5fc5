"""BMP: 8-bit grey, RGB and RGBA."""

from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from zspot.core.errors import FileError
from zspot.io import pillow
from zspot.io.checks import Limit
from zspot.io.image_file import ImageFile, interleaved, plain_refusal, split_alpha

refusal = partial(plain_refusal, name="BMP", dtypes=("uint8",), samples=(1, 3, 4))


def read(path: Path, limit: Limit) -> ImageFile:
    """Read a BMP file; what is kept is in docs/files.md, as of all formats."""
    content = path.read_bytes()
    picture = pillow.decode(path, content, "BMP", limit)
    if picture.mode == "1":
        raise FileError(f"{path} has 1-bit pixels, nothing to denoise; convert it to 8-bit grey")
    notes, palette = [], picture.mode == "P"
    pixels = np.asarray(picture.convert("RGB") if palette else picture)
    if palette:
        notes.append("The palette is expanded: the file is written as RGB.")
    if content[14:15] == b"\x7c" and content[70:74] in (b"DEBM", b"LKNI"):
        notes.append("The colour profile inside the BMP file is not kept.")
    data, alpha, axes = split_alpha(pixels)
    metadata = pillow.metadata_of(picture.info)
    return ImageFile(data, axes, alpha, "bmp", metadata, path, tuple(notes))


def write(handle: BinaryIO, image: ImageFile) -> None:
    """Write 8-bit grey, RGB or RGBA with the resolution."""
    pillow.encode(interleaved(image), handle, "BMP", **pillow.dots_per_inch(image))
