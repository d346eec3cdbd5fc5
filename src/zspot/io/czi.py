"""Does the directory of a CZI file promise what the file can hold? Asked before a library is.

The libraries make room for every plane that the directory names, whatever is in the file. Layout:
ZEISS, "CZI file format", DS 2011: header segment, sub-block directory, entries of schema DV.
"""

from __future__ import annotations

import struct
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
    """Refuse a file whose directory does not fit the file.

    Raises
    ------
    FileError
        If the directory is damaged, or promises far more planes than there are, or planes of more
        than `max_pixels`.
    """
    damaged = FileError(f"{path} is damaged: its directory does not fit the file; copy it again")
    try:
        with path.open("rb") as handle:
            entries = list(_read(handle, path.stat().st_size))
    except (struct.error, ValueError) as error:
        raise damaged from error
    if not entries:
        raise FileError(f"{path} holds no image; check the file")
    lowest: dict[bytes, int] = {}
    highest: dict[bytes, int] = {}
    for entry in entries:
        for name, start, size in entry:
            lowest[name] = min(start, lowest.get(name, start))
            highest[name] = max(start + size, highest.get(name, start + size))
    extent = {name: highest[name] - lowest[name] for name in lowest}
    sides = extent.pop(b"Y", 0), extent.pop(b"X", 0)
    check_header(path, sides, max_pixels)
    planes = 1
    for size in extent.values():
        planes *= max(1, size)
    if planes > _SPARSE * len(entries):
        raise FileError(
            f"{path} is damaged: its directory promises {planes} planes and lists {len(entries)}"
        )


def _read(handle: BinaryIO, length: int):
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
        raw = handle.read(dimensions * _DIMENSION.size)
        parts = list(_DIMENSION.iter_unpack(raw))
        if len(parts) != dimensions or any(size < 0 for _, _, size, _, _ in parts):
            raise ValueError
        yield [(key.rstrip(b"\0"), start, size) for key, start, size, _, _ in parts]
