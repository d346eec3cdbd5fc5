"""How a network is fitted and how predictions become an image."""

from __future__ import annotations

from dataclasses import dataclass

from zspot.core.ranges import between, one_of, require

SCHEDULES = ("cosine", "one-cycle", "constant")


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
    turns : bool
        Turn and reflect what a step sees at random.
    stride : int
        Pixel-shuffle downsampling: the network works on each of the stride x stride phases by
        itself, in which noise that is correlated over a few pixels is nearly white.
    average : float
        Decay of a running mean of the outputs, which then is the result; 0 is off.
    patience : int
        Stop when the variance of the running mean has had its minimum this many steps ago, and
        take the mean as it was there; 0 is never. Needs `average`. The variance falls while the
        picture is learned and rises with the noise (Wang et al., Early Stopping for Deep Image
        Prior, TMLR 2023).
    clip : float
        Largest norm of the gradient of a step, longer ones are shortened; 0 is off. A small crop
        with strong contrast can throw a high learning rate off for good.
    """

    steps: int = 1200
    lr: float = 4e-4
    schedule: str = "cosine"
    crop: int = 0
    batch: int = 1
    turns: bool = False
    stride: int = 1
    average: float = 0.0
    patience: int = 0
    clip: float = 0.0

    def __post_init__(self) -> None:
        between("fit.steps", self.steps, 0, 10**7)
        between("fit.crop", self.crop, 0, 10**5)
        between("fit.batch", self.batch, 1, 10**4)
        between("fit.stride", self.stride, 1, 16)
        between("fit.patience", self.patience, 0, 10**7)
        require(self.crop > 0 or self.batch == 1, "fit.batch: needs fit.crop; 0 is one image")
        require(self.lr > 0, f"fit.lr = {self.lr}: must be positive")
        between("fit.clip", self.clip, 0, 10**6)
        require(0 <= self.average < 1, f"fit.average = {self.average}: must lie in [0, 1)")
        require(self.patience == 0 or self.average > 0, "fit.patience: needs fit.average above 0")
        require(
            self.average == 0 or not (self.crop or self.turns),
            "fit.average: the mean of crops or turned images is no image; set fit.crop = 0 and "
            "fit.turns = false",
        )
        one_of("fit.schedule", self.schedule, SCHEDULES)


@dataclass(frozen=True)
class Predict:
    """How the final image is made from predictions.

    Parameters
    ----------
    passes : int
        Random masked predictions to average. Not used where `fit.average` makes the result.
    masked : bool
        Hide pixels as in the fit; False shows the network the whole image.
    turns : bool
        Average over the eight rotations and reflections of the image in each pass.
    stride : int
        Predict each of the stride x stride pixel-shuffled phases by itself; 1 is the whole image.
    phases : int
        Average over predictions of stride, stride + 1, ... up to this number: of the whole image
        and of its 2x2, 3x3, ... phases, where noise correlated over a few pixels is nearly white.
    refine : int
        Random-replacement refinement (AP-BSN): average this many predictions, without stride, of
        the result with a share of its pixels replaced by the noisy ones; 0 is off.
    refine_share : float
        That share.
    tile : int
        Side in pixels of the tiles in which a large image is shown to the network, without
        effect on the result where no dropout is drawn; 0 is the usual side, see
        `zspot.engine.tiling`.
    window : int
        Side in pixels of overlapping windows that the network is shown one by one, for networks
        that learned on crops of that size, see `zspot.engine.overlap`; 0 is the whole image. Where
        `stride` is above 1 they are cut from the phases.
    """

    passes: int = 400
    masked: bool = True
    turns: bool = False
    stride: int = 1
    phases: int = 1
    refine: int = 0
    refine_share: float = 0.16
    tile: int = 0
    window: int = 0

    def __post_init__(self) -> None:
        require(
            self.window == 0 or 16 <= self.window <= 10**5,
            f"predict.window = {self.window}: must be 0 or lie from 16 to 100000",
        )
        require(
            self.window == 0 or self.tile == 0,
            "predict.window: windows are shown one by one anyway; set predict.tile = 0",
        )
        require(
            self.tile == 0 or 64 <= self.tile <= 10**5,
            f"predict.tile = {self.tile}: must be 0 or lie from 64 to 100000",
        )
        between("predict.passes", self.passes, 1, 10**6)
        between("predict.stride", self.stride, 1, 16)
        between("predict.phases", self.phases, 1, 16)
        between("predict.refine", self.refine, 0, 10**4)
        between("predict.refine_share", self.refine_share, 0, 1)


@dataclass(frozen=True)
class Warm:
    """The warm start's estimate, averaged into the prediction; by default it is not.

    A network trained on photographs and one that learned on the image err differently.

    Parameters
    ----------
    weight : float
        Of the warm start in the average, in [0, 1]; 0 is off.
    turns : bool
        Average it over the eight rotations and reflections of the image.
    phases : int
        Average it over the whole image and its 2x2, 3x3, ... phases up to this number.
    """

    weight: float = 0.0
    turns: bool = True
    phases: int = 1

    def __post_init__(self) -> None:
        between("warm.weight", self.weight, 0, 1)
        between("warm.phases", self.phases, 1, 16)
