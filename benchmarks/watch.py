"""Progress of a benchmark run, with the time left."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    import pandas as pd

    from benchmarks.worker import Task


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
        self._seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._shares: dict[Task, float] = {}
        if earlier is not None:
            for row in earlier.dropna(subset=["seconds"]).itertuples():
                self._seconds[str(row.method), str(row.effort)].append(float(row.seconds))  # type: ignore[arg-type]
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
            f"{t.entry}/{t.image} {t.method} {share:.0%}" for t, share in shares.items()
        )
        self._bar.update(self._line, description=escape(words), left=self._text())

    def finished(self, task: Task, row: dict[str, Any]) -> None:
        """Count a task that is done, and print its row."""
        self._left.remove(task)
        self._shares.pop(task, None)
        if row.get("seconds") is not None:
            self._seconds[task.method, task.effort].append(row["seconds"])
        self._bar.update(self._line, advance=1, left=self._text())
        name = f"{task.entry}/{task.image} {task.method} {task.effort}".strip()
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
            means.get((t.method, t.effort), usual) * (1 - self._shares.get(t, 0.0))
            for t in self._left
        )
        return total / self._jobs

    def _text(self) -> str:
        left = self.seconds_left()
        return "" if left is None else f"{timedelta(seconds=round(left))} left"


def _quality(row: dict[str, Any]) -> str:
    if row.get("psnr") is None:
        return ""
    return f"{row['psnr']:.2f} dB, {row['ssim']:.4f}, "
