"""What is done to an averaged prediction, whatever network made it."""

import math
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Tensor

from zspot.core.errors import RecipeError, shown
from zspot.core.progress import Clock
from zspot.core.ranges import OneOf, Part, Range, require
from zspot.filters.local import restore_texture, to_local_mean, to_local_median
from zspot.filters.nonlocal_bayes import guided, nl_bayes
from zspot.filters.patch_noise import PatchNoise
from zspot.filters.points import restore_points
from zspot.filters.stabilise import Stabiliser
from zspot.noise.posterior import with_own_values
from zspot.noise.whitening import Measured
from zspot.recipe.masks import SMALL

SEARCHES = ("coarse", "sparse", "near", "usual", "wide", "widest")

_TICKS = 50  # of the clock in a non-local estimate
_COST = 9.0  # of the non-local estimate without a guide, in fit steps on the whole, per channel
_LEAST, _MOST = 1e-12, 1e6  # variances of noise, in standardised intensities
_WEAK = 0.03  # variance of noise, in standardised intensities
_FAINTEST = 1e-6  # variance of a channel's noise, to that of the noisiest channel
_NOTHING = 1e-5  # of the power of the image: noise too weak for float32 to solve with


def independent(variances: tuple[float, ...]) -> tuple[float, ...]:
    """Return `Finish.noise` for channels whose noise is independent, of these variances."""
    least = _FAINTEST * max(variances)  # a covariance of 0 cannot be inverted
    return tuple(torch.tensor(variances).double().clamp(min=least).diag().flatten().tolist())


