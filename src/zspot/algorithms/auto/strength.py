"""How strong correlated noise is, relative to what the pretrained estimate removed."""

import math
import operator
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

from torch import Tensor

from zspot.algorithms.auto import thresholds
from zspot.algorithms.auto.choice import Choice, kind_of_noise
from zspot.algorithms.auto.crops import samples
from zspot.core.progress import Clock, Report
from zspot.engine import run
from zspot.noise import residual
from zspot.recipe import Finish, Recipe

Estimate = Callable[[float], Tensor]
Strength = tuple[float, str]  # times the deviation that was removed, and why, in words
LEAST, MOST = 1.0, 8.0
"""Deviations of the noise, to those of what the pretrained estimate removed, that are tried."""

SIDES = {"fast": 128, "balanced": 192, "best": 256}
"""Side of the part on which they are tried, by effort, pixels."""


def how_strong(choice: Choice, plane: Tensor, side: int, report: Report | None) -> Strength:
    """Choose the strength of a plane's correlated noise on `crops.samples` of it."""
    found = [measures(part, *trial(choice.recipe, part, report)) for part in samples(plane, side)]
    means = {name: fmean(one[name] for one in found) for name in found[0]}
    offset, *factors = thresholds.STRENGTH[kind_of_noise(len(plane), choice.evidence.share)]
    power = offset + sum(map(operator.mul, factors, means.values()))
    times = math.exp(min(max(power, math.log(LEAST)), math.log(MOST)))
    words = ", ".join(f"{name} {value:.2f}" for name, value in means.items())
    return round(times, 2), f"{LEAST:g} and {MOST:g} times give {words}"


def trial(recipe: Recipe, part: Tensor, report: Report | None = None) -> tuple[Tensor, Estimate]:
    """Return the first estimate of a part (C, H, W), and the second for any strength."""
    turned = replace(recipe.predict, turns=1)
    pilot = run(replace(recipe, predict=turned, finish=Finish()), part, report=report).mean
    without = {"guard": 0.0, "centre": "none", "points": False}
    plain = replace(recipe.finish, search="near", strength=1.0, **without)

    def estimate(times: float) -> Tensor:
        clock = Clock(report, {"finish": plain.work(part)})
        return replace(plain, removed=times).apply(pilot, part, clock)

    return pilot, estimate


def measures(part: Tensor, pilot: Tensor, estimate: Estimate) -> dict[str, float]:
    """Return what `thresholds.STRENGTH` weighs, of a part of a standardised plane (C, H, W)."""
    weak, strong = estimate(LEAST), estimate(MOST)
    return {
        "removed": residual.log_energy(part - strong),
        "more": residual.log_energy(weak - strong),
        "in calm places": residual.calm_energy(part, strong),
        "coherence": residual.coherence(weak),
        "coherence left": residual.coherence(strong),
        "coherence lost": residual.coherence(weak - strong),
        "first correlation": residual.neighbour_correlation(part - pilot),
        "correlation": residual.neighbour_correlation(part - weak),
        "shared by channels": residual.channel_correlation(part - weak),
    }
