"""What is done to an averaged prediction."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zspot.core.ranges import between, one_of, require

SEARCHES = ("coarse", "sparse", "near", "usual", "wide", "widest")


def independent(variances: tuple[float, ...]) -> tuple[float, ...]:
    """Return `Finish.noise` for channels whose noise is independent, of these variances."""
    count = len(variances)
    return tuple(variances[i] if i == j else 0.0 for i in range(count) for j in range(count))


@dataclass(frozen=True)
class Finish:
    """What is done to the averaged prediction, in this order; by default nothing.

    Parameters
    ----------
    guard : float
        Where more than this many times the usual was removed, it comes back
        (`zspot.filters.texture`);
        0 is off.
    similar : float
        Weight in [0, 1] of a closed-form non-local estimate (`zspot.filters.nonlocal_bayes`), which
        errs
        differently from a network; needs `noise` or `removed`.
    guided : bool
        Let the prediction guide the non-local estimate: one pass instead of three.
    noise : tuple of float
        Covariance of white noise between C channels, row by row (C * C values), standardised
        intensities.
    removed : float
        Take as noise what the prediction removed, its deviation times this, with the correlations
        between neighbours and channels that it has; 0 is off. Needs `guided`. A network takes
        away less than all of correlated noise: values above 1 make up for that.
    search : {"coarse", "sparse", "near", "usual", "wide", "widest"}
        How far that looks for similar patches: 12 pixels (coarse: at half the places, for smaller
        patches), 24, 48 (beyond 12 at every second row and column) or 48 at every place. For white
        noise "coarse" looks 16 pixels far and at fewer places, every other 24.
    follows : bool
        Let the variance of that noise follow the brightness along a line.
    centre : {"none", "median"}
        "median" moves the result so that the local median of what was removed is zero. Noise
        that went through a camera's tone curve, or was cut off at black or white, has a median
        near zero but not a mean.
    window : float
        Standard deviation in pixels of the window of that median.
    shift : float
        How much of the way to that median the result is moved, in [0, 1].
    strength : float
        Share of what was removed that stays removed, in [0, 1]; 0 returns the input.
    """

    guard: float = 0.0
    similar: float = 0.0
    guided: bool = False
    noise: tuple[float, ...] = ()
    removed: float = 0.0
    search: str = "usual"
    follows: bool = False
    centre: str = "none"
    window: float = 24.0
    shift: float = 1.0
    strength: float = 1.0

    def __post_init__(self) -> None:
        between("finish.similar", self.similar, 0, 1)
        require(
            math.isqrt(len(self.noise)) ** 2 == len(self.noise),
            f"finish.noise has {len(self.noise)} values: give C * C covariances of C channels",
        )
        require(
            self.similar == 0 or bool(self.noise) != (self.removed > 0),
            "finish.similar needs one of finish.noise and finish.removed",
        )
        between("finish.removed", self.removed, 0, 100)
        require(
            self.removed == 0 or self.guided,
            "finish.removed needs finish.guided = true: the noise is measured on the prediction",
        )
        require(
            self.guard == 0 or self.guard >= 1,
            f"finish.guard = {self.guard}: must be 0 (off) or at least 1",
        )
        one_of("finish.search", self.search, SEARCHES)
        one_of("finish.centre", self.centre, ("none", "median"))
        between("finish.window", self.window, 1, 10**4)
        between("finish.shift", self.shift, 0, 1)
        between("finish.strength", self.strength, 0, 1)
