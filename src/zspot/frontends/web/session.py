"""What one visitor has open: files and their results. Knows nothing of gradio."""

import contextlib
import math
import os
import secrets
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch

from zspot.api import Result
from zspot.api.requests import needs_second
from zspot.core.axes import Place, iter_planes
from zspot.core.errors import FileError, OptionError, ZspotError
from zspot.core.progress import Progress, Report, within
from zspot.files import Options, PlaneRunner
from zspot.files.file import check_count, first_plane, read_second
from zspot.frontends.job import Job
from zspot.io import ImageFile, output_name, read, write
from zspot.noise import NoiseReport, analyze_noise
from zspot.recipe import Recipe

MOST_COUNTED = 3  # axes that have a slider of their own
_NAMES = {"T": "Time", "Z": "Depth", "C": "Channel", "Q": "Plane of the stack"}
_PATIENCE = 10.0  # seconds that a run may take to notice that it was cancelled
_TRIES = 100  # in that time, to find out that a page was left
AWAY_SECONDS = 15.0  # that a page may take to load again before its files are removed
IDLE_SECONDS = 3600.0  # until files of a visitor who left without a word (curl does) are removed
Part = tuple[int, str] | None  # the number of a plane, and which part of it; None: all is meant


@dataclass(eq=False)
class Opened:
    """A file that is open, and its result."""

    path: Path
    source: ImageFile  # as read
    noise: NoiseReport  # of the first plane
    axes: str  # those of the file, or as the last run was asked for
    results: list[Result] = field(default_factory=list)  # of each plane, once it was denoised
    earlier: list[Result] = field(default_factory=list)  # of the run before
    strength: float = 1.0
    keep_detail: float = 0.0
    written: Path | None = None  # the file with the result

    @property
    def image(self) -> ImageFile:
        """What is in the file, by its axes."""
        return self.source.named(self.axes)

    @property
    def places(self) -> list[Place]:
        """The place of every plane."""
        return list(iter_planes(self.image.data.shape, self.axes))

    @property
    def counted(self) -> list[tuple[str, int]]:
        """Name and size of the axes that count planes; of many the first ones as one."""
        sizes = zip(self.axes, self.image.data.shape, strict=True)
        named = [(_NAMES[a], size) for a, size in sizes if a in _NAMES and size > 1]
        while len(named) > MOST_COUNTED:
            (first, many), (second, more), *rest = named
            named = [(f"{first} and {second}", many * more), *rest]
        return named

    @property
    def pixels(self) -> int:
        """How many there are in a plane."""
        sizes = dict(zip(self.axes, self.source.data.shape, strict=True))
        return sizes["Y"] * sizes["X"]

    @property
    def seconds(self) -> float:
        """How long all planes took."""
        return sum(result.timings["total"] for result in self.results)

    def renew(self, results: list[Result], axes: str) -> None:
        """Take the results of a run in place of those of the run before."""
        self.earlier = self.results if axes == self.axes else []
        self.results, self.axes = results, axes
        self.strength, self.keep_detail, self.written = 1.0, 0.0, None

    def blended(self, number: int) -> Result:
        """Return the result of a plane at the strength that is wanted."""
        result = self.results[number]
        if (self.strength, self.keep_detail) == (1, 0):
            return result  # with the verdict that is known of it
        return replace(result, image=result.blend(self.strength, self.keep_detail))

    def write(self) -> Path:
        """Write the result at that strength, without running anything again."""
        out = self.image.data.copy()
        for number, place in enumerate(self.places):
            out[place] = self.blended(number).image
        self.written = output_name(self.path, "-denoised")
        write(self.written, self.source.replace(out), overwrite=True)
        return self.written


