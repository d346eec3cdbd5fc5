"""Run many tasks: in processes of this machine or on a Dask cluster, resumable at any moment.

Only this process writes to the store; a row is on the disk before its process gets the next task.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import datasets
from benchmarks.metrics import BenchmarkError
from benchmarks.store import KEY, Store
from benchmarks.studies import SUITES, Suite
from benchmarks.variants import Variant
from benchmarks.worker import Outcome, Task, failed, work

if TYPE_CHECKING:
    import pandas as pd

_POLL = 0.2  # seconds between looks at the progress of the processes


def plan(
    data: Path,
    suite: Suite,
    variants: Sequence[Variant],
    *,
    skip_missing: bool = False,
    **settings: Any,
) -> tuple[list[Task], list[str]]:
    """Return the tasks of a suite, image by image, and what was left out.

    Parameters
    ----------
    skip_missing : bool
        Leave out sets that are not there; otherwise that is an error.
    **settings
        Further fields of a `Task`.

    Raises
    ------
    BenchmarkError
        Naming every set that is missing and where it is offered.
    """
    images, missing = [_entry_and_image(text) for text in suite.images], []
    for entry in map(datasets.Entry.parse, suite.entries):
        try:
            names = datasets.find(data, entry.set).names()
        except BenchmarkError as error:
            missing.append(str(error))
            continue
        images += [(entry, name) for name in suite.some(names)]
    crop = suite.crop or 0
    tasks = [
        Task(data, entry, name, variant, crop=crop, **settings)
        for entry, name in images
        for variant in variants
    ]
    if missing and not (skip_missing and tasks):
        hint = "" if skip_missing else "; --skip-missing leaves such sets out"
        hint += f" (suites: {', '.join(SUITES)})"
        raise BenchmarkError("; ".join(missing) + hint)
    return tasks, missing


def _entry_and_image(text: str) -> tuple[datasets.Entry, str]:
    entry, _, image = text.rpartition("/")
    return datasets.Entry.parse(entry), image


def unfinished(tasks: Sequence[Task], store: Store, *, retry: bool) -> list[Task]:
    """Return the tasks without a row; with `retry` also those whose row is an error."""
    done = store.done(errors=not retry)
    return [task for task in tasks if tuple(task.key()[name] for name in KEY) not in done]


def make(
    tasks: Sequence[Task],
    folder: Path,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    retry: bool = False,
    quiet: bool = False,
) -> None:
    """Make the rows of tasks that a store lacks, and say how it goes.

    Raises
    ------
    BenchmarkError
        If rows are errors; they and all others are kept.
    """
    if scheduler is not None and jobs != 1:
        raise BenchmarkError(
            "--scheduler and --jobs exclude each other: the cluster has its own workers"
        )
    with Store(folder) as store:
        todo = unfinished(tasks, store, retry=retry)
        print(f"{len(todo)} of {len(tasks)} rows to make in {folder}", file=sys.stderr)
        watch = Watch(todo, jobs, store.rows(), quiet=quiet)
        errors = run(todo, store, watch, jobs=jobs, scheduler=scheduler)
    if errors:
        raise BenchmarkError(
            f"{errors} of {len(todo)} rows are errors: see above and the column error"
        )


def run(
    tasks: Sequence[Task],
    store: Store,
    watch: Watch,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
) -> int:
    """Run tasks and keep their rows; return how many failed."""
    results = _on_dask(tasks, scheduler) if scheduler else _in_processes(tasks, jobs, watch)
    errors = 0
    with watch:
        for task, outcome in results:
            store.add(outcome.row, outcome.image, outcome.recipe)
            errors += outcome.row.get("error") is not None
            watch.finished(task, outcome.row)
    return errors


@dataclass
class _Slot:
    """One process, the task it has, and how far it is."""

    context: Any
    environment: dict[str, str]
    task: Task | None = None
    share: Any = field(init=False)
    pipe: Connection = field(init=False)
    process: Any = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.share = self.context.Value("d", 0.0, lock=False)
        self.pipe, theirs = self.context.Pipe()
        arguments = (theirs, self.share)
        self.process = self.context.Process(target=_serve, args=arguments, daemon=True)
        with _environment(self.environment):
            self.process.start()
        theirs.close()

    def give(self, task: Task) -> None:
        self.task, self.share.value = task, 0.0
        self.pipe.send(task)

    def take(self) -> Outcome:
        """Return the outcome, or what became of the process; then a new one is started."""
        assert self.task is not None
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode or 0
            cause = f"signal {-code}" if code < 0 else f"exit code {code}"
            self.start()
            why = f"the process ended with {cause}"
            return failed(self.task, why + (", out of memory?" if code == -9 else ""))

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables that a process started meanwhile inherits."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _in_processes(tasks: Sequence[Task], jobs: int, watch: Watch) -> Iterator[tuple[Task, Outcome]]:
    """Yield outcomes as they come from `jobs` processes; all are killed when this is closed."""
    if not tasks:
        return
    threads = str(tasks[0].threads)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    context = multiprocessing.get_context("spawn")
    waiting = deque(tasks)
    slots = [_Slot(context, dict.fromkeys(names, threads)) for _ in range(min(jobs, len(tasks)))]
    try:
        for slot in slots:
            slot.give(waiting.popleft())
        while busy := [slot for slot in slots if slot.task is not None]:
            ready = wait([slot.pipe for slot in busy], timeout=_POLL)
            watch.running({slot.task: slot.share.value for slot in busy if slot.task is not None})
            for slot in busy:
                if slot.pipe in ready:
                    task, outcome = slot.task, slot.take()
                    assert task is not None
                    yield task, outcome
                    slot.task = None
                    if waiting:
                        slot.give(waiting.popleft())
    finally:
        for slot in slots:
            slot.stop()


def _serve(pipe: Connection, share: Any) -> None:
    """Answer tasks in a process of its own until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _end_with_parent()
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        pipe.send(work(task, lambda done: setattr(share, "value", done)))


