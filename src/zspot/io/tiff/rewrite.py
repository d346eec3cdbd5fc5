"""Writing new pixels into the TIFF file they came from, keeping everything else byte for byte.

Tags, descriptions, OME-XML, ImageJ and EXIF blocks, further images and private data need no
understanding that way. Uncompressed strips and tiles go where the old ones were. Compressed ones
fill the room of all old ones; what does not fit goes to the end of the file, and the tags that say
where they lie are updated.
"""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from zspot.core.errors import FileError
from zspot.io.tiff.ifd import LONG, SHORT, even
from zspot.io.tiff.layout import COMPRESSION, Layout, Page, pieces_of

_OFFSETS, _COUNTS = (324, 273), (325, 279)  # of tiles, of strips
# Gaps tried before the fullest one is given up; more would only save a few bytes.
_TRIED = 8
# JPEG tables and YCbCr sampling: wrong once the pixels are no longer coded as JPEG.
_JPEG_TAGS = (347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 530, 531, 532)


def rewrite(
    handle: BinaryIO, layout: Layout, planes: Iterable[np.ndarray], source: Any = None
) -> None:
    """Write the file around new pixels into an empty `handle`.

    The planes come in the order in which they were read, all samples included: one for each page,
    or any parts that follow each other where the pixels are contiguous. `source` is the open file
    that was captured, where its bytes were not kept in memory.
    """
    pieces = layout.pieces if source is None else pieces_of(source, layout.ranges)
    for offset, piece in pieces:
        handle.seek(offset)
        handle.write(piece)
    if layout.contiguous is not None:
        place = layout.contiguous
        for plane in planes:
            handle.seek(place)
            place += handle.write(np.ascontiguousarray(plane, dtype=layout.coding.dtype).data)
        return
    room = _Room(layout)
    for page, plane in zip(layout.pages, planes, strict=True):
        _write_page(handle, layout, page, plane.reshape(layout.shape), room)


class _Room:
    """Places for strips and tiles: the gaps that the old ones left, then the end of the file."""

    def __init__(self, layout: Layout):
        self.end = layout.size
        self._fixed = layout.coding.compression == 1
        self._used: set[int] = set()
        self._gaps: list[list[int]] = []
        for start, count in sorted(s for page in layout.pages for s in page.segments):
            if self._gaps and start <= self._gaps[-1][1]:
                self._gaps[-1][1] = max(self._gaps[-1][1], start + count)
            elif count:
                self._gaps.append([start, start + count])

    def place(self, size: int, old: tuple[int, int]) -> int:
        """Return where to write `size` bytes in place of an old offset and count."""
        if self._fixed:
            # Pages may share a strip until their pixels differ: each needs its own now.
            if size <= old[1] and old[0] not in self._used:
                self._used.add(old[0])
                return old[0]
            return self._append(size)
        for gap in self._gaps[:_TRIED]:
            if gap[1] - gap[0] >= size:
                gap[0] += size
                return gap[0] - size
        if len(self._gaps) >= _TRIED:
            self._gaps.remove(min(self._gaps[:_TRIED], key=lambda gap: gap[1] - gap[0]))
        return self._append(size)

    def _append(self, size: int) -> int:
        start = even(self.end)
        self.end = start + size
        return start


def _write_page(
    handle: BinaryIO, layout: Layout, page: Page, plane: np.ndarray, room: _Room
) -> None:
    flavour, patches = layout.flavour, layout.coding.patches
    places, counts = [list(column) for column in zip(*page.segments, strict=True)]
    for number, block in enumerate(_blocks(plane, layout)):
        if number >= len(places):
            raise FileError("the TIFF source lists fewer strips or tiles than its size needs")
        coded = layout.coding.encode(block)
        places[number] = room.place(len(coded), page.segments[number])
        counts[number] = len(coded)
        handle.seek(places[number])
        handle.write(coded)
    entries = dict(page.entries)
    for codes, values in ((_OFFSETS, places), (_COUNTS, counts)):
        code = next((code for code in codes if code in entries), None)
        if code is not None:
            entries[code], room.end = flavour.store(handle, entries[code], values, room.end)
    for code, value in patches.items():
        old = entries.get(code)
        if old is not None and old.kind in (SHORT, LONG):
            entries[code], room.end = flavour.store(handle, old, [value] * old.count, room.end)
    if COMPRESSION in patches:
        # Removing tags shortens the directory, so that it still fits its place.
        entries = {code: entry for code, entry in entries.items() if code not in _JPEG_TAGS}
    handle.seek(page.offset)
    handle.write(flavour.pack(entries, page.following))


def _blocks(plane: np.ndarray, layout: Layout) -> Iterator[np.ndarray]:
    """Cut a page into strips or zero-padded tiles in the order of the file."""
    rows, columns = layout.chunk
    for sample in plane:
        for y in range(0, sample.shape[0], rows):
            for x in range(0, sample.shape[1], columns):
                block = sample[y : y + rows, x : x + columns]
                missing = (rows - block.shape[0], columns - block.shape[1])
                if layout.tiled and any(missing):
                    block = np.pad(block, [(0, missing[0]), (0, missing[1]), (0, 0)])
                yield np.ascontiguousarray(block)
