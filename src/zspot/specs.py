"""The parts of a recipe as plain data, each checked when it is made. Nothing here imports torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

EXCLUSION_SIZE = {"none": 1, "cross": 5, "square": 9}
"""Pixels that must all be hidden for the centre to be scored, by exclusion shape."""

MIN_SCORED = 0.01
"""A loss that sees fewer pixels than this share learns next to nothing."""

LOSSES = ("l1", "l2")
SEARCHES = ("near", "usual", "wide")
SCHEDULES = ("cosine", "one-cycle", "constant")


class RecipeError(ValueError):
    """A recipe that cannot be run; the message says which value and what is allowed."""


def require(ok: bool, what: str) -> None:
    """Raise a `RecipeError` that says `what` unless `ok`."""
    if not ok:
        raise RecipeError(what)


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Require a value to be one of the allowed ones."""
    require(value in allowed, f"{name} = {value!r}: choose one of {', '.join(allowed)}")


def between(name: str, value: float, low: float, high: float) -> None:
    """Require a value to lie in a closed range."""
    require(low <= value <= high, f"{name} = {value}: must lie between {low} and {high}")


@dataclass(frozen=True)
class Bernoulli:
    """Random mask: each pixel stays visible with probability `keep`.

    Parameters
    ----------
    keep : float
        Probability in (0, 1) that a pixel stays visible.
    per_channel : bool
        Draw each channel's mask on its own (the paper's way) or one mask for all channels.
        One mask for all stops noise that is correlated between channels from leaking.
    exclusion : {"cross", "square", "none"}
        Hidden pixels within this 3x3 neighbourhood of a visible one are not scored.
    """

    keep: float = 0.1
    per_channel: bool = True
    exclusion: str = "cross"

    def __post_init__(self) -> None:
        require(0 < self.keep < 1, f"mask.keep = {self.keep}: must lie inside (0, 1)")
        one_of("mask.exclusion", self.exclusion, tuple(EXCLUSION_SIZE))
        require(
            self.scored_fraction >= MIN_SCORED,
            f"mask scores only {self.scored_fraction:.2%} of the pixels, too few to learn from: "
            "lower mask.keep or choose a smaller mask.exclusion",
        )

    @property
    def scored_fraction(self) -> float:
        """Expected share of scored pixels away from the border: (1 - keep)^(pixels excluded)."""
        return (1 - self.keep) ** EXCLUSION_SIZE[self.exclusion]


@dataclass(frozen=True)
class NoMask:
    """Hide nothing and score everything, for targets that keep the noise out by other means."""

    @property
    def scored_fraction(self) -> float:
        """Share of scored pixels: all."""
        return 1.0


@dataclass(frozen=True)
class Noisy:
    """Learn to predict the noisy image itself."""


@dataclass(frozen=True)
class Recorrupted:
    """Learn to predict y - w / tau from y + tau * w, with w drawn like the noise.

    For Gaussian noise of the variance given here the two are independent given the clean image,
    so the squared error learns the clean image although every pixel is visible (Pang et al.,
    Recorrupted-to-Recorrupted, CVPR 2021). Only for noise that is white.

    Parameters
    ----------
    variance, slope, floor : tuple of float
        Per channel, in standardised intensities: the noise variance is `variance` + `slope` times
        the signal, but at least `floor`. The signal is the network's first estimate.
    tau : float
        Balance between the two images' noise.
    """

    variance: tuple[float, ...]
    slope: tuple[float, ...]
    floor: tuple[float, ...]
    tau: float = 0.5

    def __post_init__(self) -> None:
        same = len(self.variance) == len(self.slope) == len(self.floor) > 0
        require(same, "target.variance, slope and floor need one value for each channel")
        require(min(self.floor) >= 0, "target.floor: must not be negative")
        require(self.tau > 0, f"target.tau = {self.tau}: must be positive")


