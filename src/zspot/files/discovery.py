"""Which files a folder or a pattern names, and where their outputs go."""

import contextlib
import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zspot.core.errors import FileError
from zspot.io import SUFFIXES, is_store, output_name
from zspot.io.open import Name


@dataclass(frozen=True)
class Item:
    """One input of a run."""

    name: str  # relative to where the search began; also its key in the journal
    source: Path  # absolute
    target: Path  # absolute
    size: int  # bytes, at least 1; 1 for a Zarr folder and where the system does not say
    error: str = ""  # why it cannot be denoised, where that is known already


def is_many(source: Name) -> bool:
    """Say whether an input names a folder or a pattern and not one file."""
    path = Path(source)
    if path.exists():
        return path.is_dir() and not is_store(path)
    return glob.has_magic(os.fspath(path))


def find(source: Name, out: Path) -> tuple[tuple[Item, ...], int]:
    """Return the images of a folder with its sub-folders or of a pattern, and how many others.

    Links to folders are not followed, hidden files and the folder `out` are left out. What is named
    by a pattern, as in a shell or with `**`, is taken whatever its suffix: a wrong one is reported.
    """
    out = Path(os.path.realpath(out))
    pattern, parts = not Path(source).is_dir(), Path(source).parts
    first = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    base = Path(*parts[:first]) if pattern else Path(source)
    if Path(os.path.realpath(base)) == out:
        raise FileError(f"{out} holds the inputs; name another output folder")
    paths = base.glob(str(Path(source).relative_to(base))) if pattern else _walk(base)
    chosen, others = [], 0
    for path in paths:
        if path.name.startswith(".") or (pattern and path.is_dir() and not is_store(path)):
            continue
        if out in (real := Path(os.path.realpath(path.parent)), *real.parents):
            continue
        if pattern or path.suffix.lower() in SUFFIXES:
            chosen.append(path)
        else:
            others += 1
    if not chosen:
        raise FileError(f"{source}: there is no image; zspot takes {', '.join(sorted(SUFFIXES))}")
    return _items(sorted(chosen, key=lambda p: p.parts), base, out), others


def find_frames(source: Name | Sequence[Name], out: Path) -> tuple[tuple[Item, ...], int]:
    """Return what `find` returns, of a list of files, too, in natural order: 2 before 10."""
    if isinstance(source, (str, os.PathLike)):
        items, others = find(source, out)
    else:
        paths, others = [Path(path).absolute() for path in source], 0
        items = _items(paths, Path(os.path.commonpath([path.parent for path in paths])), out)

    def natural(item: Item) -> list[Any]:
        parts = re.split(r"(\d+)", item.name)
        return [int(part) if number % 2 else part for number, part in enumerate(parts)]

    return tuple(sorted(items, key=natural)), others


def _walk(folder: Path) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        raise FileError(f"{error.filename} cannot be read: no permission") from error

    for where, folders, names in os.walk(folder, onerror=unreadable):
        stores = [name for name in folders if is_store(Path(where, name))]
        folders[:] = [n for n in folders if n not in stores and not n.startswith(".")]
        yield from (Path(where, name) for name in (*stores, *names))


def _items(paths: list[Path], base: Path, out: Path) -> tuple[Item, ...]:
    items, taken = [], {}
    for path in paths:
        relative = path.relative_to(base)
        target = out / output_name(relative)
        other = taken.setdefault(target, relative)
        error = "" if other is relative else f"{path}: {other} has the same output, {target}"
        source, size = path.absolute(), 1  # not resolved: a link keeps its name
        with contextlib.suppress(OSError):
            size = 1 if path.is_dir() else max(1, path.stat().st_size)
        items.append(Item(str(relative), source, target, size, error))
    return tuple(items)
