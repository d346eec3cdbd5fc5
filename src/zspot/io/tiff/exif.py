"""Moving an EXIF block of another format into a TIFF file."""

import io
from dataclasses import replace
from typing import BinaryIO, Literal

from zspot.io.tiff.ifd import LONG, Entry, Flavour, even

_EXIF, _GPS = 34665, 34853
_ORIENTATION = 274
# Description, camera, orientation, software, time, artist, copyright: true for the new file too.
_COPIED = (270, 271, 272, _ORIENTATION, 305, 306, 315, 33432)
# Maker notes and interoperability hold offsets that only fit their old place.
_DROPPED = (37500, 40965)


def byte_order(exif: bytes) -> Literal[">", "<"]:
    """Return ">" or "<", the byte order of an EXIF block."""
    return ">" if exif[:2] == b"MM" else "<"


def exif_of_tiff(content: bytes) -> bytes | None:
    """Make an EXIF block of the camera tags of a TIFF-based RAW file.

    The orientation stays out, because a developed image is upright. None if there is none to make.
    """
    if content[:2] not in (b"II", b"MM"):
        return None
    flavour = Flavour(byte_order(content))
    magic = b"II*\0" if flavour.order == "<" else b"MM\0*"
    block = io.BytesIO(magic + flavour.pointer(8) + flavour.pack({}, bytes(4)))
    attach_exif(block, content, without=_ORIENTATION)
    return block.getvalue()


def attach_exif(handle: BinaryIO, exif: bytes, without: int | None = None) -> None:
    """Add the tags and directories of an EXIF block to the first page of a classic TIFF file.

    The file must have the byte order of the block, so that values can be copied as they are.
    """
    source, flavour = io.BytesIO(exif), Flavour(byte_order(exif))
    tags, _ = flavour.read(source, flavour.offset(exif[4:8]))
    handle.seek(4)
    entries, following = flavour.read(handle, flavour.offset(handle.read(4)))
    tags.pop(without or 0, None)
    wanted = {code: tags[code] for code in _COPIED if code in tags and code not in entries}
    entries |= _copied(source, handle, flavour, wanted)
    for code in (_EXIF, _GPS):
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
        raw = flavour.values(source, entry)
        if entry.size <= flavour.inline:
            copied[code] = entry
        elif len(raw) == entry.size:  # else the block is damaged here
            copied[code] = replace(entry, field=_append(handle, flavour, raw))
    return copied


def _append(handle: BinaryIO, flavour: Flavour, raw: bytes) -> bytes:
    """Write at the end of the file; return the pointer to it."""
    place = even(handle.seek(0, io.SEEK_END))
    pointer = flavour.pointer(place)
    handle.seek(place)
    handle.write(raw)
    return pointer
