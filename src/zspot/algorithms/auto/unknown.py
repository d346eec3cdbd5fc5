"""Noise that the image is measured to hold and the pretrained network does not know.

Where the noise report is sure of more noise than the first estimate removed, the noise is made
white first, if that proves the better way on a part of the image; see docs/method/auto.md.
"""

from dataclasses import replace

from torch import Tensor

from zspot.algorithms.auto.choice import Choice, choose, made_white
from zspot.algorithms.auto.crops import samples
from zspot.algorithms.auto.thresholds import THRESHOLDS
from zspot.core.progress import Report
from zspot.engine import run
from zspot.noise.residual import detail_correlation, neighbour_correlation
from zspot.noise.whitening import Measured

_TRIED = 256  # side of what the noise is removed from on trial, pixels


def unknown_noise(choice: Choice, plane: Tensor, noise: Measured, report: Report | None) -> Choice:
    """Return what to run on a plane (C, H, W) that holds more noise than was removed."""
    part = samples(plane, _TRIED)[0]
    usual = choose(choice.evidence, part.shape, "fast")
    usual = usual.after(choice.times, choice.found) if choice.times else usual
    other = run(made_white(len(plane), "fast", noise.grows), part, report=report).mean
    more = run(usual.recipe, part, report=report).mean - other
    share = float(more.square().mean()) / noise.variance
    follows = detail_correlation(other + more, other, other)
    bound, sure = THRESHOLDS.more
    finer = noise.lag_one - neighbour_correlation(more / more.std().clamp(min=1e-9))
    if choice.evidence.is_white and finer < -THRESHOLDS.finer / 2:
        return choice  # white noise is not as coarse: that is texture
    if share < bound or finer > THRESHOLDS.finer or (share < sure and follows > THRESHOLDS.follows):
        return choice
    why = f"what that removes in addition is {share:.0%} of the noise that is measured"
    recipe = made_white(len(plane), choice.effort, noise.grows)
    return replace(choice, route="unknown", recipe=recipe, times=0.0, found=why)
