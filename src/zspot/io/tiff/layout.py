"""Where a TIFF file keeps the pixels of a series, and everything else, byte for byte."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zspot.core.errors import FileError
from zspot.io.checks import check_density
from zspot.io.tiff.coding import DEFLATED, Coding, coding_of
from zspot.io.tiff.ifd import Entry, Flavour

_BLOCK = 2**24  # bytes copied at once


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
    ranges: tuple[tuple[int, int], ...]  # (offset, count) of what is not pixels
    pieces: tuple[tuple[int, bytes], ...]  # the same with its bytes; empty if they stay in the file
    pages: tuple[Page, ...]  # empty where the pixels are contiguous
    contiguous: int | None  # offset of all pixels, where they lie in one run
    shape: tuple[int, int, int, int]  # samples in planes, rows, columns, interleaved samples
    chunk: tuple[int, int]  # rows and columns of a strip or tile
    tiled: bool


def capture(
    path: Path, tif: Any, series: Any, *, in_memory: bool = True
) -> tuple[Layout, list[str]]:
    """Keep the open TIFF file but for the pixels of `series`; also return notes for the user.

    Without `in_memory` only places are kept, and `rewrite` copies from the source.
    """
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
    else:
        holes = [(contiguous, int(np.prod(series.shape, dtype=object)) * key.dtype.itemsize)]
    size = tif.filehandle.size
    _check_holes(path, holes, size)
    ranges = tuple(_ranges(holes, size))
    separate, _, rows, columns, samples = key.shaped
    strip = max(1, min(key.rowsperstrip, rows)), columns
    layout = Layout(
        flavour=flavour,
        coding=coding,
        size=size,
        pieces=tuple(pieces_of(tif.filehandle, ranges)) if in_memory else (),
        ranges=ranges,
        pages=pages,
        contiguous=contiguous,
        shape=(separate, rows, columns, samples),
        chunk=(key.tilelength, key.tilewidth) if key.is_tiled else strip,
        tiled=bool(key.is_tiled),
    )
    return layout, notes


def _check_holes(path: Path, holes: list[tuple[int, int]], size: int) -> None:
    if any(offset + count > size for offset, count in holes):
        raise FileError(f"{path} is truncated: its pixels end early; copy the file again")
    # Holes are sorted: the first is the only one that can reach into the file's header.
    if holes and holes[0][0] < 8:
        raise FileError(f"{path} is damaged: its pixels overlap its header; copy the file again")


def _page(path: Path, tif: Any, page: Any, flavour: Flavour, key: Any) -> Page:
    if page is None or page.parent is not tif:
        raise FileError(f"{path} is a part of a set of files; join them into one file first")
    entries, following = flavour.read(tif.filehandle, page.offset)
    segments = tuple(zip(map(int, page.dataoffsets), map(int, page.databytecounts), strict=False))
    if len(segments) < int(np.prod(key.chunked, dtype=object)):
        raise FileError(
            f"{path} is damaged: it lists fewer strips or tiles than its size needs; copy it again"
        )
    if int(key.compression) in DEFLATED and all(count for _, count in segments):
        stored = sum(count for _, count in segments)
        check_density(path, stored, int(np.prod(key.shape, dtype=object)) * key.dtype.itemsize)
    return Page(page.offset, entries, following, segments)


def _ranges(holes: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    position = 0
    for offset, count in [*holes, (size, 0)]:
        if offset > position:
            yield position, offset - position
        position = max(position, offset + count)


def pieces_of(handle: Any, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """Read ranges of a file, a block at a time."""
    for offset, count in ranges:
        for start in range(offset, offset + count, _BLOCK):
            handle.seek(start)
            yield start, handle.read(min(_BLOCK, offset + count - start))
