"""Looks at the noise, chooses what to run, runs it and says why."""

import time
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from zspot.algorithms.auto.choice import Choice, choose, pretrained_estimate
from zspot.algorithms.auto.crops import samples, spread
from zspot.algorithms.auto.evidence import examine
from zspot.algorithms.auto.explain import reason
from zspot.algorithms.auto.strength import SIDES, how_strong
from zspot.algorithms.auto.thresholds import THRESHOLDS
from zspot.algorithms.auto.unknown import unknown_noise
from zspot.core.progress import Report, looking
from zspot.engine import Denoised, run
from zspot.noise.whitening import Measured

_MEASURED = 512  # side of the middle of the image whose noise is measured, pixels
_LEAST = 1e-12  # variance that keeps divisions finite
_ALL = "the noise report finds no more noise than that"
_KEPT = "learning on removed less than the pretrained estimate and is left out"


@dataclass(frozen=True)
class Auto:
    """The denoiser of an effort: "fast", "balanced" or "best"."""

    effort: str

    def __call__(self, plane: Tensor, *, report: Report | None = None, **more: Any) -> Denoised:
        """Denoise a standardised plane (C, H, W)."""
        started = time.perf_counter()
        choice = self._choose(plane, looking(report), **more)
        looked = time.perf_counter() - started
        done = run(choice.recipe, plane, report=report, **more)
        first = choice.evidence.share * plane.square().mean()
        removed = (plane - done.mean).square().mean()
        if choice.recipe.fit.steps and removed < THRESHOLDS.kept * first:
            choice = replace(choose(choice.evidence, plane.shape, "fast"), found=_KEPT)
            done = run(choice.recipe, plane, report=report, **more)
        return replace(done.explained(reason(choice)), timings={"look": looked, **done.timings})

    def _choose(self, plane: Tensor, report: Report | None, **more: Any) -> Choice:
        sample = spread(plane)
        first = run(pretrained_estimate("fast"), sample, report=report, **more)
        evidence = examine(sample, first.mean)
        choice = choose(evidence, plane.shape, self.effort)
        noise = Measured.of(samples(plane, _MEASURED)[0])
        share = float((sample - first.mean).square().mean()) / max(noise.variance, _LEAST)
        few, many = THRESHOLDS.removed
        camera = len(plane) > 1 and evidence.correlation > THRESHOLDS.camera[1]
        certain = noise.is_certain and noise.is_of_photons
        if certain and choice.route in ("uneven", "correlated"):
            choice = choice.stabilised(len(plane))
        elif choice.route == "correlated" and evidence.is_of_camera:
            if noise.is_certain and few < share < many and not camera:
                choice = choice.after(1.0, _ALL)
            else:
                side = SIDES[self.effort]
                choice = choice.after(*how_strong(choice.recipe, plane, side, report))
        few = THRESHOLDS.removed_white if evidence.is_white else few
        if noise.is_certain and share <= few and not (camera and choice.times):
            choice = unknown_noise(choice, plane, noise, report)
        return choice
