"""Zarr folders (v2, v3), block by block with resume; they grow hidden beside the target."""

import contextlib
import itertools
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zspot._version import __version__
from zspot.api.stacks import Index
from zspot.core.axes import Place, iter_planes
from zspot.core.errors import FileError, os_reason
from zspot.files.journal import fingerprint
from zspot.files.planes import Notes, PlaneRunner, hints_on
from zspot.io.atomic import check_free, lock, sync_folder, taken
from zspot.io.checks import Limit
from zspot.io.ome_zarr import Picture, copy_all_but_pixels, pictures

_STORE, _OLD, _NOTED, _LOCK = "store", "old", "blocks.jsonl", "lock"
Block = tuple[int, ...]  # its number along each axis


def denoise_store(source: Path, target: Path, planes: PlaneRunner, overwrite: bool) -> Notes:
    """Denoise every image of a Zarr folder into another one; return notes for the user."""
    if target.is_symlink():  # and stays one
        target = target.resolve()
    try:
        _recover(target, overwrite)
        _check(source, target, overwrite)
        found = pictures(source, planes.options.axes)
        for picture in found:
            for level in picture.levels:
                level.check(Limit(memory=planes.options.max_memory))
        with _workplace(target) as place:
            before = fingerprint(source)
            job = {**planes.options.to_job(), "input": before}
            with contextlib.closing(_Noted(place / _NOTED, job)) as noted:
                if not (target.is_dir() and noted.has(*_identity(target))):
                    _grow(source, place / _STORE, found, planes, noted)
                    if fingerprint(source) != before:
                        raise FileError(f"{source} changed while it was read; run again")
                    noted.add(*_identity(place / _STORE))
                    _take_place(place, target, overwrite)
            _clear(place)
    except OSError as error:
        where = error.filename or f"{target} cannot be written"
        raise FileError(f"{where}: {os_reason(error)}") from error
    hints = tuple(hint for one in found for hint in hints_on(one.axes, one.levels[0].shape))
    reduced = any(len(picture.levels) > 1 for picture in found)
    return ("The reduced copies (pyramid levels) are made anew by averaging.",) * reduced + hints


def _grow(
    source: Path, new: Path, found: list[Picture], planes: PlaneRunner, noted: "_Noted"
) -> None:
    """Make the new store, or what an earlier run has left to do of it."""
    if noted.fresh:
        _clear(new.parent)
        copy_all_but_pixels(source, new, found)
        noted.begin()
    for path in new.rglob("*.partial"):  # chunks that a killed run was writing, under zarr's names
        if not (source / path.relative_to(new)).exists():
            path.unlink()
    blocks = ((picture, block) for picture in found for block in picture.levels[0].blocks())
    planes.count = sum(len(list(_places(*each))) for each in blocks)
    for picture in found:
        _denoise(picture, new, planes, noted)


def _check(source: Path, target: Path, overwrite: bool) -> None:
    if not source.is_dir():
        reason = "is not a Zarr folder" if source.exists() else "does not exist; check the name"
        raise FileError(f"{source} {reason}")
    if target.suffix.lower() != ".zarr" or source.suffix.lower() != ".zarr":
        raise FileError(f"{target}: from a Zarr folder to a Zarr folder; end both names in .zarr")
    real, inside = Path(os.path.realpath(target)), Path(os.path.realpath(source))
    if inside == real or inside in real.parents:
        raise FileError(f"{target} is inside the source; choose another folder")
    if os.path.lexists(target) and not (overwrite and target.is_dir()):
        raise taken(target)
    check_free(target, overwrite)


@contextlib.contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    """Hold the hidden folder in which the new store grows; it stays while a rerun could use it."""
    place = _place(target)
    place.mkdir(exist_ok=True)
    try:
        with lock(place / _LOCK, f"{target} is being written by another run; wait for its end"):
            try:
                yield place
            finally:
                noted = place / _NOTED  # of use to a rerun if it holds more than the job
                if not noted.exists() or noted.read_bytes().count(b"\n") < 2:
                    _clear(place)
    finally:
        with contextlib.suppress(OSError):
            place.rmdir()  # where it is empty


def _place(target: Path) -> Path:
    return target.with_name(f".{target.name}.zspot")