class Session:
    """One visitor's files and results, in a folder of its own; `threads` says how many to use."""

    def __init__(self, folder: Path, max_pixels: int, threads: Callable[[], int]) -> None:
        folder.mkdir(mode=0o700)
        self.folder = folder
        self.uploads: dict[Path, int] = {}  # where gradio put what was sent, and when
        self.used = time.monotonic()
        self.kept = IDLE_SECONDS  # from then on
        self.files: list[Opened] = []  # first those opened last, then what was denoised before
        self.new: list[Opened] = []  # those opened last
        self.running: list[Opened] = []  # those that are denoised, or were last
        self.done = 0  # how many of them
        self.doing = ""  # the name of the file that is denoised, where there are several
        self.at: int | None = None  # which of `files` is looked at
        self.job: Job[None] | None = None
        self._max_pixels, self._threads = max_pixels, threads

    @property
    def current(self) -> Opened:
        """The file that is looked at."""
        assert self.at is not None
        return self.files[self.at]

    def open(self, paths: Sequence[Path]) -> list[str]:
        """Take files over; return what is wrong with those that cannot be read."""
        self.cancel()
        self.job, self.new = None, []
        wrong, left = [], self._max_pixels
        for path in paths:
            try:
                self.new.append(self._opened(path, left))
                left -= self.new[-1].source.data.size
            except ZspotError as error:
                wrong.append(str(error))
        # of earlier results as many as there is room for, the newest first
        before = [one for one in self.files if one.results]
        sizes = accumulate(one.source.data.size for one in before)
        self.files = self.new + [o for o, size in zip(before, sizes, strict=True) if size <= left]
        self.at = 0 if self.new else None
        return wrong

    def _cut(self, number: int, window: str) -> Opened:
        """Return a part of a plane of the file that is looked at as a file of its own."""
        one = self.current
        try:
            part = replace(one.image, axes=one.axes).part(one.places[number], window)
        except ValueError as error:
            raise OptionError(f"the part cannot be tried: {error}") from None
        path = self.folder / f"{one.path.stem}, part {window}.tif"
        write(path, part, overwrite=True)
        return self._opened(path, self._max_pixels)

    def take(self, path: Path) -> None:
        """Note an upload, to remove it at the end unless it is sent anew by somebody else."""
        with contextlib.suppress(OSError):  # what is not there is told by who reads it
            if path.is_file():
                self.uploads[path] = path.stat().st_mtime_ns

    def _opened(self, path: Path, max_pixels: int) -> Opened:
        """Read a file and measure the noise of its first plane; errors name it alone."""
        # A folder of its own: two uploads may have one name, and results lie beside it.
        inside = self.folder / secrets.token_hex(8)
        inside.mkdir()
        source = inside / path.name
        self.take(path)
        shutil.copyfile(path, source)
        try:
            image = read(source, max_pixels=max_pixels)
        except FileError as error:
            raise FileError(str(error).replace(str(source), path.name)) from None
        plane, axis, valid, _ = first_plane(image)
        noise = analyze_noise(plane, channel_axis=axis, mask=valid)
        return Opened(source, image, noise, image.axes)

    def prepare(
        self, options: Options, recipe: str | None, second: str | None = None, part: Part = None
    ) -> None:
        """Set up the run (of the files opened last, or a part of a plane) that `run` starts."""
        if recipe:
            self.take(Path(recipe))
            options = replace(options, method=Recipe.load(recipe))
        options.checked()
        self.running, self.done = self.new, 0
        if part is not None:
            self.running = [self._cut(*part)]
            options = replace(options, axes=None, neighbours=0)
        for one in self.running:
            check_count(options.axes, Path(one.path.name), one.source.data.shape, one.source.axes)
        other = self._second(second) if second and needs_second(options.method) else None
        self.job = Job(lambda report: self._denoise(options, other, report))

    def _second(self, name: str) -> np.ndarray:
        """Read the second image for a method that needs one; errors name the file alone."""
        self.take(Path(name))
        if self.running is not self.new or self.running[1:]:
            raise OptionError("a second image goes with one whole file: open that alone, Denoise")
        first = self.running[0]
        try:
            return read_second(Path(name), first.source, max_pixels=self._max_pixels)
        except FileError as error:
            said = str(error).replace(str(first.path), first.path.name)
            raise FileError(said.replace(name, Path(name).name)) from None

    def _denoise(self, options: Options, second: np.ndarray | None, report: Report) -> None:
        """Denoise plane by plane and keep all that is known of each, for the pictures."""
        torch.set_num_threads(self._threads())
        files = self.running
        for number, one in enumerate(files):
            self.done = number
            self.doing = f"{number + 1} of {len(files)}, {one.path.name}: " if files[1:] else ""
            axes = options.axes or one.source.axes
            runner = PlaneRunner(options, one.path.name, within(report, number, len(files)))
            results = runner.results(one.source.named(axes), axes, second)
            one.renew([result for _, result in results], axes)

    def run(self) -> Iterator[Progress]:
        """Denoise the files that are open, see `Job.run`, and look at one of them, or the part."""
        assert self.job is not None
        for news in self.job.run():
            self.used = time.monotonic()
            yield news
        if self.running is not self.new:
            self.files[len(self.new) : len(self.new)] = self.running
        if self.current not in self.running:
            self.at = self.files.index(self.running[0])

    def cancel(self) -> None:
        """Stop the run, if there is one."""
        if self.job is not None:
            self.job.cancel()

    def blend(self, strength: float, keep_detail: float) -> Path:
        """Write the file that is looked at, at another strength; of several return all, zipped."""
        one = self.current
        if (strength, keep_detail) != (one.strength, one.keep_detail):
            one.strength, one.keep_detail, one.written = strength, keep_detail, None
        together = self.new if one in self.new else [one]
        paths = [each.written or each.write() for each in together if each.results]
        if not together[1:]:
            return paths[0]
        target = self.folder / "denoised.zip"
        with zipfile.ZipFile(target, "w") as packed:
            for number, path in enumerate(paths, 1):
                again = path.name in packed.namelist()
                packed.write(path, f"{number}-{path.name}" if again else path.name)
        return target


