"""What is checked before pixels are decoded, and the one error for whatever a decoder raises."""

import contextlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zspot.core.errors import FileError
from zspot.core.memory import in_words, limit_of, resident
from zspot.io.atomic import os_reason

#: Largest number of values (pixels times samples times planes) that `read` decodes by default.
MAX_PIXELS = 2**31

#: Pixel types that can be denoised and written back.
PIXEL_TYPES = frozenset(
    {"uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64"}
)

# Deflate packs at most 1032 bytes into one. Other codings can pack more, but no picture with noise.
DENSEST = 1032
_ZEROS = 256  # bytes in a row, of a twentieth of a file: not in a picture with noise
_SMALL = 2**26  # bytes of pixels that any file may promise


def damaged(path: Path, what: str) -> FileError:
    """Return the error of a file that does not hold what it should."""
    return FileError(f"{path} is damaged: {what}; copy it again")


@dataclass(frozen=True)
class Limit:
    """What a file may promise: values, and bytes that the process may take (`max_memory`)."""

    values: int = MAX_PIXELS
    memory: int | str | None = None

    def check(
        self, path: Path, shape: tuple[int, ...], size: int = 1, stored: int | None = None,
        copies: int = 2,
    ) -> None:  # fmt: skip
        """Refuse an image of `shape` that cannot be or is too large, before it is decoded.

        `size`, `stored`: bytes of a value, of all in the file; `copies`: how many are in memory.
        """
        check_shape(path, shape)
        words, values = " x ".join(map(str, shape)), math.prod(shape)
        if values > self.values:
            limit = f"the limit of {self.values}; check the file, or raise max_pixels"
            raise FileError(f"{path}: the header promises {words} values, more than {limit}")
        if values * size <= _SMALL:
            return
        stored = path.stat().st_size if stored is None else stored
        if values * size > DENSEST * stored + _SMALL:
            what = f"{stored} bytes can hold; it is truncated or damaged, copy it again"
            raise FileError(f"{path}: the header promises {words} values, more than {what}")
        need, room = copies * values * size + stored, limit_of(self.memory) - resident()
        if need > room:
            what = f"reading {words} values takes {in_words(need)} of memory"
            most = f"{in_words(max(room, 0))} may be taken; raise max_memory, or cut the image"
            raise FileError(f"{path}: {what}, and {most}")


def check_shape(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse an image that has no pixels."""
    if not shape or min(shape) < 1:
        size = " x ".join(map(str, shape)) or "0"
        raise FileError(f"{path}: the image has no pixels (its size is {size})")


def check_pixel_type(path: Path, dtype: np.dtype) -> None:
    """Refuse pixel types that have no noise to remove or cannot be written back."""
    if dtype.name not in PIXEL_TYPES:
        advice = "convert them to 8-bit or 16-bit integers or to float32"
        raise FileError(f"{path}: pixels of type {dtype.name} are not supported; {advice}")


def notes_on_rest(size: int, end: int) -> tuple[str, ...]:
    """Note the bytes that follow the image in a file of this size, such as a film."""
    return (f"The {size - end} bytes after the image are not kept.",) if end < size else ()


def check_zeros(path: Path, content: bytes, *others: bytes) -> tuple[str, ...]:
    """Note zero bytes in a row in a coded picture, and refuse many: a copy that broke off."""
    # Some decoders take them as picture. `others`: parts of `content` that are no picture.
    for other in filter(None, others):
        content = content.replace(other, b"")
    longest = max(map(len, re.findall(rb"\0{64,}", content)), default=0)
    if longest > max(_ZEROS, len(content) // 20):
        raise FileError(f"{path} is torn: {longest} bytes of its picture are zero; copy it again")
    note = f"{longest} bytes of the picture in the file are zero, as if lost: look at the result."
    return (note,) if longest else ()


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
        why = f"cannot be decoded ({first_line(error)})"
        raise FileError(f"{path} {why}; it is damaged, copy it again") from error


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, not too long."""
    lines = re.sub("^b'(.*)'$", r"\1", str(error)).strip().splitlines()  # LibRaw's are bytes
    return lines[0].partition(" <_io.")[0][:200] if lines else type(error).__name__
