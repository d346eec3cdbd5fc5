"""WebP: 8-bit RGB and RGBA, always written losslessly."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from zspot.core.errors import FileError
from zspot.io import pillow
from zspot.io.checks import Limit, check_zeros
from zspot.io.image_file import ImageFile, interleaved, plain_refusal, split_alpha

refusal = partial(
    plain_refusal, name="WebP", dtypes=("uint8",), samples=(1, 2, 3, 4), largest=16383
)


def read(path: Path, limit: Limit) -> ImageFile:
    """Read a still WebP file."""
    content = path.read_bytes()
    if len(content) < 8 + int.from_bytes(content[4:8], "little"):
        raise FileError(f"{path} is truncated: its data end early; copy the file again")
    picture = pillow.decode(path, content, "WEBP", limit)
    data, alpha, axes = split_alpha(np.asarray(picture))
    metadata = pillow.metadata_of(picture.info)
    notes = check_zeros(path, content, *metadata.values())
    if b"VP8L" not in _chunks(content):
        notes += ("The WebP file is lossy: it is written losslessly, so it will be larger.",)
    return ImageFile(data, axes, alpha, "webp", metadata, path, notes)


def _chunks(content: bytes) -> Iterator[bytes]:
    """Yield the names: in RIFF before four bytes of length and the payload, of even length."""
    position = 12
    while position + 8 <= len(content):
        size = int.from_bytes(content[position + 4 : position + 8], "little")
        yield content[position : position + 4]
        position += 8 + size + size % 2


def write(handle: BinaryIO, image: ImageFile) -> None:
    """Write losslessly, with alpha, ICC profile, EXIF and XMP. Grey becomes equal RGB samples."""
    pixels = interleaved(image)
    if pixels.ndim == 2:
        pixels = np.dstack([pixels] * 3)
    elif pixels.shape[2] == 2:
        pixels = pixels[..., [0, 0, 0, 1]]
    # exact=True keeps the colour of fully transparent pixels.
    options = {"lossless": True, "exact": True, **pillow.blocks_of(image)}
    pillow.encode(pixels, handle, "WEBP", **options)