class Sessions:
    """The sessions of all visitors, by the name that gradio gives them."""

    def __init__(self, folder: Path, max_pixels: int) -> None:
        self._folder, self._max_pixels = folder, max_pixels
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._all: dict[str, Session] = {}
        threading.Thread(target=self._watch, daemon=True, name="zspot-sessions").start()

    def get(self, name: str | None) -> Session:
        """Return a visitor's session, a new one at the first call."""
        if not name:
            raise OptionError("a session needs a name")
        with self._lock:
            if name not in self._all:
                inside = self._folder / f"session-{secrets.token_hex(16)}"  # not to be guessed
                self._all[name] = Session(inside, self._max_pixels, self._share)
            session = self._all[name]
            session.used = time.monotonic()
        return session

    def leave(self, name: str | None) -> None:
        """Stop the run of a visitor who left; what he has open waits a little for him."""
        if (session := self._all.get(name or "")) is not None:
            session.cancel()
            session.used, session.kept = time.monotonic(), AWAY_SECONDS

    def back(self, folder: str, name: str | None) -> Session:
        """Return what a visitor who loads the page again had open in that folder, if anything."""
        for _ in range(_TRIES):  # the old page may be there a little longer
            with self._lock:
                old = next((n for n, one in self._all.items() if one.folder.name == folder), None)
                if old is None or name is None or name in self._all:
                    break
                if self._all[old].kept < math.inf:
                    self._all[name] = self._all.pop(old)
                    break
            time.sleep(_PATIENCE / _TRIES)
        session = self.get(name)
        session.kept = math.inf  # until `leave`, however long the page is looked at
        return session

    def _share(self) -> int:
        """Return how many of the cores an image gets: all where no other visitor works."""
        with self._lock:
            working = sum(one.job is not None and one.job.works for one in self._all.values())
        return max(1, (os.cpu_count() or 1) // max(1, working))

    def _watch(self) -> None:
        """Close the sessions of visitors who left without a word, as long as the program runs."""
        while not self._ended.wait(min(IDLE_SECONDS, AWAY_SECONDS) / 60):
            now = time.monotonic()
            with self._lock:
                old = [name for name, one in self._all.items() if one.used + one.kept < now]
            for name in old:
                self.close(name)

    def close(self, name: str | None) -> None:
        """Stop a visitor's run, wait until it has, and remove every file."""
        with self._lock:
            session = self._all.pop(name or "", None)
        if session is None:
            return
        session.cancel()
        if session.job is not None:
            session.job.wait(_PATIENCE)
        shutil.rmtree(session.folder, ignore_errors=True)
        with self._lock:  # gradio keeps one copy of what several visitors sent
            others = set().union(*(one.uploads for one in self._all.values()))
            for path in session.uploads.keys() - others:
                with contextlib.suppress(OSError):  # the others are removed all the same
                    if path.stat().st_mtime_ns == session.uploads[path]:
                        path.unlink()

    def close_all(self) -> None:
        """Remove every session."""
        self._ended.set()
        for name in list(self._all):
            self.close(name)
