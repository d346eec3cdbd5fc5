"""Targets: what the network learns to predict."""

from __future__ import annotations

from dataclasses import dataclass

from zspot.core.ranges import between, require


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
class Shuffled:
    """Learn to predict the noisy image with its pixels shuffled locally where it is flat (MASH).

    Shuffling breaks the noise's correlation with what is visible; in a flat tile it changes
    nothing else.

    Parameters
    ----------
    after : int
        Steps after which the flat tiles are looked for; before that nothing is shuffled.
    passes : int
        Predictions averaged to look for them.
    tile : int
        Side in pixels of the tiles within which pixels are permuted.
    threshold : float
        The deviation in 2x2 windows of that mean, relative to its maximum, must stay below this
        all over a tile for it to be flat.
    """

    after: int = 50
    passes: int = 10
    tile: int = 4
    threshold: float = 0.5

    def __post_init__(self) -> None:
        between("target.after", self.after, 1, 10**7)
        between("target.passes", self.passes, 1, 10**4)
        between("target.tile", self.tile, 2, 64)
        require(0 < self.threshold <= 1, f"target.threshold = {self.threshold}: must lie in (0, 1]")


@dataclass(frozen=True)
class Halves:
    """Learn to predict one diagonal half of the image from the other (ZS-N2N).

    In each 2x2 block the mean of one diagonal is a pixel of the first half-size image, that of
    the other of the second; each is predicted from the other.
    """


@dataclass(frozen=True)
class Second:
    """Learn to predict a second noisy image of the same scene, and the first from it."""


Target = Noisy | Recorrupted | Shuffled | Halves | Second
TARGETS: dict[str, type] = {
    "noisy": Noisy,
    "recorrupted": Recorrupted,
    "shuffled": Shuffled,
    "halves": Halves,
    "second": Second,
}
