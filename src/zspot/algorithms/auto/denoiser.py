"""Looks at the noise, chooses what to run, runs it and says why."""

import time
from dataclasses import dataclass, replace

from torch import Tensor

from zspot.algorithms.auto.choice import Choice, choose, pretrained_estimate
from zspot.algorithms.auto.crops import spread
from zspot.algorithms.auto.evidence import examine
from zspot.algorithms.auto.explain import reason
from zspot.algorithms.auto.strength import SIDES, how_strong
from zspot.core.progress import Report, looking
from zspot.engine import Denoised, run


@dataclass(frozen=True)
class Auto:
    """The denoiser of an effort: "fast", "balanced" or "best"."""

    effort: str

    def __call__(
        self, plane: Tensor, *, seed: int, report: Report | None = None, memory: int | None = None
    ) -> Denoised:
        """Denoise a standardised plane (C, H, W)."""
        started = time.perf_counter()
        choice = self._choose(plane, seed, looking(report), memory)
        looked = time.perf_counter() - started
        done = run(choice.recipe, plane, seed=seed, report=report, memory=memory)
        return replace(done.explained(reason(choice)), timings={"look": looked, **done.timings})

    def _choose(
        self, plane: Tensor, seed: int, report: Report | None, memory: int | None
    ) -> Choice:
        sample = spread(plane)
        first = run(pretrained_estimate("fast"), sample, seed=seed, report=report, memory=memory)
        choice = choose(examine(sample, first.mean), plane.shape, self.effort)
        if choice.route != "correlated":
            return choice
        return choice.after(how_strong(choice.recipe, plane, SIDES[self.effort], report))