def _identity(store: Path) -> tuple[str, int, int]:
    """Return what tells a whole store from others, whatever it is called."""
    stat = store.stat()
    return _STORE, stat.st_ino, stat.st_mtime_ns


def _clear(place: Path) -> None:
    """Empty the hidden folder: what was replaced, what tells that the rest is of use, the rest."""
    shutil.rmtree(place / _OLD, ignore_errors=True)
    (place / _NOTED).unlink(missing_ok=True)
    shutil.rmtree(place / _STORE, ignore_errors=True)


def _recover(target: Path, overwrite: bool) -> None:
    """Put right what a run left that was killed between renamings or after them."""
    if not _place(target).is_dir():
        return
    with _workplace(target) as place:
        if not (place / _STORE).is_dir():  # it took its name, or was never begun
            if not (overwrite and target.exists()):
                _clear(place)
        elif (place / _OLD).is_dir() and not os.path.lexists(target):
            (place / _OLD).rename(target)


class _Noted:
    """Which blocks are done, for one job on one input."""

    def __init__(self, path: Path, job: dict[str, Any]) -> None:
        self._path = path
        self._head = json.dumps({"zspot": __version__, **job}, sort_keys=True).encode() + b"\n"
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        self.fresh = not lines or lines[0] != self._head
        self._done = set() if self.fresh else {line for line in lines[1:] if line.endswith(b"\n")}
        self._handle: Any = None if self.fresh else path.open("ab", buffering=0)

    def begin(self) -> None:
        """Start over: the copy of everything but the pixels is complete."""
        self._handle = self._path.open("wb", buffering=0)
        self._write(self._head)

    def has(self, *key: Any) -> bool:
        return self._line(key) in self._done

    def add(self, *key: Any) -> None:
        """Note that a block is on the disk."""
        self._write(self._line(key))

    def close(self) -> None:
        if self._handle is not None:
            self._handle.close()

    @staticmethod
    def _line(key: tuple[Any, ...]) -> bytes:
        return json.dumps(key).encode() + b"\n"

    def _write(self, line: bytes) -> None:
        self._handle.write(line)
        os.fsync(self._handle.fileno())


def _denoise(picture: Picture, new: Path, planes: PlaneRunner, noted: _Noted) -> None:
    """Denoise the full size of a picture, then make its reduced copies."""
    full = picture.levels[0]
    old, fresh = full.open("r"), full.open("r+", new)
    planes.nodata = told if isinstance(told := old.attrs.get("_FillValue"), int | float) else None
    planes.begin_stack(picture.axes, full.shape, lambda at: (full.plane(at, old), None))
    left = any(not noted.has(full.name, b) for b in full.blocks())
    for block in full.blocks():
        if not noted.has(full.name, block):
            data = full.read(block, old)
            values = np.empty_like(data)
            for place, index in _places(picture, block):
                values[place] = planes(data[place], index)
            full.store(block, fresh, values)
            noted.add(full.name, block)
            continue
        for _, index in _places(picture, block):
            if left and planes.needs_first(index):  # which planes that are left start from
                planes(full.plane(index, old), index)
            else:
                planes.skip(1)
    for above, level in itertools.pairwise(picture.levels):
        larger, fresh = above.open("r", new), level.open("r+", new)
        for block in level.blocks():
            if not noted.has(level.name, block):
                level.store(block, fresh, level.reduced(block, larger))
                noted.add(level.name, block)


def _places(picture: Picture, block: Block) -> Iterator[tuple[Place, Index]]:
    """Yield the place of each plane inside a block, and its index in the picture."""
    region = picture.levels[0].region(block)
    for place in iter_planes([part.stop - part.start for part in region], picture.axes):
        pairs = zip(place, region, strict=True)
        yield place, tuple(at + part.start for at, part in pairs if isinstance(at, int))


def _take_place(place: Path, target: Path, overwrite: bool) -> None:
    if os.path.lexists(target):
        if not overwrite:
            raise taken(target)
        shutil.rmtree(place / _OLD, ignore_errors=True)
        target.rename(place / _OLD)
    (place / _STORE).rename(target)
    sync_folder(target.parent)
