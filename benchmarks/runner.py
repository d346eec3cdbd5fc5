"""Run many tasks: in processes of this machine or on a Dask cluster, resumable at any moment.

Only this process writes to the store; a row is on the disk before its process gets the next task.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from benchmarks import datasets
from benchmarks.errors import BenchmarkError
from benchmarks.store import KEY, Store
from benchmarks.suites import SUITES, Suite
from benchmarks.watch import Watch
from benchmarks.worker import Outcome, Task, failed, work

_POLL = 0.2  # seconds between looks at the progress of the processes


def plan(
    data: Path,
    suite: Suite,
    methods: Sequence[tuple[str, str]],
    *,
    skip_missing: bool = False,
    **settings: Any,
) -> tuple[list[Task], list[str]]:
    """Return the tasks of a suite, image by image, and what was left out.

    Parameters
    ----------
    data : Path
    suite : Suite
    methods : sequence of (method, effort)
    skip_missing : bool
        Leave out sets that are not there; otherwise that is an error.
    **settings
        Further fields of a `Task`.

    Raises
    ------
    BenchmarkError
        Naming every set that is missing and where it is offered.
    """
    tasks, missing = [], []
    for text in suite.entries:
        entry = datasets.Entry.parse(text)
        try:
            names = datasets.find(data, entry.set).names()[: suite.limit]
        except BenchmarkError as error:
            missing.append(str(error))
            continue
        for name in names:
            for method, effort in methods:
                crop = suite.crop or 0
                tasks.append(Task(data, entry, name, method, effort, crop=crop, **settings))
    if missing and not (skip_missing and tasks):
        hint = "" if skip_missing else "; --skip-missing leaves such sets out"
        hint += f" (suites: {', '.join(SUITES)})"
        raise BenchmarkError("; ".join(missing) + hint)
    return tasks, missing


def unfinished(tasks: Sequence[Task], store: Store, *, retry: bool) -> list[Task]:
    """Return the tasks without a row; with `retry` also those whose row is an error."""
    done = store.done(errors=not retry)
    return [task for task in tasks if tuple(task.key()[name] for name in KEY) not in done]


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


class _environment:  # noqa: N801 - used as a statement
    """Variables that a process started meanwhile inherits."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = variables

    def __enter__(self) -> None:
        self.before = {name: os.environ.get(name) for name in self.variables}
        os.environ.update(self.variables)

    def __exit__(self, *_: object) -> None:
        for name, value in self.before.items():
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
