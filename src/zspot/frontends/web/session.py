"""What one visitor has open: a folder of files, an image, its result. Knows nothing of gradio."""

import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from zspot.api import DEFAULT_METHOD, Result
from zspot.core.axes import Place, iter_planes
from zspot.core.errors import FileError, OptionError
from zspot.core.progress import Progress, Report
from zspot.files import Options, PlaneRunner
from zspot.files.file import first_plane
from zspot.frontends.job import Job
from zspot.io import ImageFile, output_name, read, write
from zspot.noise import NoiseReport, analyze_noise
from zspot.recipe import Recipe

_PATIENCE = 10.0  # seconds that a run may take to notice that it was cancelled
IDLE_SECONDS = 3600.0  # until files of a visitor who left without a word (curl does) are removed


class Session:
    """One visitor's image and result, in a folder of its own; a run takes so many `threads`."""

    def __init__(self, folder: Path, max_pixels: int, threads: int) -> None:
        folder.mkdir(mode=0o700)
        self.folder = folder
        self.stays = False  # whether it tells when it leaves, as a browser does
        self.uploads: set[Path] = set()  # where gradio put what was sent
        self.used = time.monotonic()
        self._max_pixels = max_pixels
        self._threads = threads
        self.clear()

    def clear(self) -> None:
        """Forget the image and its result."""
        self.image: ImageFile | None = None
        self.noise: NoiseReport | None = None
        self.job: Job[list[Result]] | None = None
        self.results: list[Result] = []

    def open(self, path: Path) -> ImageFile:
        """Take over a file and measure its noise, on the first plane; errors name it alone."""
        self.cancel()
        self.clear()
        # A folder of its own: two uploads may have one name, and results lie beside it.
        inside = self.folder / secrets.token_hex(8)
        inside.mkdir()
        source = inside / path.name
        self.uploads.add(path)
        shutil.copyfile(path, source)
        try:
            image = read(source, max_pixels=self._max_pixels)
        except FileError as error:
            raise FileError(str(error).replace(str(source), path.name)) from None
        plane, axis, valid, _ = first_plane(image)
        self.noise = analyze_noise(plane, channel_axis=axis, mask=valid)
        self.image = image
        return image

    @property
    def source(self) -> Path:
        """The file that is open."""
        assert self.image is not None
        assert self.image.path is not None
        return self.image.path

    @property
    def places(self) -> list[tuple[Place, int | None]]:
        """Index and channel axis of every plane."""
        assert self.image is not None
        return list(iter_planes(self.image.data.shape, self.image.axes))

    def prepare(
        self, method: str, recipe: str | None, effort: str, seed: float, neighbours: int = 0
    ) -> None:
        """Set up the run that `run` will start, so that it can be cancelled while it waits."""
        chosen: str | Recipe = method or DEFAULT_METHOD
        if recipe:
            self.uploads.add(Path(recipe))
            chosen = Recipe.load(recipe)
        whole = int(seed) if isinstance(seed, float) and seed.is_integer() else seed
        asked = Options(chosen, effort, whole, neighbours=neighbours)  # type: ignore[arg-type]
        options = asked.checked()
        self.results = []
        self.job = Job(lambda report: self._denoise(options, report))

    def _denoise(self, options: Options, report: Report) -> list[Result]:
        """Denoise plane by plane and keep all that is known of each, for the pictures."""
        # Held here: another file may be opened before this one notices that it was cancelled.
        image = self.image
        assert image is not None
        runner = PlaneRunner(options, self.source.name, report)
        torch.set_num_threads(self._threads)
        return [result for _, result in runner.results_of(image)]

    def run(self) -> Iterator[Progress]:
        """Denoise the file that is open; see `Job.run`."""
        assert self.job is not None
        job = self.job
        for news in job.run():
            self.used = time.monotonic()
            yield news
        self.results = job.result

    @property
    def seconds(self) -> float:
        """How long all planes took."""
        return sum(result.timings["total"] for result in self.results)

    def cancel(self) -> None:
        """Stop the run, if there is one."""
        if self.job is not None:
            self.job.cancel()

    def blend(self, strength: float, keep_detail: float) -> Path:
        """Write the result at another strength, without running anything again."""
        assert self.image is not None
        out = self.image.data.copy()
        for (place, _), result in zip(self.places, self.results, strict=True):
            out[place] = result.blend(strength, keep_detail)
        target = output_name(self.source, "-denoised")
        write(target, self.image.replace(out), overwrite=True)
        return target

    def close(self) -> None:
        """Stop the run, wait until it has, and remove every file."""
        self.cancel()
        if self.job is not None:
            self.job.wait(_PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)


class Sessions:
    """The sessions of all visitors, by the name that gradio gives them."""

    def __init__(self, folder: Path, max_pixels: int, threads: int) -> None:
        self._folder = folder
        self._max_pixels = max_pixels
        self._threads = threads
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
                self._all[name] = Session(inside, self._max_pixels, self._threads)
            session = self._all[name]
            session.used = time.monotonic()
        return session

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
            for path in session.uploads - others:
                path.unlink(missing_ok=True)

    def close_all(self) -> None:
        """Remove every session."""
        self._ended.set()
        for name in list(self._all):
            self.close(name)
