"""Progress of a long run, told to whoever asks."""

import time
from collections.abc import Callable
from dataclasses import dataclass


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
    if report is None:
        return None
    return lambda _: report(Progress("look", 0.0, 1.0, None))


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

    def tick(self, stage: str) -> None:
        """Count one step of a stage and report; whatever the receiver raises stops the run."""
        self.skip(stage, 1)

    def skip(self, stage: str, steps: int) -> None:
        """Count steps of a stage, done or no longer needed, and report."""
        if self._report is None or steps == 0:
            return
        self._done += self._cost[stage] * steps
        per_unit = (time.perf_counter() - self._started) / self._done
        left = max(0.0, self._total - self._done)
        self._report(Progress(stage, self._done, self._total, per_unit * left))
