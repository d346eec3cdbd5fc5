"""How strong correlated noise is taken to be, relative to what the pretrained estimate removed.

That is less than all of it, so greater strengths are tried on parts of the image, and what they
remove in addition is judged; docs/method/auto.md says how.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean

from torch import Tensor

from zspot.algorithms.auto import thresholds
from zspot.algorithms.auto.crops import samples
from zspot.core.progress import Clock, Report
from zspot.engine import run
from zspot.noise.residual import channel_correlation, coherence, detail_correlation, likeness
from zspot.recipe import Finish, Recipe

Strength = tuple[float, str]  # one of `TIMES`, and what was measured, in words
TIMES = (3.0, 2.0, 1.0)
"""Deviations of the noise to those of what the pretrained estimate removed that are tried."""

SIDES = {"fast": 128, "balanced": 192, "best": 256}
"""Side of the part on which they are tried, by effort, pixels."""


@dataclass(frozen=True)
class _Part:
    """A part of the image, its first estimate, and the second by the strength of the noise."""

    noisy: Tensor
    pilot: Tensor
    estimate: Callable[[float], Tensor]


def how_strong(recipe: Recipe, plane: Tensor, side: int, report: Report | None) -> Strength:
    """Choose the strength of a plane's correlated noise for its recipe, on `crops.samples`."""
    first = replace(recipe, predict=replace(recipe.predict, turns=1), finish=Finish())
    without = {"guard": 0.0, "centre": "none", "points": False}
    plain = replace(recipe.finish, search="near", strength=1.0, **without)

    def part(noisy: Tensor) -> _Part:
        pilot = run(first, noisy, report=report).mean

        @cache
        def estimate(times: float) -> Tensor:
            clock = Clock(report, {"finish": plain.work(noisy)})
            return replace(plain, removed=times).apply(pilot, noisy, clock)

        return _Part(noisy, pilot, estimate)

    judge = _in_colour if len(plane) > 1 else _in_grey
    return judge([part(noisy) for noisy in samples(plane, side)])


def _in_colour(parts: list[_Part]) -> Strength:
    """Ask whether what the greatest strength removes in addition has direction and colour."""
    strong, middle, weak = TIMES
    noise, picture = thresholds.PICTURE
    more = [part.estimate(weak) - part.estimate(strong) for part in parts]
    removed = [part.noisy - part.estimate(weak) for part in parts]
    directed = fmean(map(coherence, more))
    agreeing = fmean(map(channel_correlation, more)) - fmean(map(channel_correlation, removed))
    words = f"what {strong:g} times removes in addition has coherence {directed:.2f}"
    words += f" and channels that correlate by {agreeing:+.2f} relative to the noise's"
    if directed + agreeing < noise:
        return strong, f"{words}: noise"
    if directed + agreeing < picture:
        return middle, f"{words}: perhaps picture"
    return weak, f"{words}: picture"


def _in_grey(parts: list[_Part]) -> Strength:
    """Ask whether what a strength removes goes on with the rest, else whether it is detail."""
    strong, weak = TIMES[0], TIMES[-1]
    goes_on = fmean(
        likeness(p.pilot - p.estimate(weak), p.estimate(weak) - p.estimate(strong)) for p in parts
    )
    if goes_on > 0:
        return strong, f"what that removes in addition goes on with the rest ({goes_on:+.2f})"
    for times in TIMES:
        follows = fmean(detail_correlation(p.noisy, p.estimate(times), p.pilot) for p in parts)
        if follows <= thresholds.NO_DETAIL:
            words = f"correlates by {follows:.2f} with the detail of the picture"
            return times, f"what is removed then {words}"
    return weak, "what is removed then still follows the detail of the picture, but least"
