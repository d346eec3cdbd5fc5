"""How a network is fitted and how predictions become an image."""

import math
from dataclasses import dataclass, replace
from typing import Annotated

from zspot.core.ranges import POSITIVE, OneOf, Part, Range, require

SCHEDULES = ("cosine", "one-cycle", "constant")

_WARMUP = 0.2  # share of a one-cycle schedule spent warming up
_START = 0.04  # learning rate it starts from, relative to the peak


@dataclass(frozen=True)
class Fit(Part):
    """How long and how fast the network learns on the image."""

    family = "fit"
    #: optimiser steps; 0 leaves the network as it starts
    steps: Annotated[int, Range(0, 10**7)] = 1200
    lr: Annotated[float, POSITIVE] = 4e-4  #: peak learning rate of Adam
    #: cosine from `lr` to 0; one-cycle warms up over the first fifth, then cosine to 0
    schedule: Annotated[str, OneOf(SCHEDULES)] = "cosine"
    #: side of the random square crops a step sees; 0 is the whole image
    crop: Annotated[int, Range(0, 10**5)] = 0
    batch: Annotated[int, Range(1, 10**4)] = 1  #: crops of a step
    turns: bool = False  #: turn and reflect what a step sees at random
    #: pixel-shuffle downsampling: the network works on each of the stride x stride phases by
    #: itself, in which noise that is correlated over a few pixels is nearly white
    stride: Annotated[int, Range(1, 16)] = 1
    #: decay of a running mean of the outputs, which then is the result; 0 is off
    average: Annotated[float, Range(0, 1, "[)")] = 0.0
    #: Stop when the variance of the running mean has had its minimum this many steps ago, and take
    #: the mean as it was there; 0 is never. Needs `average`. The variance falls while the picture
    #: is learned and rises with the noise (Wang et al., Early Stopping for Deep Image Prior, TMLR
    #: 2023).
    patience: Annotated[int, Range(0, 10**7)] = 0
    #: Largest norm of the gradient of a step, longer ones are shortened; 0 is off. A small crop
    #: with strong contrast can throw a high learning rate off for good.
    clip: Annotated[float, Range(0, 10**6)] = 0.0
    #: learn on intensities from 0 to 1, the range of the image, in place of standardised ones
    unit_range: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.crop > 0 or self.batch == 1, "fit.batch: needs fit.crop; 0 is one image")
        require(self.average == 0 or self.steps > 0, "fit.average: needs fit.steps above 0")
        require(self.patience == 0 or self.average > 0, "fit.patience: needs fit.average above 0")
        what = "fit.average: the mean of crops or turned images is no image"
        advice = "set fit.crop = 0 and fit.turns = false"
        require(self.average == 0 or not (self.crop or self.turns), f"{what}; {advice}")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step relative to `lr`."""
        if self.schedule == "constant":
            return 1.0
        warm = max(1, round(_WARMUP * self.steps)) if self.schedule == "one-cycle" else 0
        if step < warm:
            return _START + (1 - _START) * step / warm
        progress = min(1.0, (step - warm) / max(1, self.steps - warm))
        return 0.5 * (1 + math.cos(math.pi * progress))

    def shortened(self, share: float, rate: float) -> "Fit":
        """Return a fit of a share of the steps at `rate` times the learning rate."""
        return replace(self, steps=math.ceil(share * self.steps), lr=rate * self.lr)


# Rotations and reflections as shown: of eight and of four every second are as varied as all.
_TURNS = (0, 2, 5, 7, 3, 1, 6, 4)


@dataclass(frozen=True)
class Predict(Part):
    """How the final image is made from predictions."""

    family = "predict"
    #: Random masked predictions to average. Not used where `fit.average` makes the result.
    passes: Annotated[int, Range(1, 10**6)] = 400
    masked: bool = True  #: hide pixels as in the fit; False shows the network the whole image
    #: before each pass add what makes the image's noise white, as measured by the noise report: for
    #: a network that knows white noise but not this one
    whiten: bool = False
    #: average over so many of the eight rotations and reflections of the image in each pass; they
    #: are shared out among the strides
    turns: Annotated[int, Range(1, 8)] = 1
    #: predict each of the stride x stride pixel-shuffled phases by itself; 1 is the whole image
    stride: Annotated[int, Range(1, 16)] = 1
    #: Average over predictions of stride, stride + 1, ... up to this number: of the whole image and
    #: of its 2x2, 3x3, ... phases, where noise correlated over a few pixels is nearly white.
    phases: Annotated[int, Range(1, 16)] = 1
    #: random-replacement refinement (AP-BSN): average this many predictions, without stride, of the
    #: result with a share of its pixels replaced by the noisy ones; 0 is off
    refine: Annotated[int, Range(0, 10**4)] = 0
    refine_share: Annotated[float, Range(0, 1)] = 0.16  #: that share
    #: side in pixels of the tiles in which a large image is shown to the network, without effect on
    #: the result where no dropout is drawn; 0 is the usual side
    tile: Annotated[int, Range(64, 10**5, zero=True)] = 0
    #: Side in pixels of overlapping windows that the network is shown one by one, for networks that
    #: learned on crops of that size; 0 is the whole image. Where `stride` is above 1 they are cut
    #: from the phases.
    window: Annotated[int, Range(16, 10**5, zero=True)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        what = "predict.window: windows are shown one by one anyway; set predict.tile = 0"
        require(self.window == 0 or self.tile == 0, what)

    @property
    def shown(self) -> list[tuple[int, int]]:
        """Rotation or reflection and stride of each prediction of a pass."""
        strides = range(self.stride, max(self.stride, self.phases) + 1)
        shown = range(max(self.turns, len(strides)))
        return [(_TURNS[i % self.turns], strides[i % len(strides)]) for i in shown]
