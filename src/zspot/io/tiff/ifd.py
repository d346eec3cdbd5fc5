"""The directory structure of TIFF files: tags read and written as raw bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zspot.core.errors import FileError

SHORT, LONG, IFD, LONG8 = 3, 4, 13, 16
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", SHORT: "H", LONG: "I", IFD: "I", LONG8: "Q"}
# More tags than this in one directory is damage, not data.
_MOST_TAGS = 4096


@dataclass(frozen=True)
class Entry:
    """A tag: its type, number of values, and the field that holds the values or their offset."""

    kind: int
    count: int
    field: bytes

    @property
    def size(self) -> int:
        """Number of bytes that the values take."""
        return _SIZES.get(self.kind, 1) * self.count


@dataclass(frozen=True)
class Flavour:
    """Byte order and width of offsets: classic TIFF or BigTIFF."""

    order: str
    big: bool = False

    @property
    def inline(self) -> int:
        """Number of bytes of values that fit into a tag."""
        return 8 if self.big else 4

    @property
    def _formats(self) -> tuple[str, str, str]:
        codes = ("Q", "HHQ8s", "Q") if self.big else ("H", "HHI4s", "I")
        head, entry, pointer = (self.order + code for code in codes)
        return head, entry, pointer

    def pointer(self, offset: int) -> bytes:
        """Pack a file offset."""
        if offset >= 1 << (64 if self.big else 32):
            raise FileError("a TIFF file ends at 4 GB; convert the source to BigTIFF first")
        return struct.pack(self._formats[2], offset)

    def offset(self, field: bytes) -> int:
        """Unpack a file offset."""
        return struct.unpack(self._formats[2], field)[0]

    def read(self, handle: BinaryIO, offset: int) -> tuple[dict[int, Entry], bytes]:
        """Read the directory at `offset`: its tags by code, and the pointer to the next one."""
        head, entry, pointer = self._formats
        handle.seek(offset)
        (count,) = struct.unpack(head, handle.read(struct.calcsize(head)))
        if count > _MOST_TAGS:
            raise ValueError(f"a TIFF directory claims {count} tags")
        entries = {}
        for _ in range(count):
            fields = struct.unpack(entry, handle.read(struct.calcsize(entry)))
            # Of a repeated tag, an error, tifffile takes the first as well.
            entries.setdefault(fields[0], Entry(*fields[1:]))
        return entries, handle.read(struct.calcsize(pointer))

    def pack(self, entries: dict[int, Entry], following: bytes) -> bytes:
        """Make the bytes of a directory; tags are sorted as TIFF demands."""
        head, entry, _ = self._formats
        packed = [struct.pack(head, len(entries))]
        for code, item in sorted(entries.items()):
            packed.append(struct.pack(entry, code, item.kind, item.count, item.field))
        return b"".join(packed) + following

    def integers(self, handle: BinaryIO, entry: Entry) -> list[int]:
        """Read the values of an integer tag."""
        raw = self.values(handle, entry)
        return list(struct.unpack(f"{self.order}{entry.count}{_INTEGERS[entry.kind]}", raw))

    def values(self, handle: BinaryIO, entry: Entry) -> bytes:
        """Read the values of a tag as they are stored."""
        if entry.size <= self.inline:
            return entry.field[: entry.size]
        handle.seek(self.offset(entry.field))
        return handle.read(entry.size)

    def store(
        self, handle: BinaryIO, old: Entry | None, kind: int, raw: bytes, end: int
    ) -> tuple[Entry, int]:
        """Store the values of a tag: inside it, in the place of `old`, or at the end of the file.

        Returns the tag and the new end of the file.
        """
        count = len(raw) // _SIZES[kind]
        if len(raw) <= self.inline:
            return Entry(kind, count, raw.ljust(self.inline, b"\0")), end
        if old is not None and old.size >= len(raw):
            field = old.field
            place = self.offset(field)
        else:
            place, end = even(end), even(end) + len(raw)
            field = self.pointer(place)
        handle.seek(place)
        handle.write(raw)
        return Entry(kind, count, field), end

    def store_integers(
        self, handle: BinaryIO, old: Entry | None, values: list[int], end: int
    ) -> tuple[Entry, int]:
        """Store integers in the type of `old` if they fit, else in a wider one."""
        kind = old.kind if old else SHORT
        bits = 8 * _SIZES[kind]
        if max(values) >= 1 << bits:
            kind = LONG8 if self.big else LONG
            if max(values) >= 1 << (8 * _SIZES[kind]):
                raise FileError("a TIFF file ends at 4 GB; convert the source to BigTIFF first")
        raw = struct.pack(f"{self.order}{len(values)}{_INTEGERS[kind]}", *values)
        return self.store(handle, old, kind, raw, end)


def even(offset: int) -> int:
    """Round an offset up to a word boundary, where TIFF wants values and directories."""
    return offset + offset % 2


def check_chain(path: Path) -> None:
    """Refuse a file whose chain of directories runs in a circle or is longer than it can be."""
    size = path.stat().st_size
    seen: set[int] = set()
    with path.open("rb") as handle:
        head = handle.read(16).ljust(16, b"\0")
        order = "<" if head[:1] == b"I" else ">"
        big = head[2:4] in (b"+\0", b"\0+")
        count_code, entry, code, start = ("Q", 20, "Q", 8) if big else ("H", 12, "I", 4)
        width = struct.calcsize(code)
        (offset,) = struct.unpack_from(order + code, head, start)
        # Directories may overlap in a damaged file; honest ones need this much room each.
        most = size // (entry + width)
        while offset and offset < size:
            if offset in seen or len(seen) > most:
                raise FileError(
                    f"{path} is damaged: its list of images runs in a circle; copy it again"
                )
            seen.add(offset)
            handle.seek(offset)
            raw = handle.read(struct.calcsize(order + count_code))
            if len(raw) < struct.calcsize(order + count_code):
                return
            (count,) = struct.unpack(order + count_code, raw)
            handle.seek(offset + len(raw) + count * entry)
            pointer = handle.read(width)
            if len(pointer) < width:
                return
            (offset,) = struct.unpack(order + code, pointer)