def _end_with_parent() -> None:
    """End at once when the parent does, even by SIGKILL: nobody would take the result."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _on_dask(tasks: Sequence[Task], scheduler: str) -> Iterator[tuple[Task, Outcome]]:
    """Yield outcomes as they come from a cluster whose workers have one thread each."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise BenchmarkError("--scheduler needs Dask: pip install distributed") from None
    try:
        client = Client(scheduler, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"no Dask scheduler answers at {scheduler}: {error}") from None
    futures: dict[Any, Task] = {}
    try:
        threads: Any = client.nthreads()
        if any(count > 1 for count in threads.values()):
            raise BenchmarkError(
                "Dask workers with several threads would mix up times and memory: start them "
                "with --nthreads 1"
            )
        futures = {client.submit(work, task, pure=False): task for task in tasks}
        for future in as_completed(list(futures), loop=client.loop):
            task = futures.pop(future)
            error = future.exception()
            yield task, future.result() if error is None else failed(task, f"Dask: {error}")
            future.release()
    finally:
        client.cancel(list(futures))
        client.close()


class Watch:
    """Shows what is done and says how long the rest will take.

    Methods differ in speed by a factor of a thousand, so the time left is summed over the tasks
    by the seconds that their method and effort has taken so far, in earlier runs too.

    Parameters
    ----------
    tasks : sequence of Task
        To be done.
    jobs : int
        How many run at once.
    earlier : DataFrame or None
        Rows of earlier runs.
    quiet : bool
        Print nothing but errors.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        jobs: int,
        earlier: pd.DataFrame | None = None,
        *,
        quiet: bool = False,
        console: Console | None = None,
    ) -> None:
        self._left = list(tasks)
        self._jobs = max(1, min(jobs, len(tasks)))
        self._seconds: dict[Variant, list[float]] = defaultdict(list)
        self._shares: dict[Task, float] = {}
        if earlier is not None:
            for row in earlier.dropna(subset=["seconds"]).itertuples():
                variant = Variant(str(row.method), str(row.effort), str(row.changes))
                self._seconds[variant].append(float(row.seconds))  # type: ignore[arg-type]
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._started = time.perf_counter()
        columns = (
            BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"), TextColumn("{task.description}"),
        )  # fmt: skip
        shown = self._console.is_terminal and not quiet
        self._bar = Progress(*columns, console=self._console, disable=not shown)
        self._line = self._bar.add_task("", total=len(tasks), left="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def running(self, shares: dict[Task, float]) -> None:
        """Take notice of the tasks that run and of the share of each that is done."""
        self._shares = shares
        words = ", ".join(
            f"{t.entry}/{t.image} {t.variant} {share:.0%}" for t, share in shares.items()
        )
        self._bar.update(self._line, description=escape(words), left=self._text())

    def finished(self, task: Task, row: dict[str, Any]) -> None:
        """Count a task that is done, and print its row."""
        self._left.remove(task)
        self._shares.pop(task, None)
        if row.get("seconds") is not None:
            self._seconds[task.variant].append(row["seconds"])
        self._bar.update(self._line, advance=1, left=self._text())
        name = f"{task.entry}/{task.image} {task.variant}"
        if row.get("error"):
            self._console.print(f"{name}: {row['error']}", markup=False, highlight=False)
        elif not self._quiet:
            text = f"{name}: {_quality(row)}{row['seconds']:.1f} s"
            left = "" if self._console.is_terminal else f" ({self._text()})"
            self._console.print(text + left, markup=False, highlight=False)

    def seconds_left(self) -> float | None:
        """Return the expected time to the end, None before any method was timed."""
        means = {key: sum(s) / len(s) for key, s in self._seconds.items() if s}
        if not means:
            return None
        usual = sum(means.values()) / len(means)
        total = sum(
            means.get(t.variant, usual) * (1 - self._shares.get(t, 0.0)) for t in self._left
        )
        return total / self._jobs

    def _text(self) -> str:
        left = self.seconds_left()
        return "" if left is None else f"{timedelta(seconds=round(left))} left"


def _quality(row: dict[str, Any]) -> str:
    if row.get("psnr") is None:
        return ""
    return f"{row['psnr']:.2f} dB, {row['ssim']:.4f}, "
