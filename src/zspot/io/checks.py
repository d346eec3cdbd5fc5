"""What is checked before pixels are decoded, and the one error for whatever a decoder raises."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zspot.core.errors import FileError
from zspot.io.atomic import os_reason

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
    size = " x ".join(map(str, shape)) or "0"
    if not shape or min(shape) < 1:
        raise FileError(f"{path}: the image has no pixels (its size is {size})")
    if math.prod(shape) > limit:
        raise FileError(
            f"{path}: the header promises {size} values, more than the limit of {limit}; "
            "check the file, or raise max_pixels"
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


@contextlib.contextmanager
def one_kind_of_error(path: Path) -> Iterator[None]:
    """Raise a `FileError` of one line about `path` for any failure to read it."""
    try:
        yield
    except FileError:
        raise
    except MemoryError as error:
        raise FileError(f"{path} needs more memory than there is; cut it into parts") from error
    except Exception as error:  # decoders raise what they like, OSError too, on damaged files
        if isinstance(error, OSError) and error.errno is not None:
            raise FileError(f"{path} cannot be read: {os_reason(error)}") from error
        raise FileError(
            f"{path} cannot be decoded ({first_line(error)}); it is damaged, copy it again"
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, not too long."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
