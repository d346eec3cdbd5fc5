"""What Zarr chunks decode to, known before a library decodes them: it believes what they say."""

import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

from zspot.io.checks import damaged, one_kind_of_error

_BLOSC = struct.Struct("<BBBBIII")  # versions, flags, item size; bytes unpacked, of a part, packed
_ABSENT = 2**64 - 1
_PACKERS = ("blosc", "zstd", "gzip", "zlib", "bz2", "lzma", "lz4")


def check_chunk(path: Path, metadata: Any, shape: Sequence[int], size: int) -> None:
    """Refuse a chunk that unpacks to more than `shape` values of `size` bytes."""
    codecs = getattr(metadata, "codecs", None)
    if codecs is None:
        codecs = (*(metadata.filters or ()), metadata.compressor)
    with one_kind_of_error(path):
        packed = any(map(_name, codecs))
        if packed and not _fits(path.read_bytes(), codecs, math.prod(shape), size):
            raise damaged(path, "it does not unpack to its size")


def _name(codec: Any) -> str:
    kind = type(codec).__name__.lower()
    return next((name for name in (*_PACKERS, "sharding", "crc32c") if name in kind), "")


def _fits(content: bytes, codecs: Sequence[Any], values: int, size: int) -> bool:
    """Say whether bytes unpack to so many values, whose codecs come in the order of packing."""
    most = values * size
    for codec in reversed(codecs):
        name = _name(codec)
        if name == "sharding":
            return _shard_fits(content, codec, values, size)
        if name == "blosc":
            *_, unpacked, part, packed = _BLOSC.unpack(content[: _BLOSC.size])
            return packed == len(content) and unpacked <= most and part <= max(unpacked, 1)
        if name == "crc32c":
            content = content[:-4]
        elif name:
            options = {"header": True} if name == "lz4" else {}
            content = getattr(imagecodecs, f"{name}_decode")(content, out=most + 1, **options)
            if len(content) > most:
                return False
    return True


def _shard_fits(content: bytes, codec: Any, values: int, size: int) -> bool:
    """Say the same of each chunk in a shard, as its index lists them."""
    inside = math.prod(codec.chunk_shape)
    length = 16 * (values // inside)
    end = 4 * any(_name(each) == "crc32c" for each in codec.index_codecs)
    start = 0 if codec.index_location.value == "start" else len(content) - length - end
    index = np.frombuffer(content[start : start + length], "<u8").reshape(-1, 2).tolist()
    chunks = (content[at : at + count] for at, count in index if _ABSENT not in (at, count))
    return all(_fits(chunk, codec.codecs, inside, size) for chunk in chunks)
