"""Frames of one scene in files of their own: a sequence is denoised as a stack, a burst to one."""

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch

from zspot.api import Result
from zspot.api.requests import MOST_NEIGHBOURS, lists
from zspot.api.stacks import Index
from zspot.core.axes import PLANE
from zspot.core.errors import FileError, OptionError, ZspotError, error_in_words
from zspot.core.progress import Report
from zspot.files.discovery import Item, find_frames
from zspot.files.file import with_fractions
from zspot.files.folder import Outcome, Run, Summary, done
from zspot.files.journal import Journal, fingerprint
from zspot.files.options import Keywords, ManyKeywords, Options
from zspot.files.planes import Notes, PlaneRunner
from zspot.io import ImageFile, check_target, read, write
from zspot.io.open import Name, notes_on
from zspot.recipe import Recipe


@lists(Options, ManyKeywords)
def denoise_sequence(
    source: Name | Sequence[Name],
    out: Name,
    method: str | Recipe = "auto",
    *,
    overwrite: bool = False,
    progress: Report | None = None,
    ended: Callable[[Outcome], None] | None = None,
    **options: Unpack[ManyKeywords],
) -> Summary:
    """Denoise files of one plane each as the planes of one stack, which help each other.

    They are taken in natural order (2 before 10), of a folder, a pattern or a list; what cannot be
    read is reported and left out of the stack. `neighbours` is "auto" where it is 0. Everything
    else, the journal and the rerun too, is as in `zspot.denoise_many`.
    """
    asked = Options(method, **{**options, "neighbours": options.get("neighbours") or "auto"})
    asked, out = asked.checked(), Path(out).absolute()
    items, others = find_frames(source, out)
    with Journal(out) as journal:
        run = _Sequence(items, asked, journal, overwrite, progress, ended)
        run.go(None, None)
    return Summary(tuple(run.outcomes[i] for i in sorted(run.outcomes)), others)


@lists(Options, Keywords)
def denoise_burst(
    source: Name | Sequence[Name],
    target: Name,
    method: str | Recipe = "auto",
    *,
    overwrite: bool = False,
    progress: Report | None = None,
    **options: Unpack[Keywords],
) -> tuple[Result, Notes]:
    """Denoise the middle frame of a burst with the help of up to 16 others to each side.

    Returns the result and what the user should know. What moves is followed; parts that are found
    in no other frame are as if denoised alone. `source` is as in `denoise_sequence`.
    """
    target, many = Path(target), options.get("neighbours") or MOST_NEIGHBOURS
    asked = Options(method, **{**options, "neighbours": many}).checked()
    items, _ = find_frames(source, target.with_suffix(".none"))
    frames = _Frames([item.source for item in items], asked, progress)
    path = frames.paths[len(frames.paths) // 2]
    image = frames.read(path)
    check_target(target, overwrite, image)
    frames.runner.count = 1
    result = frames.denoise(path)
    write(target, image.replace(asked.blend(result)), overwrite=overwrite)
    which = f"The picture is {path.name}, cleaner by what {len(frames.paths) - 1} others show."
    notes = notes_on(image, target, anew=asked.dtype == "float32")
    return result, (which, *frames.wrong.values(), *notes)


class _Frames:
    """Files that are the planes of one stack; those that cannot be are `wrong`, and why."""

    def __init__(self, paths: list[Path], options: Options, progress: Report | None) -> None:
        self.paths: list[Path] = []
        self.wrong: dict[Path, str] = {}
        exact = options.dtype == "float32"
        self.read = lru_cache(4)(partial(self._read, options.max_memory, exact))
        for path in paths:
            try:
                self.read(path)
                self.paths.append(path)
            except ZspotError as error:
                self.wrong[path] = str(error)
        if len(self.paths) < 2:
            why = "; ".join(self.wrong.values()) or "one file is no sequence"
            raise OptionError(f"{why}: give two frames or more")
        first = self.read(self.paths[0])
        self.runner = PlaneRunner(options, "", progress)
        self.runner.begin_stack(f"T{first.axes}", (len(self.paths), *first.data.shape), self._load)
        self.runner.count = len(self.paths)

    def _read(self, most: int | str | None, floats: bool, path: Path) -> ImageFile:
        image = read(path, max_memory=most)
        image = with_fractions(image) if floats else image
        if not {*image.axes} <= {*PLANE}:
            raise FileError(f"{path} holds several planes, and a frame has one: denoise it alone")
        first = self.read(self.paths[0]) if self.paths and path != self.paths[0] else image
        if (image.axes, image.data.shape) != (first.axes, first.data.shape):
            sizes = [" x ".join(map(str, one.data.shape)) for one in (image, first)]
            raise FileError(f"{path} is {sizes[0]} ({image.axes}), the first frame {sizes[1]}")
        return image

    def _load(self, index: Index) -> tuple[np.ndarray, np.ndarray | None]:
        image = self.read(self.paths[index[0]])
        return image.data, image.valid_at((slice(None),) * image.data.ndim)

    def denoise(self, path: Path) -> Result:
        """Return the result of a frame with the help of those beside it."""
        index = (self.paths.index(path),)
        plane, valid = self._load(index)
        return self.runner.run(plane, index, valid=valid)


class _Sequence(Run):
    """The state of a run over frames."""

    def go(self, scheduler: str | None, workers: int | None) -> None:
        """Work through all frames, one after another."""
        self._hashed = lru_cache(None)(fingerprint)  # a frame is one of those beside several
        waiting = list(self._to_do())
        if not waiting:
            return
        torch.set_num_threads(self.options.threads)
        frames = _Frames([item.source for item in self.items], self.options, self.progress)
        frames.runner.skip(len(self.items) - len(waiting))
        self.progress = None  # the runner tells it
        for number, mark in waiting:
            item = self.items[number]
            self._note(item, "started", mark)
            state, details = self._denoise(frames, item)
            self._settle(number, state, mark, **details)

    def _denoise(self, frames: _Frames, item: Item) -> tuple[str, dict[str, Any]]:
        if item.source in frames.wrong:
            return "failed", {"error": frames.wrong[item.source]}
        try:
            image = frames.read(item.source)
            item.target.parent.mkdir(parents=True, exist_ok=True)
            check_target(item.target, True, image)
            result = frames.denoise(item.source)
            write(item.target, image.replace(self.options.blend(result)), overwrite=True)
            notes = notes_on(image, item.target, anew=self.options.dtype == "float32")
            return done(item, result, notes, result.timings["total"])
        except (ZspotError, OSError) as error:
            return "failed", {"error": error_in_words(error)}

    def _fingerprint(self, item: Item) -> str:
        """Tell whether a frame or one of those that help it has changed."""
        count, at = self.options.count, self.items.index(item)
        near = self.items[max(0, at - count) : at + count + 1]
        marks = ",".join(self._hashed(one.source) for one in near)
        return f"frames:{hashlib.sha256(marks.encode()).hexdigest()}"