@dataclass(frozen=True)
class Finish(Part):
    """What is done to the averaged prediction, in this order; by default nothing."""

    family = "finish"
    #: where more than this many times the usual was removed, it comes back; 0 is off
    guard: Annotated[float, Range(1, 10**9, zero=True)] = 0.0
    #: let a pixel's own value count beside a prediction that has not seen it: where more than noise
    #: was removed, the rest comes back. Not for noise that is neither white nor weak, nor where the
    #: image is smaller than 192 x 192 pixels: how strong noise is is not known well enough there
    posterior: bool = False
    #: Weight in [0, 1] of a closed-form non-local estimate, which errs differently from a network.
    #: The noise is that of `noise` or `removed`, else as the report measures.
    similar: Annotated[float, Range(0, 1)] = 0.0
    #: let the prediction guide the non-local estimate: one pass instead of three, but for white
    #: noise and a weight below 1 passes that find more of what the prediction lost
    guided: bool = False
    #: how often that is done, guided by and with the noise that is `removed` by the one before
    rounds: Annotated[int, Range(1, 100)] = 1
    #: covariance of white noise between C channels, row by row (C * C values), standardised
    #: intensities
    noise: tuple[float, ...] = ()
    #: Take as noise what the prediction removed, its deviation times this, with the correlations
    #: between neighbours and channels that it has; 0 is off. A network takes away less than all of
    #: correlated noise: values above 1 make up for that.
    removed: Annotated[float, Range(1e-3, 100, zero=True)] = 0.0
    #: How far that looks for similar patches: 12 pixels (coarse: at half the places, for smaller
    #: patches), 24, 48 (beyond 12 at every second row and column) or 48 at every place. For white
    #: noise "coarse" looks 16 pixels far and at fewer places, every other 24.
    search: Annotated[str, OneOf(SEARCHES)] = "usual"
    follows: bool = False  #: let the variance of that noise follow the brightness along a line
    #: "median" and "mean" move the result so that this is zero of what was removed, locally. Noise
    #: that went through a camera's tone curve, or was cut off at black or white, has a median near
    #: zero but not a mean; photon noise has a mean of zero.
    centre: Annotated[str, OneOf(("none", "median", "mean"))] = "none"
    #: standard deviation in pixels of the window of that median or mean
    window: Annotated[float, Range(1, 10**4)] = 24.0
    #: how much of the way to it the result is moved, in [0, 1]
    shift: Annotated[float, Range(0, 1)] = 1.0
    #: Do everything at half the size, too, and at half of that, ..., so often in all, and take the
    #: low frequencies from there: coarse grain of microscopes is told from the picture there. Needs
    #: `fit.steps` = 0.
    scales: Annotated[int, Range(1, 8)] = 1
    #: give point-like maxima (stars, particles) back what light was lost of them
    points: bool = False
    #: share of what was removed that stays removed, in [0, 1]; 0 returns the input
    strength: Annotated[float, Range(0, 1)] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        count, channels = len(self.noise), math.isqrt(len(self.noise))
        what = f"finish.noise has {count} values: give C * C covariances of C channels"
        require(channels**2 == count, what)
        variances = self.noise[:: channels + 1]
        largest = [math.sqrt(abs(a * b)) for a in variances for b in variances]
        sized = all(abs(v) <= 1.001 * most for v, most in zip(self.noise, largest, strict=True))
        sized = sized and all(_LEAST <= value <= _MOST for value in variances)
        what = f"finish.noise = {shown(self.noise)}: variances must lie between {_LEAST:g} and"
        require(sized, f"{what} {_MOST:g}, and covariances be no larger")
        require(not (self.noise and self.removed), "finish: give noise or removed, not both")
        require(self.rounds == 1 or self.guided, "finish.rounds: needs finish.guided")

    def work(self, y: Tensor) -> tuple[int, float]:
        """Return how often `apply` ticks on a plane and what that costs, in fit steps on all."""
        if self.similar == 0:
            return 0, 0.0
        fewer = 1 if not self.guided else 2 if not self.removed else 4
        return self.rounds * _TICKS, _COST / fewer * len(y) / _TICKS

    def apply(self, estimate: Tensor, noisy: Tensor, clock: Clock) -> Tensor:
        """Return what becomes of an estimate (C, H, W); the clock has a stage "finish"."""
        if self.guard > 0:
            estimate = restore_texture(estimate, noisy, self.guard)
        if self.posterior and noisy[0].numel() >= SMALL:
            noise = Measured.of(noisy)
            if noise.is_white or noise.variance < _WEAK:  # neighbours tell little of it
                estimate = with_own_values(estimate, noisy, noise)
        if self.similar > 0:
            try:
                similar = estimate
                for _ in range(self.rounds):
                    similar = self._similar(similar, noisy, clock)
            except (IndexError, torch.linalg.LinAlgError):  # pyright: ignore
                what = "the noise of finish is too weak to compute with: set finish.similar = 0"
                raise RecipeError(what) from None
            estimate = torch.lerp(estimate, similar, self.similar)
        if self.centre != "none":
            move = to_local_median if self.centre == "median" else to_local_mean
            estimate = torch.lerp(estimate, move(estimate, noisy, self.window), self.shift)
        if self.points:
            estimate = restore_points(estimate, noisy)
        return estimate if self.strength == 1 else noisy + self.strength * (estimate - noisy)

    def in_units(self, ratio: float) -> "Finish":
        """Return the same for standardised intensities that are `ratio` times as large."""
        return replace(self, noise=tuple(ratio**2 * value for value in self.noise))

    def _similar(self, estimate: Tensor, noisy: Tensor, clock: Clock) -> Tensor:
        ticked = 0

        def tick(share: float) -> None:
            nonlocal ticked
            before, ticked = ticked, int(share * _TICKS)
            clock.tick("finish", ticked - before)

        pilot, channels = estimate if self.guided else None, len(noisy)
        even, white = None, bool(self.noise)
        if self.removed > 0:
            if (noisy - estimate).square().mean() < _NOTHING * noisy.square().mean():
                return estimate
            noise = PatchNoise.measured(noisy, estimate, self.removed, self.follows)
        elif self.noise:
            what = f"finish.noise has {len(self.noise)} values and the image {channels} channels"
            require(len(self.noise) == channels**2, f"{what} that vary: give {channels**2}")
            noise = PatchNoise(torch.tensor(self.noise).view(channels, channels))
        else:
            found = Measured.of(noisy)
            if found.variance < _NOTHING * float(noisy.square().mean()):
                return noisy if pilot is None else pilot
            if not (live := found.channels.diagonal() > 0).all():  # others would be all that counts
                done = (noisy if pilot is None else pilot).clone()
                done[live] = self._similar(estimate[live], noisy[live], clock)
                return done
            white = found.is_of_photons or found.is_white
            lines = (found.slope, found.level) if found.grows else ()
            noise = PatchNoise(found.channels, None if found.is_white else found.lags, *lines)
            if found.is_of_photons:
                even, noise = Stabiliser.of(found.start, found.slope), PatchNoise(found.correlation)
                noisy, pilot = even(noisy), None if pilot is None else even(pilot)
        passes = guided(self.search, channels, white, self.similar < 1) if self.guided else None
        similar = nl_bayes(noisy, noise, passes=passes, pilot=pilot, tick=tick)
        return similar if even is None else even.inverse(similar)
