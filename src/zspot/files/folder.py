"""Folders: every image denoised on Dask; one bad file stops nothing, and a rerun goes on."""

import contextlib
import itertools
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

import torch

from zspot._version import __version__
from zspot.api import Result, versions
from zspot.api.requests import lists
from zspot.core.errors import ClusterError, FileError, error_in_words, one_line
from zspot.core.memory import half_of_free
from zspot.core.progress import Progress, Report
from zspot.files.cluster import ALONE, LOST, connect
from zspot.files.discovery import Item, find
from zspot.files.file import denoise_file
from zspot.files.journal import Entry, Journal, fingerprint
from zspot.files.options import Keywords, ManyKeywords, Options
from zspot.files.planes import Notes
from zspot.io.atomic import check_plain, remove_dead
from zspot.recipe import Recipe

_IN_FLIGHT = 2  # files handed out for each worker thread: one in work, one waiting
_POLL = 0.02  # seconds between looks at what is done
_REPORT_SECONDS = 0.5  # between two words of a worker on how far a file is
ALONE_SECONDS = 120  # so long a cluster may be without a worker


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    item: Item
    state: str  #: "done", "failed", or "skipped": done by an earlier run, and nothing has changed
    error: str = ""  #: one line; empty unless failed
    notes: tuple[str, ...] = ()  #: what the user should know of the file
    said: str = ""  #: what the noise was and what became of it, a sentence
    seconds: float = 0.0


@dataclass(frozen=True)
class Summary:
    """A run over many files."""

    outcomes: tuple[Outcome, ...]  #: in the order of the inputs
    others: int  #: files among the inputs that are no images

    def count(self, state: str) -> int:
        """Return how many files ended in a state."""
        return sum(outcome.state == state for outcome in self.outcomes)


@lists(Options, ManyKeywords)
def denoise_many(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    method: str | Recipe = "auto",
    *,
    overwrite: bool = False,
    scheduler: str | None = None,
    workers: int | None = None,
    progress: Report | None = None,
    ended: Callable[[Outcome], None] | None = None,
    **options: Unpack[ManyKeywords],
) -> Summary:
    """Denoise the images of a folder, or those that match a pattern, into another folder.

    Names and sub-folders are kept. A journal in the output folder makes a rerun skip what is done
    and redo files whose input or options, but for `max_memory`, or version of zspot has changed. A
    file that fails is reported and stops nothing. Options that are not listed here are as in
    `zspot.denoise_file`, for every file; `max_memory` is that of each worker. A `FileError`,
    `OptionError` or `ClusterError` says that the run as a whole cannot start or go on.

    Parameters
    ----------
    source : str or path-like
        Folder or pattern, see `zspot.files.discovery.find`.
    out : str or path-like
        Output folder; made if it is not there.
    threads : int
        CPU threads for each file.
    overwrite : bool
        Replace targets that no run of zspot wrote.
    scheduler : str or None
        Address of a Dask cluster that sees the same folders; None starts a local one.
    workers : int or None
        Processes of the local cluster; None is one for each core divided by `threads`.
    progress : callable, optional
        Called with a `Progress` over all files, in bytes of input.
    ended : callable, optional
        Called with the `Outcome` of each file as it ends.
    """
    # workers elsewhere may have a device that is not here
    asked = Options(method, **options).checked(here=scheduler is None)
    out = Path(out).absolute()
    items, others = find(source, out)
    with Journal(out) as journal:
        run = Run(items, asked, journal, overwrite, progress, ended)
        run.go(scheduler, workers)
    return Summary(tuple(run.outcomes[i] for i in sorted(run.outcomes)), others)


