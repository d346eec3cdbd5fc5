"""Zarr folders, OME-Zarr v2 and v3 among them: their images, read and written block by block."""

import itertools
import json
import math
import os
import re
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

from zspot.core.errors import FileError, shown
from zspot.io.atomic import check_plain, sync
from zspot.io.checks import Limit, check_pixel_type, damaged, first_line, one_kind_of_error

_LARGEST_METADATA = 2**26  # bytes; more is no description of an image
_MOST = 2**20  # chunks of a plane, each of which takes its time
_DEEPEST = 6  # plate, row, column, field, image, level
_METADATA = frozenset({".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json"})
_BLOSC = struct.Struct("<BBBBIII")  # versions, flags, item size; bytes unpacked, of a part, packed
_ABSENT = 2**64 - 1
_PACKERS = ("blosc", "zstd", "gzip", "zlib", "bz2", "lzma", "lz4")


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

    @cached_property
    def _listed(self) -> dict[tuple[int, ...], list[tuple[int, ...]]]:
        """The chunks that are there, by block."""
        found: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
        for index in sorted(index for index in self.files.values() if index):
            if all(map(int.__lt__, index, self._grid)):
                found.setdefault(tuple(index[axis] for axis in self.leading), []).append(index)
        return found

    def blocks(self) -> list[tuple[int, ...]]:
        """Return the places of the blocks with any chunk; others hold one value everywhere."""
        return sorted(self._listed)

    def region(self, block: tuple[int, ...]) -> tuple[slice, ...]:
        """Return the part of the array that a block covers: a few planes, whole."""
        parts = [slice(0, size) for size in self.shape]
        for axis, place in zip(self.leading, block, strict=True):
            start = place * self.chunks[axis]
            parts[axis] = slice(start, min(start + self.chunks[axis], self.shape[axis]))
        return tuple(parts)

    def check(self, limit: Limit) -> None:
        """Refuse pixels that cannot be denoised and blocks too large to decode."""
        check_pixel_type(self.path, self.dtype)
        sizes = enumerate(self.shape)
        block = tuple(self.chunks[axis] if axis in self.leading else size for axis, size in sizes)
        if math.prod(n for axis, n in enumerate(self._grid) if axis not in self.leading) > _MOST:
            raise FileError(f"{self.path} is cut into more than {_MOST} chunks a plane; rechunk it")
        # A chunk is decoded whole, and may be larger than the image.
        for part in (block, self.chunks):
            limit.check(self.path, part, self.dtype.itemsize, math.prod(part) * self.dtype.itemsize)

    def read(self, block: tuple[int, ...], array: Any) -> np.ndarray:
        """Read a block of the open `array`; refuse chunks that do not fit or hold too little."""
        region, stored = self.region(block), 0
        for path in self._chunk_files(block, array):
            _check_chunk(path, array.metadata, self.chunks, self.dtype.itemsize)
            stored += path.stat().st_size
        shape = tuple(part.stop - part.start for part in region)
        Limit().check(self.path, shape, self.dtype.itemsize, stored)
        with one_kind_of_error(self.path):
            values = np.asarray(array[region])
        list(self._chunk_files(block, array))  # one that vanished meanwhile was read as nothing
        return values

    def plane(self, index: tuple[int, ...], array: Any) -> np.ndarray:
        """Read the plane at an index of the axes that count planes."""
        at = dict(zip(self.leading, index, strict=True))
        block = tuple(number // self.chunks[axis] for axis, number in at.items())
        place = tuple(at[a] % n if a in at else slice(None) for a, n in enumerate(self.chunks))
        return self.read(block, array)[place]

    def store(self, block: tuple[int, ...], array: Any, values: np.ndarray) -> None:
        """Write a block of the open `array`, in another copy of the store, onto the disk."""
        try:
            array[self.region(block)] = values
        except (OSError, MemoryError):
            raise
        except Exception as error:  # codecs raise what they like
            raise FileError(f"{_folder(array)} cannot be written ({first_line(error)})") from error
        places = dict(zip(self.leading, block, strict=True))
        cells = ([places[a]] if a in places else range(n) for a, n in enumerate(self._grid))
        for index in itertools.product(*cells):
            path = _chunk(array, index)
            if path.exists():  # a chunk of one value is not written
                sync(path)

    def reduced(self, block: tuple[int, ...], above: Any) -> np.ndarray:
        """Average the next larger copy, open as `above`, down to a block of this one."""
        starts, window = [], []
        for part, size, larger in zip(self.region(block), self.shape, above.shape, strict=True):
            edges = [i * larger // size for i in range(part.start, part.stop + 1)]
            starts.append(np.array(edges) - edges[0])
            window.append(slice(edges[0], edges[-1]))
        values = np.asarray(above[tuple(window)], dtype=np.float64)
        for axis, edges in enumerate(starts):
            if len(edges) - 1 == values.shape[axis]:
                continue
            sizes = np.diff(edges).reshape([-1 if a == axis else 1 for a in range(values.ndim)])
            values = np.add.reduceat(values, edges[:-1], axis=axis) / sizes
        return (np.rint(values) if self.dtype.kind in "iu" else values).astype(self.dtype)

    def _chunk_files(self, block: tuple[int, ...], array: Any) -> Iterator[Path]:
        for index in self._listed[block]:
            path = _chunk(array, index)
            if not path.exists():
                raise FileError(f"{path} vanished while the folder was read; run again")
            yield path


def _folder(array: Any) -> Path:
    return Path(array.store.root, array.path)


def _chunk(array: Any, index: tuple[int, ...]) -> Path:
    return _folder(array) / array.metadata.encode_chunk_key(index)


@dataclass(frozen=True)
class Picture:
    """An image of a store: its axes, letters as in `zspot.io`, and its sizes, largest first."""

    axes: str
    levels: tuple[Level, ...]


def pictures(root: Path, axes: str | None) -> list[Picture]:
    """Find the images of a store; labels are none."""
    found = [_picture(root, path, axes, listed) for path, listed in _search(root, 0)]
    if not found:
        raise FileError(f"{root} holds no OME-Zarr image and is no Zarr array; check the folder")
    return found


def _search(folder: Path, depth: int) -> Iterator[tuple[Path, Mapping[str, Any] | None]]:
    """Yield a store that is an array, or the multiscale groups in it with their description."""
    kind, attributes = _node(folder)
    if kind == "array" and depth == 0:
        yield folder, None
    if kind != "group":
        return
    inner = attributes.get("ome", attributes)
    scales = inner.get("multiscales") if isinstance(inner, dict) else None
    if isinstance(scales, list) and scales and isinstance(scales[0], dict):
        yield from ((folder, one) for one in scales if isinstance(one, dict))
    elif depth < _DEEPEST:
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not path.is_symlink() and path.name != "labels":
                yield from _search(path, depth + 1)


def _node(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return "array", "group" or "", and the attributes."""
    if (folder / "zarr.json").is_file():
        text = _json(folder / "zarr.json")
        attributes = text.get("attributes")
        return str(text.get("node_type")), attributes if isinstance(attributes, dict) else {}
    attributes = _json(folder / ".zattrs") if (folder / ".zattrs").is_file() else {}
    if (folder / ".zarray").is_file():
        return "array", attributes
    return ("group" if (folder / ".zgroup").is_file() else ""), attributes


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_METADATA:
            raise FileError(f"{path} is too large for a description of an image; check the folder")
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise FileError(f"{path} is damaged: it is not JSON; copy the folder again") from None
    if not isinstance(values, dict):
        raise FileError(f"{path} is damaged: it describes nothing; copy the folder again")
    return values


def _picture(root: Path, path: Path, axes: str | None, listed: Mapping[str, Any] | None) -> Picture:
    folders = [path] if listed is None else _levels(root, path, listed)
    arrays = [_array(folder) for folder in folders]
    shape = arrays[0].shape
    letters = axes or _axes(path, listed, arrays[0], len(shape))
    if len(letters) != len(shape):
        own = f"{path} has {len(shape)} axes, of sizes {' x '.join(map(str, shape))}"
        raise FileError(f"{own}, not {len(letters)} ({letters}); name them with --axes")
    leading = tuple(axis for axis, letter in enumerate(letters) if letter not in "YXS")
    levels = []
    for folder, array in zip(folders, arrays, strict=True):
        larger = levels[-1].shape if levels else array.shape
        if len(array.shape) != len(larger) or any(map(int.__gt__, array.shape, larger)):
            raise FileError(f"{folder} is no reduced copy: it is larger than the level before it")
        chunks = tuple(array.shards or array.chunks)
        name = "" if folder == root else str(folder.relative_to(root))
        levels.append(Level(name, folder, array.shape, chunks, np.dtype(array.dtype), leading))
    return Picture(letters, tuple(levels))


def _levels(root: Path, path: Path, listed: Mapping[str, Any]) -> list[Path]:
    try:
        names = [entry["path"] for entry in listed["datasets"]]
        folders = [Path(os.path.normpath(path / name)) for name in names]
        outside = [f for f in folders if Path(os.path.realpath(root)) not in f.resolve().parents]
    except (KeyError, TypeError, ValueError):
        raise FileError(f"{path} is damaged: it does not list its images") from None
    if outside:
        raise FileError(f"{path} is damaged: it lists an image outside of the store")
    if not folders or len(set(folders)) != len(folders):
        raise FileError(f"{path} is damaged: it lists no image, or one twice")
    return folders


def _array(folder: Path) -> Any:
    import zarr

    if not folder.is_dir():
        raise FileError(f"{folder} is listed but not there; copy the folder again")
    try:
        array = zarr.open_array(folder, mode="r")
        bad = any(size < 1 for size in (*array.shape, *(array.shards or array.chunks)))
    except MemoryError:
        raise
    except Exception as error:
        reason = first_line(error)
        raise FileError(f"{folder} cannot be opened ({reason}); copy the folder again") from error
    if bad:
        raise FileError(f"{folder}: the image has no pixels (its size is {array.shape})")
    return array


def _axes(path: Path, listed: Mapping[str, Any] | None, array: Any, count: int) -> str:
    """Return the letters of the axes as the store names them."""
    before = "tczyx" if count == 5 else None  # OME-Zarr before version 0.3
    named = None if listed is None else listed.get("axes", before)
    if named is None:
        named = getattr(array.metadata, "dimension_names", None)
        named = named or array.attrs.get("_ARRAY_DIMENSIONS") or ["q"] * (count - 2) + ["y", "x"]
    try:
        names = [a["name"] if isinstance(a, dict) else a for a in named]
        letters = "".join(n[:1].upper() if n and n[:1] in "tzcyxTZCYX" else "Q" for n in names)
    except (TypeError, KeyError):
        raise FileError(f"{path} is damaged: its axes are no names; give --axes") from None
    if any(letters.count(letter) != 1 for letter in "YX"):
        raise FileError(f"{path} names its axes {shown(names)}; give --axes, such as TCZYX")
    return letters


def copy_all_but_pixels(source: Path, new: Path, found: list[Picture]) -> None:
    """Copy a store byte for byte, without the chunks of the pictures found in it."""
    pixels = {path for picture in found for level in picture.levels for path in level.files}
    for folder, folders, names in os.walk(source):
        here = Path(folder)
        for name in (*folders, *names):
            if (here / name).is_symlink():
                raise FileError(f"{here / name} is a link; copy what it points to")
        there = new / here.relative_to(source)
        there.mkdir(parents=True, exist_ok=True)
        for name in names:
            check_plain(here / name)
            if here / name not in pixels:
                shutil.copyfile(here / name, there / name)
                sync(there / name)


def _check_chunk(path: Path, metadata: Any, shape: Sequence[int], size: int) -> None:
    """Refuse a chunk that unpacks to more than `shape` values of `size` bytes."""
    codecs = getattr(metadata, "codecs", None)
    if codecs is None:
        codecs = (*(metadata.filters or ()), metadata.compressor)
    with one_kind_of_error(path):
        if any(map(_name, codecs)) and not _fits(path.read_bytes(), codecs, math.prod(shape), size):
            raise damaged(path, "it does not unpack to its size")


def _name(codec: Any) -> str:
    kind = type(codec).__name__.lower()
    return next((name for name in (*_PACKERS, "sharding", "crc32c") if name in kind), "")


def _fits(content: bytes, codecs: Sequence[Any], values: int, size: int) -> bool:
    """Say whether bytes unpack to so many values, whose codecs come in the order of packing."""
    most = values * size
    for codec in reversed(codecs):
        name = _name(codec)
        if name == "sharding":
            return _shard_fits(content, codec, values, size)
        if name == "blosc":
            *_, unpacked, part, packed = _BLOSC.unpack(content[: _BLOSC.size])
            return packed == len(content) and unpacked <= most and part <= max(unpacked, 1)
        if name == "crc32c":
            content = content[:-4]
        elif name:
            options = {"header": True} if name == "lz4" else {}
            content = getattr(imagecodecs, f"{name}_decode")(content, out=most + 1, **options)
            if len(content) > most:
                return False
    return True


def _shard_fits(content: bytes, codec: Any, values: int, size: int) -> bool:
    """Say the same of each chunk in a shard, as its index lists them."""
    inside = math.prod(codec.chunk_shape)
    length = 16 * (values // inside)
    end = 4 * any(_name(each) == "crc32c" for each in codec.index_codecs)
    start = 0 if codec.index_location.value == "start" else len(content) - length - end
    index = np.frombuffer(content[start : start + length], "<u8").reshape(-1, 2).tolist()
    chunks = (content[at : at + count] for at, count in index if _ABSENT not in (at, count))
    return all(_fits(chunk, codec.codecs, inside, size) for chunk in chunks)
