"""New pixels in place of the old ones in a TIFF file, everything else kept byte for byte."""

import itertools
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from tifffile import TIFF

from zspot.core.errors import FileError
from zspot.io.checks import damaged
from zspot.io.tiff.ifd import LONG, LONG8, SHORT, SIZES, TOO_LARGE, Entry, Flavour, even

COMPRESSION = 259
_BITS, _PHOTOMETRIC, _FILL_ORDER, _PREDICTOR = 258, 262, 266, 317
_NODATA = 42113  # of GDAL, whose files may leave tiles out
_DEFLATE, _PACKBITS, _GREY, _RGB, _YCBCR = 8, 32773, 1, 2, 6

_LOSSLESS = (1, 5, _DEFLATE, _PACKBITS, 32946, 34925, 50000)  # also none, LZW, LZMA, Zstandard
_BLOCK = 2**24  # bytes copied at once
_OFFSETS, _COUNTS = (324, 273), (325, 279)  # of tiles, of strips
# JPEG tables and YCbCr sampling: wrong once the pixels are no longer coded as JPEG.
_JPEG_TAGS = (347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 530, 531, 532)

# The head of a cloud-optimised file says that tiles lie as it was written; not any more.
_EDITED = b"KNOWN_INCOMPATIBLE_EDITION=NO\n ", b"KNOWN_INCOMPATIBLE_EDITION=YES\n"

Pieces = Iterable[tuple[int, bytes]]  # offsets and bytes of what is not pixels


@dataclass(frozen=True)
class Coding:
    """How samples are stored."""

    dtype: np.dtype  # in the byte order of the file
    bits: int  # of a sample
    compression: int  # as the tag names it
    predictor: int  # as the tag names it
    patches: dict[int, int]  # tags whose values change in writing

    @property
    def whole_bytes(self) -> bool:
        """Whether samples are stored as the array holds them."""
        return self.bits == 8 * self.dtype.itemsize

    def encode(self, block: np.ndarray) -> bytes:
        """Code a strip or tile (rows, columns, samples)."""
        columns, samples = block.shape[1:]
        if not self.whole_bytes:
            packed = np.minimum(block, (1 << self.bits) - 1).ravel()
            raw = imagecodecs.packints_encode(packed, self.bits, runlen=columns * samples)
        elif self.predictor == 3:
            raw = imagecodecs.floatpred_encode(block.astype(self.dtype), axis=-2).tobytes()
        elif self.predictor == 2:
            raw = imagecodecs.delta_encode(block, axis=-2).astype(self.dtype).tobytes()
        else:
            raw = block.astype(self.dtype).tobytes()
        if self.compression == _PACKBITS:  # which must not run across rows
            rows = np.frombuffer(raw, np.uint8).reshape(block.shape[0], -1)
            return bytes(imagecodecs.packbits_encode(rows, axis=-1))
        return bytes(TIFF.COMPRESSORS[self.compression](bytes(raw)))


def coding_of(key: Any, order: str) -> tuple[Coding, list[str]]:
    """Choose how the pixels of a page are written; say what changes."""
    compression, predictor, patches, notes = int(key.compression), int(key.predictor), {}, []
    whole = 8 * key.dtype.itemsize
    if compression not in _LOSSLESS or predictor not in (1, 2, 3):
        name = getattr(key.compression, "name", str(key.compression))
        notes.append(f"{name} compression is replaced by lossless deflate; the file may grow.")
        compression, predictor = _DEFLATE, 1
        patches |= {COMPRESSION: _DEFLATE, _BITS: whole}
        if _PREDICTOR in key.tags:
            patches[_PREDICTOR] = 1
        if int(key.photometric) == _YCBCR:
            patches[_PHOTOMETRIC] = _RGB if key.samplesperpixel >= 3 else _GREY
    # A mixture of bits for each sample, such as RGB 565, is unpacked to whole bytes.
    if not isinstance(key.bitspersample, int) or key.dtype.kind == "f":
        patches[_BITS] = whole
    if _FILL_ORDER in key.tags:
        patches[_FILL_ORDER] = 1
    bits = patches.get(_BITS, key.bitspersample)
    return Coding(key.dtype.newbyteorder(order), bits, compression, predictor, patches), notes


