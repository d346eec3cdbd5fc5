"""Looks at the noise, chooses what to run, runs it and says why."""

import time
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from zspot.algorithms.auto import thresholds, unknown
from zspot.algorithms.auto.choice import Choice, choose, pretrained_estimate
from zspot.algorithms.auto.crops import samples, spread
from zspot.algorithms.auto.evidence import examine
from zspot.algorithms.auto.explain import explain, reason
from zspot.algorithms.auto.strength import SIDES, how_strong
from zspot.algorithms.few_photons import bin_side, in_bins
from zspot.core.progress import Report, looking
from zspot.engine import Denoised, run
from zspot.noise.whitening import Measured

_MEASURED = 512  # side of the middle of the image whose noise is measured, pixels
_LEAST = 1e-12  # variance that keeps divisions finite
_TOLD = "its strength was told"
_KEPT = "learning on removed less than the pretrained estimate and is left out"


@dataclass(frozen=True)
class Auto:
    """The denoiser of an effort: "fast", "balanced" or "best"."""

    effort: str

    def __call__(
        self, plane: Tensor, *, report: Report | None = None, sigma: float | None = None, **how: Any
    ) -> Denoised:
        """Denoise a standardised plane (C, H, W), of white noise if its deviation is told."""
        side, why = bin_side(plane, "auto")
        if side > 1 and sigma is None:
            return in_bins(self, plane, side, why, report=report, **how)
        started = time.perf_counter()
        choice = self._choose(plane, looking(report), sigma, **how)
        looked = time.perf_counter() - started
        done = run(choice.recipe, plane, report=report, **how)
        first = choice.evidence.share * plane.square().mean()
        first = first if sigma is None else first.clamp(max=sigma**2)
        removed = (plane - done.mean).square().mean()
        if choice.recipe.fit.steps and removed < thresholds.KEPT * first:
            choice = choose(choice.evidence, plane.shape, "fast", sigma is not None)
            choice = replace(choice, found=_KEPT)
            done = run(choice.recipe, plane, report=report, **how)
        told = (*done.told, *([] if choice.recipe.finish.strength else [explain(choice)]))
        done = replace(done, timings={"look": looked, **done.timings}, told=told)
        return done.explained(reason(choice))

    def _choose(
        self, plane: Tensor, report: Report | None, sigma: float | None, **how: Any
    ) -> Choice:
        choice, noise = self.usual(plane, report, sigma, **how)
        if noise is None:
            return choice
        more = unknown.measures(choice, plane, noise, report)
        if not unknown.is_noise(choice.evidence.is_faint, more):
            return choice  # texture that was measured as noise
        return choice.whitened(len(plane), noise.grows, more["share"])

    def usual(
        self, plane: Tensor, report: Report | None, sigma: float | None, **how: Any
    ) -> tuple[Choice, Measured | None]:
        """Return what to run on noise that the network knows, and the noise if there is more."""
        sample = spread(plane)
        first = run(pretrained_estimate("fast"), sample, report=report, **how)
        evidence = examine(sample, first.mean)
        removed = float((sample - first.mean).square().mean())
        if sigma is not None:
            told = replace(evidence, level=(sigma,) * len(plane), agreement=removed / sigma**2)
            return replace(choose(told, plane.shape, self.effort, white=True), found=_TOLD), None
        choice = choose(evidence, plane.shape, self.effort)
        noise = Measured.of(samples(plane, _MEASURED)[0])
        share = removed / max(noise.variance, _LEAST)
        few, many = thresholds.REMOVED
        camera = len(plane) > 1 and evidence.correlation > thresholds.CAMERA[1]
        if noise.is_certain and noise.is_of_photons and choice.route in ("uneven", "correlated"):
            choice = choice.stabilised(len(plane))
        elif choice.route == "correlated" and evidence.is_of_camera:
            if noise.is_certain and few < share < many and not camera:
                choice = choice.after(1.0, "the noise report finds no more noise than that")
            else:
                choice = choice.after(*how_strong(choice, plane, SIDES[self.effort], report))
        few = thresholds.REMOVED_WHITE if evidence.is_white else few
        more = noise.is_certain and share <= few and not (camera and choice.times)
        return choice, noise if more else None
