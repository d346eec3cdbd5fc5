"""MASH: hide as much as the noise is correlated, and shuffle flat parts where it is strongly so."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import Tensor

from zspot.core.progress import Report, within
from zspot.engine import Denoised, Denoiser, run
from zspot.recipe import Bernoulli, Constant, Fit, Noisy, Predict, Recipe, Shuffled, UNet

PROBES = (0.8, 0.2)  # keep probabilities
_RUNS = len(PROBES) + 1

_EFFORTS = {
    "fast": (UNet(24, 1, 0.0), Fit(100, 2e-3, "one-cycle")),
    "balanced": (UNet(32, 1, 0.0), Fit(250, 2e-3, "one-cycle")),
    "best": (UNet(48, 1, 0.0), Fit(800, 4e-4, "cosine")),
}


@dataclass(frozen=True)
class Settings:
    """What follows from the gap of the two probes."""

    thresholds: tuple[float, float] = (1.0, 2.0)  #: of the gap, in 255ths of the image's range
    #: share of hidden pixels below, between and above them
    hidden: tuple[float, float, float] = (0.1, 0.5, 0.9)
    flat_below: float = 0.5  #: see `zspot.recipe.Shuffled.threshold`


RELEASED = Settings()
PRINTED = Settings((1.5, 2.5), (0.2, 0.5, 0.8))


def base(effort: str) -> Recipe:
    """Return what the probes and the final fit have in common."""
    network, fit = _EFFORTS[effort]
    parts = Bernoulli(keep=0.5, exclusion="none"), Constant("zero"), Noisy(), network
    return Recipe("mash", *parts, fit=fit, predict=Predict(passes=10))


def choose(common: Recipe, gap: float, settings: Settings) -> Recipe:
    """Return the recipe for a gap between the probes, in 255ths of the image's range."""
    level = sum(gap > threshold for threshold in settings.thresholds)
    shuffled = level == 2 and common.fit.steps > 1
    after = min(50, max(1, common.fit.steps // 4))
    target = Shuffled(after=after, threshold=settings.flat_below) if shuffled else Noisy()
    mask = replace(common.mask, keep=round(1 - settings.hidden[level], 6))
    return replace(common, mask=mask, target=target)


def make(effort: str, settings: Settings = RELEASED) -> Denoiser:
    """Return the denoiser of an effort: "fast", "balanced" or "best" (as published)."""
    return partial(_denoise, base(effort), settings)


def _denoise(
    common: Recipe, settings: Settings, plane: Tensor, *, report: Report | None = None, **more: Any
) -> Denoised:
    """Probe a standardised plane (C, H, W) with a recipe, then run it as the gap asks for."""
    unit = float(plane.max() - plane.min()) / 255
    levels, found = [], []
    for number, keep in enumerate(PROBES):
        probe = replace(common, mask=replace(common.mask, keep=keep))
        done = run(probe, plane, report=within(report, number, _RUNS), **more)
        levels.append(float((plane - done.mean).std()))
        found.append(f"{levels[-1] / unit:.2f} by one that keeps {keep:.0%}")
    recipe = choose(common, (levels[1] - levels[0]) / unit, settings)
    done = run(recipe, plane, report=within(report, 2, _RUNS), **more)
    assert isinstance(recipe.mask, Bernoulli)
    shuffled = " and shuffles flat tiles" if isinstance(recipe.target, Shuffled) else ""
    hides = f"hides {1 - recipe.mask.keep:.0%} of the pixels{shuffled}"
    level = f"two probes find a noise level of {' and '.join(found)} (255ths of the range)"
    return done.explained(f"{hides}; {level}")
