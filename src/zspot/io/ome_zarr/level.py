"""One array of a Zarr folder, read and written block by block."""

import itertools
import math
import os
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zspot.core.errors import FileError
from zspot.io.atomic import sync
from zspot.io.checks import (
    MAX_PIXELS,
    check_header,
    check_pixel_type,
    first_line,
    one_kind_of_error,
)

_METADATA = frozenset({".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json"})
_BLOSC = struct.Struct("<BBBBIII")  # versions, flags, item size; bytes unpacked, of a part, packed


@dataclass(frozen=True)
class Level:
    """One array: an image, or a reduced copy of it."""

    name: str  # path inside the store, "" for a store that is an array
    path: Path
    shape: tuple[int, ...]
    chunks: tuple[int, ...]  # sizes of the chunks or shards that are files
    dtype: np.dtype
    leading: tuple[int, ...]  # numbers of the axes that count planes

    @property
    def _grid(self) -> tuple[int, ...]:
        """Numbers of chunks along the axes."""
        return tuple(-(-size // n) for size, n in zip(self.shape, self.chunks, strict=True))

    def open(self, mode: str, root: Path | None = None) -> Any:
        """Open the array, in another copy of the store if `root` is given."""
        import zarr

        return zarr.open_array(self.path if root is None else root / self.name, mode=mode)  # type: ignore[arg-type]

    @cached_property
    def files(self) -> dict[Path, tuple[int, ...]]:
        """The files that hold chunks, as first listed, and their places in the grid."""
        found = {}
        for folder, _, names in os.walk(self.path):
            for name in names:
                path = Path(folder, name)
                parts = re.split(r"[./\\]", str(path.relative_to(self.path)))
                parts = parts[1:] if parts[0] == "c" else parts
                if name not in _METADATA and all(part.isdecimal() for part in parts):
                    index = tuple(map(int, parts))
                    found[path] = index if len(index) == len(self.shape) else ()
        return found

    def blocks(self) -> list[tuple[int, ...]]:
        """Return the places of the blocks with any chunk, along the axes that count planes.

        A chunk that is not there holds one value everywhere and needs no work.
        """
        found = (index for index in self.files.values() if index)
        inside = (i for i in found if all(map(int.__lt__, i, self._grid)))
        return sorted({tuple(index[axis] for axis in self.leading) for index in inside})

    def region(self, block: tuple[int, ...]) -> tuple[slice, ...]:
        """Return the part of the array that a block covers: a few planes, whole."""
        parts = [slice(None)] * len(self.shape)
        for axis, place in zip(self.leading, block, strict=True):
            start = place * self.chunks[axis]
            parts[axis] = slice(start, min(start + self.chunks[axis], self.shape[axis]))
        return tuple(parts)

    def check(self) -> None:
        """Refuse pixels that cannot be denoised and blocks too large to decode."""
        check_pixel_type(self.path, self.dtype)
        check_header(self.path, self.shape, 2**63)
        sizes = enumerate(self.shape)
        block = tuple(self.chunks[axis] if axis in self.leading else size for axis, size in sizes)
        check_header(self.path, block, MAX_PIXELS)
        # A chunk is decoded whole, and may be larger than the image.
        check_header(self.path, self.chunks, MAX_PIXELS)

    def read(self, block: tuple[int, ...], array: Any) -> np.ndarray:
        """Read a block of the open `array`."""
        self._check_chunks(block, array)
        with one_kind_of_error(self.path):
            values = np.asarray(array[self.region(block)])
        for _ in self._chunk_files(block, array):  # one that vanished meanwhile was read as nothing
            pass
        return values

    def store(self, block: tuple[int, ...], array: Any, values: np.ndarray) -> None:
        """Write a block of the open `array`, in another copy of the store, onto the disk."""
        try:
            array[self.region(block)] = values
        except (OSError, MemoryError):
            raise
        except Exception as error:  # codecs raise what they like
            raise FileError(f"{_folder(array)} cannot be written ({first_line(error)})") from error
        for path in self._chunk_files(block, array):
            sync(path)

    def reduced(self, block: tuple[int, ...], above: Any) -> np.ndarray:
        """Average the next larger copy, open as `above`, down to a block of this one."""
        starts, window = [], []
        for part, size, larger in zip(self.region(block), self.shape, above.shape, strict=True):
            first, stop, _ = part.indices(size)
            edges = [i * larger // size for i in range(first, stop + 1)]
            starts.append(np.array(edges) - edges[0])
            window.append(slice(edges[0], edges[-1]))
        values = np.asarray(above[tuple(window)], dtype=np.float64)
        for axis, edges in enumerate(starts):
            if len(edges) - 1 == values.shape[axis]:
                continue
            sizes = np.diff(edges).reshape([-1 if a == axis else 1 for a in range(values.ndim)])
            values = np.add.reduceat(values, edges[:-1], axis=axis) / sizes
        return (np.rint(values) if self.dtype.kind in "iu" else values).astype(self.dtype)

    def _check_chunks(self, block: tuple[int, ...], array: Any) -> None:
        """Refuse chunks of a block whose Blosc header does not fit: Blosc believes it blindly."""
        metadata = array.metadata
        last = getattr(metadata, "compressor", None) or getattr(metadata, "codecs", (None,))[-1]
        if "Blosc" not in type(last).__name__:
            return
        most = math.prod(self.chunks) * self.dtype.itemsize
        for path in self._chunk_files(block, array):
            with path.open("rb") as handle:
                head = handle.read(_BLOSC.size)
            size = path.stat().st_size
            fits = len(head) == _BLOSC.size
            if fits:
                *_, unpacked, part, packed = _BLOSC.unpack(head)
                fits = packed == size and unpacked <= most and part <= max(unpacked, 1)
            if not fits:
                raise FileError(f"{path} is damaged: its header does not fit; copy it again")

    def _chunk_files(self, block: tuple[int, ...], array: Any) -> Iterator[Path]:
        cells: list[Sequence[int]] = [range(count) for count in self._grid]
        for axis, place in zip(self.leading, block, strict=True):
            cells[axis] = [place]
        for index in itertools.product(*cells):
            path = _folder(array) / array.metadata.encode_chunk_key(index)
            if path.exists():  # a chunk of one value is not written
                yield path
            elif path in self.files:
                raise FileError(f"{path} vanished while the folder was read; run again")


def _folder(array: Any) -> Path:
    return Path(array.store.root, array.path)