@dataclass(frozen=True)
class Page:
    """Where one directory keeps its pixels, and its tags."""

    offset: int
    entries: dict[int, Entry]
    following: bytes  # pointer to the next directory
    segments: tuple[tuple[int, int], ...]  # (offset, count) of strips or tiles


@dataclass(frozen=True)
class Layout:
    """A TIFF file without the pixels of one series."""

    flavour: Flavour
    coding: Coding
    size: int  # bytes of the file
    holes: tuple[tuple[int, int], ...]  # (offset, count) of pixels, sorted
    pages: tuple[Page, ...]  # empty where the pixels are contiguous
    contiguous: int | None  # offset of all pixels, where they lie in one run
    shape: tuple[int, int, int, int]  # samples in planes, rows, columns, interleaved samples
    chunk: tuple[int, int]  # rows and columns of a strip or tile
    tiled: bool


def capture(path: Path, tif: Any, series: Any) -> tuple[Layout, list[str]]:
    """Return where an open file keeps the pixels of `series` and all else, and notes."""
    key = series.keyframe
    if key.imagedepth > 1:
        raise FileError(f"{path} is a rare kind of TIFF (volumetric tiles); convert it")
    coding, notes = coding_of(key, tif.byteorder)
    contiguous = series.dataoffset if coding.whole_bytes and key.compression == 1 else None
    flavour = Flavour(tif.byteorder, tif.is_bigtiff)
    pages: tuple[Page, ...] = ()
    if contiguous is None:
        pages = tuple(_page(path, tif, page, flavour, key) for page in series.pages)
        holes = sorted(segment for page in pages for segment in page.segments if segment[1])
        empty = sum(len(page.segments) for page in pages) - len(holes)
        notes += _gaps(path, holes, empty, sparse=_NODATA in key.tags)
    else:
        holes = [(contiguous, int(np.prod(series.shape, dtype=object)) * key.dtype.itemsize)]
    size = tif.filehandle.size
    if any(offset + count > size for offset, count in holes):
        raise FileError(f"{path} is truncated: its pixels end early; copy the file again")
    if holes and holes[0][0] < 8:  # they are sorted
        raise damaged(path, "its pixels overlap its header")
    separate, _, *shape = key.shaped  # rows, columns, samples
    strip = max(1, min(key.rowsperstrip, shape[0])), shape[1]
    chunk, tiled = (key.tilelength, key.tilewidth) if key.is_tiled else strip, bool(key.is_tiled)
    shape, gaps = (separate, *shape), tuple(holes)
    return Layout(flavour, coding, size, gaps, pages, contiguous, shape, chunk, tiled), notes


def _gaps(path: Path, holes: list[tuple[int, int]], empty: int, *, sparse: bool) -> list[str]:
    """Refuse strips or tiles much of which is shared or missing, and note less of it."""
    parts, notes = sorted(set(holes)), []
    shared = sum(max(0, a + n - b) for (a, n), (b, _) in itertools.pairwise(parts))
    if 100 * shared > sum(count for _, count in parts):
        raise damaged(path, "its strips or tiles overlap")
    if shared or len(parts) < len(holes):
        notes.append("Some strips or tiles of the TIFF file share their bytes: look at the result.")
    if empty > len(holes) and not sparse:
        raise FileError(f"{path} lacks the pixels of most of its strips or tiles; copy it again")
    if empty:
        notes.append(f"{empty} of {len(holes) + empty} strips or tiles of the TIFF file are empty.")
    return notes


def _page(path: Path, tif: Any, page: Any, flavour: Flavour, key: Any) -> Page:
    if page is None:
        raise damaged(path, "it has fewer planes than it says")
    entries, following = flavour.read(tif.filehandle, page.offset)
    segments = tuple(zip(map(int, page.dataoffsets), map(int, page.databytecounts), strict=False))
    if len(segments) < int(np.prod(key.chunked, dtype=object)):
        raise damaged(path, "it lists fewer strips or tiles than its size needs")
    return Page(page.offset, entries, following, segments)


