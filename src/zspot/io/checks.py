"""What is checked before pixels are decoded: size, density and pixel type."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from zspot.core.errors import FileError

#: Largest number of values (pixels times samples times planes) that `read` decodes by default.
MAX_PIXELS = 2**31

#: Pixel types that can be denoised and written back.
PIXEL_TYPES = frozenset(
    {"uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64"}
)

# Deflate packs at most 1032 bytes into one.
_DENSEST = 1032
_SLACK = 2**16


def check_header(path: Path, shape: tuple[int, ...], limit: int) -> None:
    """Refuse an image that has no pixels, or more than `limit` values, before decoding it."""
    if not shape or any(size < 1 for size in shape):
        raise FileError(f"{path}: the image has no pixels (its size is {size_text(shape)})")
    if math.prod(shape) > limit:
        raise FileError(
            f"{path}: the header promises {size_text(shape)} values, more than the limit of "
            f"{limit}; check the file, or raise max_pixels"
        )


def check_density(path: Path, stored: int, promised: int) -> None:
    """Refuse a header that promises more bytes than deflate can have packed into `stored`."""
    if promised > _DENSEST * stored + _SLACK:
        raise FileError(
            f"{path} is truncated: {stored} bytes of pixels cannot make the {promised} bytes that "
            "its header promises; copy it again"
        )


def check_pixel_type(path: Path, dtype: np.dtype) -> None:
    """Refuse pixel types that have no noise to remove or cannot be written back."""
    if dtype.name not in PIXEL_TYPES:
        raise FileError(
            f"{path}: pixels of type {dtype.name} are not supported; convert them to 8-bit or "
            "16-bit integers or to float32"
        )


def size_text(shape: tuple[int, ...]) -> str:
    """Write a shape as 480 x 640 x 3."""
    return " x ".join(str(size) for size in shape) or "0"
