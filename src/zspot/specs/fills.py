"""Fills: what the network sees in place of hidden pixels."""

from __future__ import annotations

from dataclasses import dataclass

from zspot.core.ranges import between, one_of, require


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
class Neighbour:
    """Fill a hidden pixel with a random visible one near it (Noise2Void).

    Parameters
    ----------
    radius : int
        Largest distance in rows and in columns.
    """

    radius: int = 5

    def __post_init__(self) -> None:
        between("fill.radius", self.radius, 1, 64)


@dataclass(frozen=True)
class Code:
    """Fixed uniform noise of `channels` channels in place of the whole image (deep image prior).

    Parameters
    ----------
    channels : int
    amplitude : float
        The code is uniform between 0 and this.
    jitter : float
        Standard deviation of fresh Gaussian noise added to the code at each step.
    """

    channels: int = 32
    amplitude: float = 0.1
    jitter: float = 1 / 30

    def __post_init__(self) -> None:
        between("fill.channels", self.channels, 1, 512)
        between("fill.amplitude", self.amplitude, 0, 100)
        between("fill.jitter", self.jitter, 0, 100)


@dataclass(frozen=True)
class Refill:
    """Fill hidden pixels from similar patches of the image at half its size (refilling).

    Averaging 2x2 pixels makes noise weaker and less correlated, and pictures repeat across
    scales. The auxiliary image is made once from all pixels, hidden ones too, each of which
    reaches it with a weight of a quarter and less.

    Parameters
    ----------
    patch, stride : int
        Side of the patches and step between them, pixels.
    """

    patch: int = 8
    stride: int = 2

    def __post_init__(self) -> None:
        between("fill.patch", self.patch, 2, 32)
        between("fill.stride", self.stride, 1, self.patch)


Fill = Inr | Constant | Neighbour | Code | Refill
FILLS: dict[str, type] = {
    "inr": Inr,
    "constant": Constant,
    "neighbour": Neighbour,
    "code": Code,
    "refill": Refill,
}
UPRIGHT = (Inr, Code, Refill)
"""Fills that describe the image as it stands and cannot serve turned views of it."""
