"""Does the directory of a CZI file promise what the file can hold? Asked before a library is.

The libraries make room for every plane that the directory names, whatever is in the file. Layout:
ZEISS, "CZI file format", DS 2011: header segment, sub-block directory, entries of schema DV.
"""

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zspot.core.errors import FileError
from zspot.io.checks import check_header

_SEGMENT = struct.Struct("<16sqq")
_DIRECTORY_POSITION = _SEGMENT.size + 52
_ENTRIES = 128  # bytes before the first entry
_ENTRY = struct.Struct("<2si qiiB5si")
_DIMENSION = struct.Struct("<4siifi")
_MOST_DIMENSIONS = 40
_SPARSE = 64  # planes that may be promised for each that is there


def check_directory(path: Path, max_pixels: int) -> None:
    """Refuse a directory that is damaged, or promises too many planes or too large ones."""
    try:
        with path.open("rb") as handle:
            entries = list(_read(handle, path.stat().st_size))
    except (struct.error, ValueError) as error:
        raise FileError(
            f"{path} is damaged: its directory does not fit the file; copy it again"
        ) from error
    if not entries:
        raise FileError(f"{path} holds no image; check the file")
    lowest: dict[bytes, int] = {}
    highest: dict[bytes, int] = {}
    for entry in entries:
        for name, start, size in entry:
            lowest[name] = min(start, lowest.get(name, start))
            highest[name] = max(start + size, highest.get(name, start + size))
    extent = {name: highest[name] - lowest[name] for name in lowest}
    check_header(path, (extent.pop(b"Y", 0), extent.pop(b"X", 0)), max_pixels)
    planes = math.prod(max(1, size) for size in extent.values())
    if planes > _SPARSE * len(entries):
        raise FileError(
            f"{path} is damaged: its directory promises {planes} planes and lists {len(entries)}"
        )


def _read(handle: BinaryIO, length: int) -> Iterator[list[tuple[bytes, int, int]]]:
    """Yield (name, start, size) of the dimensions of each entry."""
    handle.seek(_DIRECTORY_POSITION)
    (position,) = struct.unpack("<q", handle.read(8))
    if not 0 < position <= length - _SEGMENT.size - _ENTRIES:
        raise ValueError
    handle.seek(position)
    name, _, used = _SEGMENT.unpack(handle.read(_SEGMENT.size))
    head = handle.read(_ENTRIES)
    (count,) = struct.unpack("<i", head[:4])
    room = min(used, length - position)
    if not name.startswith(b"ZISRAWDIRECTORY") or not 0 <= count <= room // _ENTRY.size:
        raise ValueError
    for _ in range(count):
        schema, *_, dimensions = _ENTRY.unpack(handle.read(_ENTRY.size))
        if schema != b"DV" or not 0 < dimensions <= _MOST_DIMENSIONS:
            raise ValueError
        parts = list(_DIMENSION.iter_unpack(handle.read(dimensions * _DIMENSION.size)))
        if len(parts) != dimensions or any(size < 0 for _, _, size, _, _ in parts):
            raise ValueError
        yield [(key.rstrip(b"\0"), start, size) for key, start, size, _, _ in parts]
