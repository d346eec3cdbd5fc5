"""The directories of TIFF files and of EXIF blocks: tags read and written as raw bytes."""

import contextlib
import io
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO, Literal

from tifffile import TIFF

from zspot.core.errors import FileError
from zspot.io.checks import damaged

SHORT, LONG, LONG8 = 3, 4, 16
SIZES = {kind: struct.calcsize(f"={form}") for kind, form in TIFF.DATA_FORMATS.items()}
TOO_LARGE = "a TIFF file ends at 4 GB; convert the source to BigTIFF first"
_MOST_TAGS = 4096  # more in one directory is damage, not data


@dataclass(frozen=True)
class Entry:
    """A tag: its type, number of values, and the field that holds the values or their offset."""

    kind: int
    count: int
    field: bytes

    @property
    def size(self) -> int:
        """Number of bytes that the values take."""
        return SIZES.get(self.kind, 1) * self.count


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
    def formats(self) -> tuple[Struct, Struct, Struct]:
        """How the number of tags, a tag and a file offset are packed."""
        codes = ("Q", "HHQ8s", "Q") if self.big else ("H", "HHI4s", "I")
        head, entry, pointer = (Struct(self.order + code) for code in codes)
        return head, entry, pointer

    def pointer(self, offset: int) -> bytes:
        """Pack a file offset."""
        if offset >= 1 << (64 if self.big else 32):
            raise FileError(TOO_LARGE)
        return self.formats[2].pack(offset)

    def offset(self, field: bytes) -> int:
        """Unpack a file offset."""
        return self.formats[2].unpack(field)[0]

    def read(self, handle: BinaryIO, offset: int) -> tuple[dict[int, Entry], bytes]:
        """Read the directory at `offset`: its tags by code, and the pointer to the next one."""
        head, entry, pointer = self.formats
        handle.seek(offset)
        (count,) = head.unpack(handle.read(head.size))
        if count > _MOST_TAGS:
            raise ValueError(f"a TIFF directory claims {count} tags")
        entries = {}
        for _ in range(count):
            code, *fields = entry.unpack(handle.read(entry.size))
            # Of a repeated tag, an error, tifffile takes the first as well.
            entries.setdefault(code, Entry(*fields))
        return entries, handle.read(pointer.size)

    def pack(self, entries: dict[int, Entry], following: bytes) -> bytes:
        """Make the bytes of a directory; tags are sorted as TIFF demands."""
        head, entry, _ = self.formats
        tags = sorted(entries.items())
        packed = [entry.pack(code, tag.kind, tag.count, tag.field) for code, tag in tags]
        return head.pack(len(entries)) + b"".join(packed) + following


def even(offset: int) -> int:
    """Round an offset up to a word boundary, where TIFF wants values and directories."""
    return offset + offset % 2


def check_chain(path: Path) -> tuple[int, bool]:
    """Count the directories; refuse a circle. Also say whether first tags lie beyond the end."""
    size = path.stat().st_size
    seen: set[int] = set()
    cut = False
    # Where the file ends early there is nothing more to follow.
    with path.open("rb") as handle, contextlib.suppress(struct.error):
        start = handle.read(16).ljust(16, b"\0")
        flavour = Flavour("<" if start[:1] == b"I" else ">", start[2:4] in (b"+\0", b"\0+"))
        head, entry, pointer = flavour.formats
        (offset,) = pointer.unpack_from(start, 8 if flavour.big else 4)
        # Directories may overlap in a damaged file; honest ones need this much room each.
        most = size // (entry.size + pointer.size)
        while offset and offset < size:
            if offset in seen or len(seen) > most:
                raise damaged(path, "its list of images runs in a circle")
            if not seen:
                tags = flavour.read(handle, offset)[0].values()
                outside = [tag for tag in tags if tag.size > flavour.inline]
                cut = any(flavour.offset(tag.field) + tag.size > size for tag in outside)
            seen.add(offset)
            handle.seek(offset)
            (count,) = head.unpack(handle.read(head.size))
            handle.seek(offset + head.size + count * entry.size)
            (offset,) = pointer.unpack(handle.read(pointer.size))
    return len(seen), cut


EXIF_TAGS = 34665, 34853  # EXIF, GPS
_ORIENTATION = 274
# Description, camera, orientation, software, time, artist, copyright: true for the new file too.
_COPIED = (270, 271, 272, _ORIENTATION, 305, 306, 315, 33432)
# Maker notes and interoperability hold offsets that only fit their old place.
_DROPPED = (37500, 40965)


def byte_order(exif: bytes) -> Literal[">", "<"]:
    """Return ">" or "<", the byte order of an EXIF block."""
    return ">" if exif[:2] == b"MM" else "<"


def exif_of_tiff(source: Any) -> bytes | None:
    """Make an EXIF block of the tags of a TIFF-like file, as of an upright image, or None."""
    source.seek(0)
    start = source.read(8)
    if start[:2] not in (b"II", b"MM"):
        return None
    flavour = Flavour(byte_order(start))
    magic = b"II*\0" if flavour.order == "<" else b"MM\0*"
    block = io.BytesIO(magic + flavour.pointer(8) + flavour.pack({}, bytes(4)))
    # Files differ in their tags; damaged ones tell nothing, and are no reason to refuse a picture.
    with contextlib.suppress(struct.error, ValueError, KeyError, FileError):
        attach_exif(block, source, without=_ORIENTATION)
        return block.getvalue()
    return None


def attach_exif(handle: BinaryIO, source: Any, without: int | None = None) -> None:
    """Add an EXIF block to the first page of a classic TIFF file of the same byte order."""
    source.seek(0)
    start = source.read(8)
    flavour = Flavour(byte_order(start))
    tags, _ = flavour.read(source, flavour.offset(start[4:8]))
    handle.seek(4)
    entries, following = flavour.read(handle, flavour.offset(handle.read(4)))
    tags.pop(without or 0, None)
    wanted = {code: tags[code] for code in _COPIED if code in tags and code not in entries}
    entries |= _copied(source, handle, flavour, wanted)
    for code in EXIF_TAGS:
        if code in tags:
            inner, _ = flavour.read(source, flavour.offset(tags[code].field))
            inner = {key: entry for key, entry in inner.items() if key not in _DROPPED}
            packed = flavour.pack(_copied(source, handle, flavour, inner), bytes(4))
            entries[code] = Entry(LONG, 1, _append(handle, flavour, packed))
    first = _append(handle, flavour, flavour.pack(entries, following))
    handle.seek(4)
    handle.write(first)


def _copied(
    source: BinaryIO, handle: BinaryIO, flavour: Flavour, tags: dict[int, Entry]
) -> dict[int, Entry]:
    """Copy the values of tags to the end of the file."""
    copied = {}
    for code, entry in tags.items():
        if entry.size <= flavour.inline:
            copied[code] = entry
            continue
        source.seek(flavour.offset(entry.field))
        raw = source.read(entry.size)
        if len(raw) == entry.size:  # else the block is damaged here
            copied[code] = replace(entry, field=_append(handle, flavour, raw))
    return copied


def _append(handle: BinaryIO, flavour: Flavour, raw: bytes) -> bytes:
    """Write at the end of the file; return the pointer to it."""
    place = even(handle.seek(0, io.SEEK_END))
    pointer = flavour.pointer(place)
    handle.seek(place)
    handle.write(raw)
    return pointer