@dataclass(frozen=True)
class Inr:
    """Fill hidden pixels with sub-pixel samples of an implicit neural representation (SIREN).

    Parameters
    ----------
    features, layers : int
        Width and number of linear layers of the MLP.
    w0 : float
        Frequency factor of the sine activations.
    gamma : bool
        Lift coordinates p to (p, sin 2^k pi p, cos 2^k pi p), k = 0 .. `bands` - 1.
    dropout : tuple of float
        Dropout after each of the `layers` - 1 sine layers.
    trained : bool
        Train the INR; False leaves it as initialised, as the published demo does.
    lr : float
        Adam learning rate of the INR.
    every : int
        The INR is trained at every `every`-th step.
    fit_weight, consistency_weight : float
        Weights of the fit loss on visible pixels and of the sub-pixel consistency loss.
    """

    features: int = 32
    layers: int = 6
    w0: float = 30.0
    gamma: bool = True
    bands: int = 10
    dropout: tuple[float, ...] = (0.35, 0.45, 0.55, 0.65, 0.75)
    trained: bool = True
    lr: float = 1e-5
    every: int = 5
    fit_weight: float = 1.0
    consistency_weight: float = 1.0

    def __post_init__(self) -> None:
        between("fill.features", self.features, 1, 4096)
        between("fill.layers", self.layers, 2, 64)
        between("fill.bands", self.bands, 1, 24)
        between("fill.every", self.every, 1, 10**9)
        require(self.lr > 0 and self.w0 > 0, "fill.lr and fill.w0 must be positive")
        require(
            len(self.dropout) == self.layers - 1,
            f"fill.dropout has {len(self.dropout)} values: give one for each of the "
            f"{self.layers - 1} sine layers (0 for none)",
        )
        for p in self.dropout:
            require(0 <= p < 1, f"fill.dropout = {p}: must lie in [0, 1)")


@dataclass(frozen=True)
class Constant:
    """Fill hidden pixels with one constant per channel.

    Parameters
    ----------
    value : {"mean", "zero"}
        The channel's mean, or its lowest value (black: the zero of a photograph, written so that
        shifting all intensities still shifts the result).
    """

    value: str = "mean"

    def __post_init__(self) -> None:
        one_of("fill.value", self.value, ("mean", "zero"))


@dataclass(frozen=True)
class UNet:
    """The Noise2Noise U-Net with optional dilation and dropout.

    Parameters
    ----------
    width : int
        Filters of an encoder block; the decoder has twice as many.
    dilation : {1, 2}
        Dilation of every convolution but the last.
    dropout : float
        Dropout after each encoder block, in [0, 1); stays on in prediction.
    """

    width: int = 48
    dilation: int = 2
    dropout: float = 0.5

    def __post_init__(self) -> None:
        between("network.width", self.width, 1, 1024)
        require(self.dilation in (1, 2), f"network.dilation = {self.dilation}: must be 1 or 2")
        require(0 <= self.dropout < 1, f"network.dropout = {self.dropout}: must lie in [0, 1)")


@dataclass(frozen=True)
class Prior:
    """The small residual U-Net that the project trains on photographs with simulated noise.

    Parameters
    ----------
    warm : bool
        Start from the trained weights; False starts from random ones.
    """

    warm: bool = True


@dataclass(frozen=True)
class Fit:
    """How long and how fast the network learns on the image.

    Parameters
    ----------
    steps : int
        Optimiser steps; 0 leaves the network as it starts.
    lr : float
        Peak learning rate of Adam.
    schedule : {"cosine", "one-cycle", "constant"}
        Cosine from `lr` to 0; one-cycle warms up over the first fifth, then cosine to 0.
    crop : int
        Side of the random square crops a step sees; 0 is the whole image.
    batch : int
        Crops of a step.
    """

    steps: int = 1200
    lr: float = 4e-4
    schedule: str = "cosine"
    crop: int = 0
    batch: int = 1

    def __post_init__(self) -> None:
        between("fit.steps", self.steps, 0, 10**7)
        between("fit.crop", self.crop, 0, 10**5)
        between("fit.batch", self.batch, 1, 10**4)
        require(self.crop > 0 or self.batch == 1, "fit.batch: needs fit.crop; 0 is one image")
        require(self.lr > 0, f"fit.lr = {self.lr}: must be positive")
        one_of("fit.schedule", self.schedule, SCHEDULES)


@dataclass(frozen=True)
class Predict:
    """How the final image is made from predictions.

    Parameters
    ----------
    passes : int
        Random masked predictions to average.
    turns : bool
        Average over the eight rotations and reflections of the image in each pass.
    phases : int
        Average over predictions of the whole image and of its pixel-shuffled 2x2, 3x3, ... phases
        up to this number, each phase by itself: there noise that is correlated over a few pixels
        is nearly white.
    """

    passes: int = 400
    turns: bool = False
    phases: int = 1

    def __post_init__(self) -> None:
        between("predict.passes", self.passes, 1, 10**6)
        between("predict.phases", self.phases, 1, 16)


@dataclass(frozen=True)
class Finish:
    """What is done to the averaged prediction, in this order; by default nothing.

    Parameters
    ----------
    guard : float
        Where more than this many times the usual was removed, it comes back (`zspot.guard`);
        0 is off.
    similar : float
        Weight in [0, 1] of a closed-form non-local estimate (`zspot.nlbayes`), which errs
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
    search : {"near", "usual", "wide"}
        How far that looks for similar patches: 12 (and in longer steps), 36 or 48 pixels.
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
