"""What one visitor has open: files and their results. Knows nothing of gradio."""

import contextlib
import os
import secrets
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from zspot.api import DEFAULT_METHOD, Result
from zspot.core.axes import Place, iter_planes
from zspot.core.errors import FileError, OptionError, ZspotError
from zspot.core.progress import Progress, Report, within
from zspot.files import Options, PlaneRunner
from zspot.files.file import check_count, first_plane
from zspot.frontends.job import Job
from zspot.io import ImageFile, output_name, read, write
from zspot.noise import NoiseReport, analyze_noise
from zspot.recipe import Recipe

_PATIENCE = 10.0  # seconds that a run may take to notice that it was cancelled
IDLE_SECONDS = 3600.0  # until files of a visitor who left without a word (curl does) are removed


@dataclass(eq=False)
class Opened:
    """A file that is open, and its result."""

    image: ImageFile
    noise: NoiseReport  # of the first plane
    results: list[Result] = field(default_factory=list)  # of each plane, once it was denoised
    earlier: list[Result] = field(default_factory=list)  # of the run before
    axes: str = ""  # as asked for, in place of those of the file
    strength: float = 1.0
    keep_detail: float = 0.0
    written: Path | None = None  # the file with the result

    @property
    def path(self) -> Path:
        """Where the file lies."""
        assert self.image.path is not None
        return self.image.path

    @property
    def places(self) -> list[tuple[Place, int | None]]:
        """Index and channel axis of every plane."""
        return list(iter_planes(self.image.data.shape, self.axes or self.image.axes))

    @property
    def seconds(self) -> float:
        """How long all planes took."""
        return sum(result.timings["total"] for result in self.results)

    def blended(self, number: int) -> Result:
        """Return the result of a plane at the strength that is wanted."""
        result = self.results[number]
        return replace(result, image=result.blend(self.strength, self.keep_detail))

    def write(self) -> Path:
        """Write the result at that strength, without running anything again."""
        out = self.image.data.copy()
        for number, (place, _) in enumerate(self.places):
            out[place] = self.blended(number).image
        self.written = output_name(self.path, "-denoised")
        write(self.written, self.image.replace(out), overwrite=True)
        return self.written


class Session:
    """One visitor's files and results, in a folder of its own; `threads` says how many to use."""

    def __init__(self, folder: Path, max_pixels: int, threads: Callable[[], int]) -> None:
        folder.mkdir(mode=0o700)
        self.folder = folder
        self.stays = False  # whether it tells when it leaves, as a browser does
        self.uploads: dict[Path, int] = {}  # where gradio put what was sent, and when
        self.used = time.monotonic()
        self._max_pixels, self._threads = max_pixels, threads
        self.clear()

    def clear(self) -> None:
        """Forget the files and their results."""
        self.files: list[Opened] = []
        self.at = 0  # which of them is looked at
        self.doing = ""  # the name of the file that is denoised, where there are several
        self.job: Job[None] | None = None

    @property
    def current(self) -> Opened:
        """The file that is looked at."""
        return self.files[self.at]

    def open(self, paths: Sequence[Path]) -> list[str]:
        """Take files over; return what is wrong with those that cannot be read."""
        self.cancel()
        self.clear()
        wrong, left = [], self._max_pixels
        for path in paths:
            try:
                self.files.append(self._opened(path, left))
                left -= self.files[-1].image.data.size
            except ZspotError as error:
                wrong.append(str(error))
        return wrong

    def take(self, path: Path) -> None:
        """Note an upload, to remove it at the end unless it is sent anew by somebody else."""
        with contextlib.suppress(OSError):  # what is not there is told by who reads it
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
        return Opened(image, analyze_noise(plane, channel_axis=axis, mask=valid))

    def prepare(
        self, method: str, recipe: str | None, effort: str, seed: float, neighbours: int, axes: str
    ) -> None:
        """Set up the run that `run` will start, so that it can be cancelled while it waits."""
        chosen: str | Recipe = method or DEFAULT_METHOD
        if recipe:
            self.take(Path(recipe))
            chosen = Recipe.load(recipe)
        whole = int(seed) if isinstance(seed, float) and seed.is_integer() else seed
        asked = Options(chosen, effort, whole, axes=axes or None, neighbours=neighbours)  # type: ignore[arg-type]
        options = asked.checked()
        for one in self.files:
            check_count(options.axes, Path(one.path.name), one.image.data.shape, one.image.axes)
        for one in self.files:
            one.axes, one.strength, one.keep_detail, one.written = axes, 1.0, 0.0, None
            one.earlier, one.results = one.results or one.earlier, []
        files = list(self.files)
        self.job = Job(lambda report: self._denoise(files, options, report))

    def _denoise(self, files: list[Opened], options: Options, report: Report) -> None:
        """Denoise plane by plane and keep all that is known of each, for the pictures."""
        torch.set_num_threads(self._threads())
        for number, one in enumerate(files):
            self.doing = f"{number + 1} of {len(files)}, {one.path.name}: " if files[1:] else ""
            runner = PlaneRunner(options, one.path.name, within(report, number, len(files)))
            one.results = [result for _, result in runner.results(one.image, options.axes)]

    def run(self) -> Iterator[Progress]:
        """Denoise the files that are open; see `Job.run`."""
        assert self.job is not None
        for news in self.job.run():
            self.used = time.monotonic()
            yield news

    def cancel(self) -> None:
        """Stop the run, if there is one."""
        if self.job is not None:
            self.job.cancel()

    def blend(self, strength: float, keep_detail: float) -> Path:
        """Write the file that is looked at, at another strength; of several return all, zipped."""
        one = self.current
        if (strength, keep_detail) != (one.strength, one.keep_detail):
            one.strength, one.keep_detail, one.written = strength, keep_detail, None
        paths = [each.written or each.write() for each in self.files if each.results]
        if not self.files[1:]:
            return paths[0]
        target = self.folder / "denoised.zip"
        with zipfile.ZipFile(target, "w") as packed:
            for number, path in enumerate(paths, 1):
                again = path.name in packed.namelist()
                packed.write(path, f"{number}-{path.name}" if again else path.name)
        return target

    def close(self) -> None:
        """Stop the run, wait until it has, and remove every file."""
        self.cancel()
        if self.job is not None:
            self.job.wait(_PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)


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

    def _share(self) -> int:
        """Return how many of the cores an image gets: all where no other visitor works."""
        with self._lock:
            working = sum(one.job is not None and one.job.works for one in self._all.values())
        return max(1, (os.cpu_count() or 1) // max(1, working))

    def _watch(self) -> None:
        """Close the sessions of visitors who left without a word, as long as the program runs."""
        while not self._ended.wait(IDLE_SECONDS / 60):
            before = time.monotonic() - IDLE_SECONDS
            with self._lock:
                old = [n for n, one in self._all.items() if one.used < before and not one.stays]
            for name in old:
                self.close(name)

    def close(self, name: str | None) -> None:
        """Remove a visitor's session."""
        with self._lock:
            session = self._all.pop(name or "", None)
        if session is None:
            return
        session.close()
        with self._lock:  # gradio keeps one copy of what several visitors sent
            others = set().union(*(one.uploads for one in self._all.values()))
            for path in session.uploads.keys() - others:
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime_ns == session.uploads[path]:
                        path.unlink()

    def close_all(self) -> None:
        """Remove every session."""
        self._ended.set()
        for name in list(self._all):
            self.close(name)