def pieces_of(handle: Any, layout: Layout) -> Pieces:
    """Read what is not pixels in the open file, a block at a time; yield (offset, bytes)."""
    position = 0
    for offset, count in [*layout.holes, (layout.size, 0)]:
        for start in range(position, offset, _BLOCK):
            handle.seek(start)
            piece = handle.read(min(_BLOCK, offset - start))
            yield start, piece if start else piece.replace(*_EDITED)
        position = max(position, offset + count)


def rewrite(handle: BinaryIO, layout: Layout, pieces: Pieces, planes: Iterable[np.ndarray]) -> None:
    """Write the file around new pixels from its pieces as of `pieces_of`."""
    # The planes come as they were read: one for each page, or parts of contiguous pixels.
    for offset, piece in pieces:
        handle.seek(offset)
        handle.write(piece)
    if layout.contiguous is not None:
        handle.seek(layout.contiguous)
        for plane in planes:
            handle.write(np.ascontiguousarray(plane, dtype=layout.coding.dtype).data)
        return
    pages = _Pages(handle, layout)
    for page, plane in zip(layout.pages, planes, strict=True):
        pages.write(page, plane.reshape(layout.shape))


class _Pages:
    """Writes strips and tiles where the old ones were if they fit, else to the end of the file."""

    def __init__(self, handle: BinaryIO, layout: Layout) -> None:
        self._handle, self._layout, self._end = handle, layout, layout.size
        self._starts, self._used = [*(at for at, _ in layout.holes), 2**64], set[int]()

    def write(self, page: Page, plane: np.ndarray) -> None:
        """Write the pixels and the directory of a page."""
        coding = self._layout.coding
        places, counts = [list(column) for column in zip(*page.segments, strict=True)]
        for number, block in enumerate(_blocks(plane, self._layout)):
            coded = coding.encode(block)
            places[number] = self._place(len(coded), page.segments[number])
            counts[number] = len(coded)
            self._put(places[number], coded)
        entries = dict(page.entries)
        for codes, values in ((_OFFSETS, places), (_COUNTS, counts)):
            code = next((code for code in codes if code in entries), None)
            if code is not None:
                entries[code] = self._store(entries[code], values)
        for code, value in coding.patches.items():
            old = entries.get(code)
            if old is not None and old.kind in (SHORT, LONG):
                entries[code] = self._store(old, [value] * old.count)
        if COMPRESSION in coding.patches:
            # Removing tags shortens the directory, so that it still fits its place.
            entries = {code: entry for code, entry in entries.items() if code not in _JPEG_TAGS}
        self._put(page.offset, self._layout.flavour.pack(entries, page.following))

    def _put(self, place: int, raw: bytes) -> None:
        self._handle.seek(place)
        self._handle.write(raw)

    def _place(self, size: int, old: tuple[int, int]) -> int:
        """Return where to write `size` bytes in place of an old offset and count."""
        # Pages may share a strip until their pixels differ, and strips overlap: each has its own.
        end = self._starts[bisect_right(self._starts, old[0])]
        if old[0] in self._used or size > min(old[1], end - old[0]):
            return self._append(size)
        self._used.add(old[0])
        return old[0]

    def _append(self, size: int) -> int:
        start = even(self._end)
        self._end = start + size
        return start

    def _store(self, old: Entry, values: list[int]) -> Entry:
        """Store integers in place of old ones or at the end."""
        flavour, kind = self._layout.flavour, old.kind
        if max(values) >= 1 << 8 * SIZES[kind]:
            kind = LONG8 if flavour.big else LONG
            if max(values) >= 1 << 8 * SIZES[kind]:
                raise FileError(TOO_LARGE)
        raw = struct.pack(f"{flavour.order}{len(values)}{TIFF.DATA_FORMATS[kind][1]}", *values)
        if len(raw) <= flavour.inline:
            return Entry(kind, len(values), raw.ljust(flavour.inline, b"\0"))
        place = flavour.offset(old.field) if old.size >= len(raw) else self._append(len(raw))
        self._put(place, raw)
        return Entry(kind, len(values), flavour.pointer(place))


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
