"""Progress of a long run, told to whoever asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One report of progress.

    Attributes
    ----------
    stage : str
        What is being done: "fit", "predict", ...
    done, total : int
        Steps done and steps in all, of this stage.
    seconds_left : float or None
        Expected time to the end of this stage; None before the first step is timed.
    """

    stage: str
    done: int
    total: int
    seconds_left: float | None

    @staticmethod
    def teller(stage: str, total: int, report: Report | None) -> Callable[[int], None]:
        """Return a function of the number of steps done that reports with the time left."""
        if report is None:
            return lambda done: None
        started = time.perf_counter()
        report(Progress(stage, 0, total, None))

        def tell(done: int) -> None:
            per_step = (time.perf_counter() - started) / done
            report(Progress(stage, done, total, per_step * (total - done)))

        return tell


Report = Callable[[Progress], None]
