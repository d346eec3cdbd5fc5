"""Progress of a long run, told to whoever asks, in words and as a bar."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_STAGES = {
    "look": "looking at the noise",
    "fit": "learning",
    "predict": "predicting",
    "finish": "finishing",
    "filter": "filtering",
}


@dataclass(frozen=True)
class Progress:
    """One report of progress."""

    stage: str  #: what is being done: "look", "fit", "predict", ...
    done: float  #: work done, in units of one fit step
    total: float  #: work of the whole run, likewise
    #: expected time to the end of the run; None before anything was timed
    seconds_left: float | None


Report = Callable[[Progress], None]


def within(report: Report | None, number: int, count: int) -> Report | None:
    """Turn the progress of run `number` (from 0) of `count` like ones into progress of all."""
    if report is None:
        return None
    started = time.perf_counter()

    def told(p: Progress) -> None:
        left = p.seconds_left
        if left is not None:  # the others take as long as this one, from its begin to its end
            left += (time.perf_counter() - started + left) * (count - 1 - number)
        report(Progress(p.stage, number * p.total + p.done, count * p.total, left))

    return told


def looking(report: Report | None) -> Report | None:
    """Turn the progress of a first look into a run that has not begun, which can be stopped."""
    return None if report is None else lambda _: report(Progress("look", 0.0, 1.0, None))


class Clock:
    """Counts the work of a run, steps and cost of a step by stage; silent without `report`."""

    def __init__(self, report: Report | None, work: dict[str, tuple[int, float]]) -> None:
        self._report = report
        self._cost = {stage: cost for stage, (_, cost) in work.items()}
        self._total = sum(steps * cost for steps, cost in work.values())
        self._done = 0.0
        self._started = time.perf_counter()
        if report is not None:
            first = next((stage for stage, (steps, _) in work.items() if steps), next(iter(work)))
            report(Progress(first, 0, self._total, None))

    def tick(self, stage: str, steps: int = 1) -> None:
        """Count steps, done or no longer needed; whatever the receiver raises stops the run."""
        if self._report is None or steps == 0:
            return
        self._done += self._cost[stage] * steps
        per_unit = (time.perf_counter() - self._started) / self._done
        left = max(0.0, self._total - self._done)
        self._report(Progress(stage, self._done, self._total, per_unit * left))


def stage_in_words(progress: Progress) -> str:
    """Say what is being done; a stage without words of its own is said as it is."""
    return _STAGES.get(progress.stage, progress.stage)


def left_in_words(progress: Progress) -> str:
    """Say how much is done and how long the rest takes."""
    done = f"{100 * progress.done / progress.total:.0f} %" if progress.total else "started"
    left = progress.seconds_left
    return done if left is None else f"{done}, about {duration(left)} left"


def duration(seconds: float) -> str:
    """Write a time in its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@contextmanager
def bar(name: str, console: Any) -> Iterator[Report]:
    """Show a bar on a console of rich, in a notebook that of tqdm, and yield what moves it."""
    if console.is_jupyter:
        from tqdm.auto import tqdm

        with tqdm(total=100, desc=name, bar_format="{desc} {bar} {n:.0f} %{postfix}") as widget:

            def move(p: Progress) -> None:
                widget.n = 100 * p.done / p.total if p.total else 0
                widget.set_postfix_str(f"{stage_in_words(p)}: {left_in_words(p)}")

            yield move
        return
    from rich.markup import escape
    from rich.progress import BarColumn, TaskProgressColumn
    from rich.progress import Progress as Bar

    columns = "{task.description}", BarColumn(), TaskProgressColumn(), "{task.fields[left]}"
    with Bar(*columns, console=console, transient=True) as shown:
        task = shown.add_task(escape(name), total=None, left="")

        def report(p: Progress) -> None:
            left = stage_in_words(p)
            if p.seconds_left is not None:
                left += f", {duration(p.seconds_left)} left"
            shown.update(task, completed=p.done, total=p.total, left=left)

        yield report