@dataclass
class Run:
    """The state of one run: what is handed out, what has ended, how far it is."""

    items: tuple[Item, ...]
    options: Options
    journal: Journal
    overwrite: bool
    progress: Report | None
    ended: Callable[[Outcome], None] | None
    begun: list[Path] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    shares: dict[int, float] = field(default_factory=dict)  # of each file that is done
    passed: int = 0  # bytes of files that were not worked on
    started: float = field(default_factory=time.perf_counter)

    def go(self, scheduler: str | None, workers: int | None) -> None:
        """Work through all files; a cluster is started only if there is something to do."""
        waiting = self._to_do()
        first = next(waiting, None)
        if first is None:
            return
        if workers is None and scheduler is None:
            here = hasattr(os, "sched_getaffinity")
            cores = len(os.sched_getaffinity(0)) if here else os.cpu_count() or 1
            workers = max(1, cores // self.options.threads)
        if workers is not None and self.options.max_memory is None:
            self.options = replace(self.options, max_memory=half_of_free() // workers)
        try:
            with connect(scheduler, workers) as client:
                self._work(client, itertools.chain([first], waiting))
        finally:
            for target in self.begun:  # workers may have been killed
                remove_dead(target)

    def _to_do(self) -> Iterator[tuple[int, str]]:
        """Yield the number and fingerprint of each file to denoise; settle the others."""
        for number, item in enumerate(self.items):
            try:
                mark = self._mark(item)
            except (FileError, OSError) as error:
                self._settle(number, "failed", error=_told(item, error))
                continue
            if mark is None:
                self._settle(number, "skipped")
            else:
                yield number, mark

    @cached_property
    def _job(self) -> dict[str, Any]:
        """What makes a rerun redo a file if it is another."""
        return self.options.to_job()

    def _mark(self, item: Item) -> str | None:
        """Return the fingerprint of an input, or None if its output is there already."""
        if item.error:
            raise FileError(item.error)
        last = self.journal.last(item.name)
        if not item.source.is_dir():
            check_plain(item.source)
        mark = self._fingerprint(item)
        there = os.path.lexists(item.target)
        known = last.output if last is not None and last.target == self._name(item) else ""
        same = there and known != "" and fingerprint(item.target) == known
        if same and last is not None and last.fits(mark, self._job, __version__):
            return None
        interrupted = last is not None and last.state == "started"
        if there and not (same or interrupted or self.overwrite):
            why = "changed since zspot wrote it" if known else "exists and zspot did not write it"
            raise FileError(f"{item.target} {why}; move it away, or pass --overwrite")
        return mark

    def _fingerprint(self, item: Item) -> str:
        return fingerprint(item.source)

    def _name(self, item: Item) -> str:
        return os.path.relpath(item.target, self.journal.path.parent)

    def _work(self, client: Any, waiting: Iterator[tuple[int, str]]) -> None:
        from distributed import as_completed

        tag = f"zspot-{secrets.token_hex(6)}"
        client.subscribe_topic(tag, self._hear)
        pending = as_completed(loop=client.loop)
        running: dict[Any, tuple[int, str]] = {}
        while True:
            # enough for every worker, few enough to cancel
            room = _IN_FLIGHT * max(1, sum(client.nthreads().values()))
            while len(running) < room and (following := next(waiting, None)):
                future = self._submit(client, tag, *following)
                running[future] = following
                pending.add(future)
            if not running:
                return
            _wait(client, pending)
            future = next(pending)
            self._take(future, *running.pop(future))

    def _submit(self, client: Any, tag: str, number: int, mark: str) -> Any:
        item = self.items[number]
        self.begun.append(item.target)
        self._note(item, "started", mark)
        with contextlib.suppress(OSError):  # the worker says what is wrong with the folder
            item.target.parent.mkdir(parents=True, exist_ok=True)
        how = {"key": f"{tag}-{number}", "priority": -number, "pure": False}
        return client.submit(work, number, item, self.options, tag, **how)

    def _take(self, future: Any, number: int, mark: str) -> None:
        """Book what a worker hands back, or that it died over the file again and again."""
        from distributed import KilledWorker

        if future.status in ("cancelled", "lost"):
            raise ClusterError(LOST)
        if future.status == "finished":
            state, details = future.result()
        else:
            error = future.exception()
            why = f"the worker failed: {error_in_words(error)}"
            if isinstance(error, KilledWorker):
                why = "the worker died over it again and again, most likely for lack of memory; "
                why += "use fewer workers or cut the image into parts"
            state, details = "failed", {"error": f"{self.items[number].source}: {why}"}
        self._settle(number, state, mark, **details)

    def _settle(self, number: int, state: str, mark: str = "", **details: Any) -> None:
        """Keep what became of a file, `details` as of `work`; `mark` if it was begun."""
        item, error = self.items[number], one_line(details.get("error", ""))
        notes, said = details.pop("notes", ()), details.pop("said", "")
        # Of a file refused before it was begun, the earlier entry tells whose target it is.
        if state != "skipped" and (mark or self.journal.last(item.name) is None):
            self._note(item, state, mark, **details)
        outcome = Outcome(item, state, error, notes, said, details.get("seconds", 0.0))
        self.outcomes[number] = outcome
        self.shares[number] = 1.0
        self.passed += 0 if mark else item.size
        self._tell()
        if self.ended is not None:
            self.ended(outcome)

    def _hear(self, event: tuple[float, Any]) -> None:
        """Take a worker's word on how far a file is."""
        number, share = event[1]
        if number not in self.outcomes:
            self.shares[number] = share
            self._tell()

    def _tell(self) -> None:
        if self.progress is None:
            return
        total = sum(item.size for item in self.items)
        done = sum(self.items[number].size * share for number, share in list(self.shares.items()))
        worked = done - self.passed
        elapsed = time.perf_counter() - self.started
        left = elapsed / worked * (total - done) if worked > 0 else None
        stage = f"{len(self.outcomes)} of {len(self.items)} files"
        self.progress(Progress(stage, done, total, left))

    def _note(self, item: Item, state: str, mark: str, **details: Any) -> None:
        last, job = self.journal.last(item.name), self._job
        values = {"output": last.output if last is not None else "", "job": job, **details}
        self.journal.add(Entry(item.name, self._name(item), state, mark, **values))


def _wait(client: Any, pending: Any) -> None:
    """Wait until a file is done; a cluster that has no worker for long is an error."""
    seen = time.monotonic()
    while not pending.has_ready():
        time.sleep(_POLL)
        if time.monotonic() - seen > ALONE_SECONDS:
            if not client.nthreads():
                raise ClusterError(ALONE)
            seen = time.monotonic()


def work(number: int, item: Item, options: Options, tag: str) -> tuple[str, dict[str, Any]]:
    """Denoise one file on a worker; every failure of the file is a result, not an exception."""
    torch.set_num_threads(options.threads)
    started = time.perf_counter()
    try:
        before = _stamp(item.source)
        # overwriting: whose target it is was decided before
        asked: Any = {name: getattr(options, name) for name in Keywords.__annotations__}
        asked |= {"method": options.method, "overwrite": True, "progress": _teller(tag, number)}
        result, notes = denoise_file(item.source, item.target, **asked)
        if _stamp(item.source) != before:
            raise FileError(f"{item.source} changed while it was read; run again")
        return done(item, result, notes, time.perf_counter() - started)
    except Exception as error:
        return "failed", {"error": _told(item, error)}


def done(item: Item, result: Result, notes: Notes, seconds: float) -> tuple[str, dict[str, Any]]:
    """Return what is kept of a file that is written, and told of it."""
    known = {"output": fingerprint(item.target), "versions": versions(), "seconds": seconds}
    return "done", {**known, "notes": (*notes, *result.told), "said": result.summary}


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _told(item: Item, error: Exception) -> str:
    """Say in one line what is wrong with a file."""
    text, name = error_in_words(error), one_line(item.source)
    return text if name in text else f"{name}: {text}"


def _teller(tag: str, number: int) -> Report:
    """Tell the client how far a file is; stop once nobody waits for it any more."""
    from distributed import get_worker

    worker, key, last = get_worker(), f"{tag}-{number}", 0.0

    def report(p: Progress) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last < _REPORT_SECONDS:
            return
        last = now
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise FileError("cancelled: nobody waits for this file any more")
        worker.log_event(tag, (number, p.done / p.total))

    return report
