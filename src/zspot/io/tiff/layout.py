"""Writing new pixels into the TIFF file they came from, keeping everything else byte for byte.

`capture` keeps a file without its pixels; `rewrite` puts the file back with other pixels. Tags,
descriptions, OME-XML, ImageJ and EXIF blocks, further images and private data need no
understanding that way. Uncompressed strips and tiles go where the old ones were. Compressed ones
fill the room of all old ones; what does not fit goes to the end of the file, and the tags that say
where they lie are updated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np

from zspot.core.errors import FileError
from zspot.io.checks import check_density
from zspot.io.tiff.ifd import LONG, SHORT, Entry, Flavour, even

_BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _PREDICTOR = 258, 259, 262, 266, 317
_OFFSETS, _COUNTS = (324, 273), (325, 279)
_DEFLATE, _GREY, _RGB, _YCBCR = 8, 1, 2, 6
_JPEG = (6, 7)
# JPEG tables and YCbCr sampling: wrong once the pixels are no longer coded as JPEG.
_JPEG_TAGS = (347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 530, 531, 532)

_ENCODERS: dict[int, Callable[[bytes], Any]] = {
    1: bytes,
    5: imagecodecs.lzw_encode,
    # libdeflate: the same format as zlib, smaller and several times faster.
    _DEFLATE: imagecodecs.deflate_encode,
    32946: imagecodecs.deflate_encode,
    50000: imagecodecs.zstd_encode,
    34925: lambda raw: imagecodecs.lzma_encode(raw),
}
_PACKBITS = 32773
_DEFLATED = (1, _DEFLATE, 32946, _PACKBITS)  # nothing here is denser than deflate
_BLOCK = 2**24  # bytes copied at once


@dataclass(frozen=True)
class Page:
    """Where one directory keeps its pixels, and its tags."""

    offset: int
    entries: dict[int, Entry]
    following: bytes
    segments: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Layout:
    """A TIFF file without the pixels of one series.

    `shape` is (samples in planes, rows, columns, interleaved samples) of each page, `chunk` the
    rows and columns of a strip or tile. `ranges` has the (offset, count) of what is not pixels,
    `pieces` the same with the bytes, unless they stay in the file. `contiguous` is set where all
    pixels lie in one run.
    """

    flavour: Flavour
    size: int
    pieces: tuple[tuple[int, bytes], ...]
    ranges: tuple[tuple[int, int], ...]
    pages: tuple[Page, ...]
    contiguous: int | None
    shape: tuple[int, int, int, int]
    chunk: tuple[int, int]
    tiled: bool
    dtype: np.dtype
    bits: int
    compression: int
    predictor: int
    patches: dict[int, int]


def capture(
    path: Path, tif: Any, series: Any, *, in_memory: bool = True
) -> tuple[Layout, list[str]]:
    """Keep the open TIFF file but for the pixels of `series`; also return notes for the user.

    Without `in_memory` only places are kept, and `rewrite` copies from the source.
    """
    key = series.keyframe
    if key.imagedepth > 1 or tif.is_ndpi:
        raise FileError(f"{path} is a rare kind of TIFF (volumetric tiles, NDPI); convert it")
    compression, predictor, patches, notes = _plan(key)
    # A mixture of bits for each sample, such as RGB 565, is unpacked to whole bytes.
    bits = key.bitspersample if isinstance(key.bitspersample, int) else 8 * key.dtype.itemsize
    bits = patches.get(_BITS, bits)
    contiguous = series.dataoffset if bits == 8 * key.dtype.itemsize else None
    contiguous = None if key.compression != 1 else contiguous
    flavour = Flavour(tif.byteorder, tif.is_bigtiff)
    size = tif.filehandle.size
    pages: tuple[Page, ...] = ()
    if contiguous is None:
        pages = tuple(_page(path, tif, page, flavour, key) for page in series.pages)
        holes = sorted(segment for page in pages for segment in page.segments if segment[1])
    else:
        holes = [(contiguous, int(np.prod(series.shape, dtype=object)) * key.dtype.itemsize)]
    if any(offset + count > size for offset, count in holes):
        raise FileError(f"{path} is truncated: its pixels end early; copy the file again")
    # Holes are sorted: the first is the only one that can reach into the file's header.
    if holes and holes[0][0] < 8:
        raise FileError(f"{path} is damaged: its pixels overlap its header; copy the file again")
    separate, _, rows, columns, samples = key.shaped
    ranges = tuple(_ranges(holes, size))
    tile = (key.tilelength, key.tilewidth) if key.is_tiled else None
    layout = Layout(
        flavour,
        size,
        tuple(_pieces(tif.filehandle, ranges)) if in_memory else (),
        ranges,
        pages,
        contiguous,
        (separate, rows, columns, samples),
        tile or (max(1, min(key.rowsperstrip, rows)), columns),
        tile is not None,
        key.dtype.newbyteorder(tif.byteorder),
        bits,
        compression,
        predictor,
        patches,
    )
    return layout, notes


def _plan(key: Any) -> tuple[int, int, dict[int, int], list[str]]:
    """Choose compression and predictor; list the tags that change, and say what changes."""
    compression, predictor, patches, notes = int(key.compression), int(key.predictor), {}, []
    if compression not in (*_ENCODERS, _PACKBITS) or predictor not in (1, 2, 3):
        name = getattr(key.compression, "name", str(key.compression))
        notes.append(f"{name} compression is replaced by lossless deflate; the file may grow.")
        compression, predictor = _DEFLATE, 1
        patches |= {_COMPRESSION: _DEFLATE, _BITS: 8 * key.dtype.itemsize}
        if _PREDICTOR in key.tags:
            patches[_PREDICTOR] = 1
        if int(key.photometric) == _YCBCR:
            patches[_PHOTOMETRIC] = _RGB if key.samplesperpixel >= 3 else _GREY
    if not isinstance(key.bitspersample, int) or key.dtype.kind == "f":
        patches[_BITS] = 8 * key.dtype.itemsize
    elif key.bitspersample % 8 and _BITS not in patches and not _can_pack():
        notes.append(f"The {key.bitspersample}-bit values are written as 16-bit numbers.")
        patches[_BITS] = 8 * key.dtype.itemsize
    if _FILL_ORDER in key.tags:
        patches[_FILL_ORDER] = 1
    return compression, predictor, patches, notes


def _can_pack() -> bool:
    try:
        imagecodecs.packints_encode(np.zeros(2, np.uint16), 12, runlen=2)
    except (NotImplementedError, AttributeError):  # older imagecodecs only unpack
        return False
    return True


def _page(path: Path, tif: Any, page: Any, flavour: Flavour, key: Any) -> Page:
    if page is None or page.parent is not tif:
        raise FileError(f"{path} is a part of a set of files; join them into one file first")
    entries, following = flavour.read(tif.filehandle, page.offset)
    segments = tuple(zip(map(int, page.dataoffsets), map(int, page.databytecounts), strict=False))
    if len(segments) < int(np.prod(key.chunked, dtype=object)):
        raise FileError(
            f"{path} is damaged: it lists fewer strips or tiles than its size needs; copy it again"
        )
    if int(key.compression) in _DEFLATED and all(count for _, count in segments):
        stored = sum(count for _, count in segments)
        check_density(path, stored, int(np.prod(key.shape, dtype=object)) * key.dtype.itemsize)
    return Page(page.offset, entries, following, segments)


def _ranges(holes: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    position = 0
    for offset, count in [*holes, (size, 0)]:
        if offset > position:
            yield position, offset - position
        position = max(position, offset + count)


def _pieces(handle: Any, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    for offset, count in ranges:
        for start in range(offset, offset + count, _BLOCK):
            handle.seek(start)
            yield start, handle.read(min(_BLOCK, offset + count - start))


def rewrite(
    handle: BinaryIO, layout: Layout, planes: Iterable[np.ndarray], source: Any = None
) -> None:
    """Write the file around new pixels.

    Parameters
    ----------
    handle : file object
        Open for writing, empty.
    layout : Layout
    planes : iterable of ndarray
        Parts of the pixels, all samples included, in the order in which they were read: one for
        each page, or any parts that follow each other where the pixels are contiguous.
    source : file object, optional
        What was captured, where it was not kept in memory.
    """
    pieces = layout.pieces if source is None else _pieces(source, layout.ranges)
    for offset, piece in pieces:
        handle.seek(offset)
        handle.write(piece)
    if layout.contiguous is not None:
        place = layout.contiguous
        for plane in planes:
            handle.seek(place)
            place += handle.write(np.ascontiguousarray(plane, dtype=layout.dtype).data)
        return
    room = _Room(layout)
    for page, plane in zip(layout.pages, planes, strict=True):
        _write_page(handle, layout, page, plane.reshape(layout.shape), room)


class _Room:
    """Places for strips and tiles: the gaps that the old ones left, then the end of the file."""

    # Gaps tried before the fullest one is given up; more would only save a few bytes.
    _TRIED = 8

    def __init__(self, layout: Layout):
        self.end = layout.size
        self._fixed = layout.compression == 1
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
        for gap in self._gaps[: self._TRIED]:
            if gap[1] - gap[0] >= size:
                gap[0] += size
                return gap[0] - size
        if len(self._gaps) >= self._TRIED:
            self._gaps.remove(min(self._gaps[: self._TRIED], key=lambda gap: gap[1] - gap[0]))
        return self._append(size)

    def _append(self, size: int) -> int:
        start = even(self.end)
        self.end = start + size
        return start


def _write_page(
    handle: BinaryIO, layout: Layout, page: Page, plane: np.ndarray, room: _Room
) -> None:
    places, counts = [list(column) for column in zip(*page.segments, strict=True)]
    for number, block in enumerate(_blocks(plane, layout)):
        if number >= len(places):
            raise FileError("the TIFF source lists fewer strips or tiles than its size needs")
        coded = _encode(block, layout)
        places[number] = room.place(len(coded), page.segments[number])
        counts[number] = len(coded)
        handle.seek(places[number])
        handle.write(coded)
    entries = dict(page.entries)
    for codes, values in ((_OFFSETS, places), (_COUNTS, counts)):
        code = next((code for code in codes if code in entries), None)
        if code is not None:
            stored = layout.flavour.store_integers(handle, entries[code], values, room.end)
            entries[code], room.end = stored
    room.end = _write_tags(handle, layout, page, entries, room.end)


def _write_tags(
    handle: BinaryIO, layout: Layout, page: Page, entries: dict[int, Entry], end: int
) -> int:
    for code, value in layout.patches.items():
        old = entries.get(code)
        if old is None and code != _BITS:
            continue
        values = [value] * (old.count if old else 1)
        if old is None or old.kind not in (SHORT, LONG):
            continue
        entries[code], end = layout.flavour.store_integers(handle, old, values, end)
    if layout.patches.get(_COMPRESSION):
        # Removing tags shortens the directory, so that it still fits its place.
        entries = {code: entry for code, entry in entries.items() if code not in _JPEG_TAGS}
    handle.seek(page.offset)
    handle.write(layout.flavour.pack(entries, page.following))
    return end


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


def _encode(block: np.ndarray, layout: Layout) -> bytes:
    columns, samples = block.shape[1:]
    if layout.bits != 8 * block.itemsize:
        largest = (1 << layout.bits) - 1
        packed = np.minimum(block, largest).ravel()
        raw = imagecodecs.packints_encode(packed, layout.bits, runlen=columns * samples)
    elif layout.predictor == 3:
        raw = imagecodecs.floatpred_encode(block.astype(layout.dtype), axis=-2).tobytes()
    elif layout.predictor == 2:
        raw = imagecodecs.delta_encode(block, axis=-2).astype(layout.dtype).tobytes()
    else:
        raw = block.astype(layout.dtype).tobytes()
    if layout.compression == _PACKBITS:
        # PackBits must not run across rows.
        size = len(raw) // block.shape[0]
        lines = (raw[i : i + size] for i in range(0, len(raw), size))
        return b"".join(bytes(imagecodecs.packbits_encode(line)) for line in lines)
    return bytes(_ENCODERS[layout.compression](bytes(raw)))
