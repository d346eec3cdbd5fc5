"""What lies where in a Zarr folder: its images, their axes and reduced copies."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zspot.core.errors import FileError
from zspot.io.atomic import check_plain, sync
from zspot.io.ome_zarr.level import Level

_LARGEST_METADATA = 2**26  # bytes; more is no description of an image
_DEEPEST = 6  # plate, row, column, field, image, level


@dataclass(frozen=True)
class Picture:
    """An image of a store: its axes, letters as in `zspot.io`, and its sizes, largest first."""

    axes: str
    levels: tuple[Level, ...]


def pictures(root: Path, axes: str | None) -> list[Picture]:
    """Find the images of a store; labels are none."""
    found = [_picture(root, path, axes, listed) for path, listed in _search(root)]
    if not found:
        raise FileError(f"{root} holds no OME-Zarr image and is no Zarr array; check the folder")
    return found


def _search(root: Path) -> Iterator[tuple[Path, Mapping[str, Any] | None]]:
    """Yield the arrays and multiscale groups of a store with their description."""
    folders = [(root, 0)]
    while folders:
        folder, depth = folders.pop(0)
        kind, attributes = _node(folder)
        if kind == "array" and folder == root:
            yield folder, None
        if kind != "group":
            continue
        scales = attributes.get("ome", attributes).get("multiscales")
        if isinstance(scales, list) and scales and isinstance(scales[0], dict):
            yield folder, scales[0]
        elif depth < _DEEPEST:
            inner = (p for p in sorted(folder.iterdir()) if p.is_dir() and not p.is_symlink())
            folders += [(path, depth + 1) for path in inner if path.name != "labels"]


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
        raise FileError(
            f"{path} has {len(shape)} axes, of sizes {' x '.join(map(str, shape))}, "
            f"not {len(letters)} ({letters}); name them with --axes"
        )
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
    except (KeyError, TypeError):
        raise FileError(f"{path} is damaged: it does not list its images") from None
    inside = Path(os.path.realpath(root))
    for folder in folders:
        if inside not in Path(os.path.realpath(folder)).parents:
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
        reason = " ".join(str(error).split())[:200]
        raise FileError(f"{folder} cannot be opened ({reason}); copy the folder again") from error
    if bad:
        raise FileError(f"{folder}: the image has no pixels (its size is {array.shape})")
    return array


def _axes(path: Path, listed: Mapping[str, Any] | None, array: Any, count: int) -> str:
    """Return the letters of the axes as the store names them."""
    named = listed.get("axes") if listed is not None else None
    if listed is not None and named is None:  # OME-Zarr before version 0.3
        named = "tczyx"[-count:] if count == 5 else None
    if named is None:
        named = getattr(array.metadata, "dimension_names", None)
        named = named or array.attrs.get("_ARRAY_DIMENSIONS") or ["q"] * (count - 2) + ["y", "x"]
    try:
        names = [a["name"] if isinstance(a, dict) else a for a in named]
        letters = "".join(n[:1].upper() if n and n[:1] in "tzcyxTZCYX" else "Q" for n in names)
    except (TypeError, KeyError):
        raise FileError(f"{path} is damaged: its axes are no names; give --axes") from None
    if any(letters.count(letter) != 1 for letter in "YX"):
        raise FileError(f"{path} names its axes {names}; name them with --axes, such as TCZYX")
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
