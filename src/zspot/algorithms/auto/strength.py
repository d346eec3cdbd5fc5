"""How strong correlated noise is taken to be, relative to what the warm start removed.

A warm start takes away less than all of the noise of real cameras and microscopes, and all of the
noise it was trained on. So a greater strength is tried on parts of the image, and what it removes
in addition is looked at: is it noise, or picture?

- In colour it is picture if it has a direction, as edges and hair have, and its channels agree far
  more than those of the noise do.
- In grey it is noise if it goes on with what the non-local estimate took from the warm start's.
  Where that estimate rather puts detail back, the strength is the largest at which what is removed
  does not follow the detail of the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean

import torch

from zspot import engine
from zspot.algorithms.auto.crops import samples
from zspot.core.progress import Clock, Report
from zspot.noise.residual import channel_correlation, coherence, detail_correlation, likeness
from zspot.recipe import Finish, Recipe

TIMES = (3.0, 2.0, 1.0)
"""Deviations of the noise to those of what the warm start removed that are tried."""

PICTURE = (1.0, 1.2)
"""In colour, coherence and by how much channels correlate more than those of the noise: where both
add up to less than the first the greatest strength is taken, from the second on the least. On PolyU
and CC, where the greatest is best or loses 0.2 dB, 0.1 to 0.96, but for one image whose best is the
middle one, 1.02; on SIDD, where it hardly matters, 0.2 to 1.4; on photographs whose noise differs
between channels 0.7 to 1.3."""

NO_DETAIL = 0.15
"""What was removed may correlate with the detail of the picture up to this; see
`zspot.noise.residual`.
On fur with known noise it was 0.4 where the non-local estimate lost 0.5 to 1.4 dB against the warm
start and 0.17 where an image came out worse than it went in; on CC at most 0.1."""


@dataclass(frozen=True)
class _Part:
    noisy: torch.Tensor
    pilot: torch.Tensor
    estimate: Callable[[float], torch.Tensor]


def how_strong(
    recipe: Recipe, plane: torch.Tensor, side: int, report: Report | None
) -> tuple[Recipe, str]:
    """Choose the strength of the noise.

    Parameters
    ----------
    recipe : Recipe
        For correlated noise, see `zspot.algorithms.auto.choice`.
    plane : float tensor (C, H, W)
    side : int
        Of the part in the middle on which it is tried, pixels.
    report : callable or None

    Returns
    -------
    recipe : Recipe
        With that strength.
    reason : str
        In words.
    """
    parts = _parts(recipe, plane, side, report)
    times, why = (_in_colour if len(plane) > 1 else _in_grey)(parts)
    reason = f"taken as {times:g} times as strong as what the warm start removed, for {why}"
    return replace(recipe, finish=replace(recipe.finish, removed=times)), reason


def _parts(recipe: Recipe, plane: torch.Tensor, side: int, report: Report | None) -> list[_Part]:
    predict = replace(recipe.predict, turns=False)
    first = replace(recipe, predict=predict, finish=Finish())
    plain = replace(recipe.finish, search="near", guard=0.0, centre="none", strength=1.0)

    def part(noisy: torch.Tensor) -> _Part:
        pilot = engine.run(first, noisy, report=report).mean

        @cache
        def estimate(times: float) -> torch.Tensor:
            clock = Clock(report, {"finish": plain.work(noisy)})
            return replace(plain, removed=times).apply(pilot, noisy, clock)

        return _Part(noisy, pilot, estimate)

    return [part(noisy) for noisy in samples(plane, side)]


def _in_colour(parts: list[_Part]) -> tuple[float, str]:
    strong, middle, weak = TIMES
    more = [part.estimate(weak) - part.estimate(strong) for part in parts]
    noise = [part.noisy - part.estimate(weak) for part in parts]
    directed = fmean(map(coherence, more))
    agreeing = fmean(map(channel_correlation, more)) - fmean(map(channel_correlation, noise))
    words = f"what {strong:g} times removes in addition has coherence {directed:.2f}"
    words += f" and channels that correlate by {agreeing:+.2f} relative to the noise's"
    if directed + agreeing < PICTURE[0]:
        return strong, f"{words}: noise"
    if directed + agreeing < PICTURE[1]:
        return middle, f"{words}: perhaps picture"
    return weak, f"{words}: picture"


def _in_grey(parts: list[_Part]) -> tuple[float, str]:
    strong, weak = TIMES[0], TIMES[-1]
    goes_on = fmean(
        likeness(part.pilot - part.estimate(weak), part.estimate(weak) - part.estimate(strong))
        for part in parts
    )
    if goes_on > 0:
        return strong, f"what that removes in addition goes on with the rest ({goes_on:+.2f})"
    for times in TIMES:
        follows = fmean(
            detail_correlation(part.noisy, part.estimate(times), part.pilot) for part in parts
        )
        if follows <= NO_DETAIL:
            words = f"correlates by {follows:.2f} with the detail of the picture"
            return times, f"what is removed then {words}"
    return weak, "what is removed then still follows the detail of the picture, but least"
