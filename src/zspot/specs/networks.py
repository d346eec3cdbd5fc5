"""Networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from zspot.core.ranges import between, require


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

    blind: ClassVar[bool] = False
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
    noise : {"any", "white"}
        What the trained weights know: noise of cameras and microscopes as well, or white noise
        alone, which they remove better.
    """

    blind: ClassVar[bool] = False
    warm: bool = True
    noise: str = "any"

    def __post_init__(self) -> None:
        known = self.noise in ("any", "white")
        require(known, f"network.noise = {self.noise!r}: must be 'any' or 'white'")
        random = self.noise == "white" and not self.warm
        require(
            not random, "network.noise = 'white' names trained weights: set network.warm = true"
        )


@dataclass(frozen=True)
class PartialUNet:
    """U-Net of partial convolutions, told which pixels are visible, dropout in the decoder.

    Parameters
    ----------
    width : int
        Filters of an encoder block; the decoder has twice as many.
    dropout : float
        Dropout before each convolution of the decoder, in [0, 1); stays on in prediction.
    """

    blind: ClassVar[bool] = False
    width: int = 48
    dropout: float = 0.3

    def __post_init__(self) -> None:
        between("network.width", self.width, 1, 1024)
        require(0 <= self.dropout < 1, f"network.dropout = {self.dropout}: must lie in [0, 1)")


@dataclass(frozen=True)
class Hourglass:
    """Encoder and decoder with thin skip connections (deep image prior).

    Parameters
    ----------
    width : int
        Filters of every level.
    skip : int
        Filters of a skip connection.
    levels : int
    """

    blind: ClassVar[bool] = False
    width: int = 128
    skip: int = 4
    levels: int = 5

    def __post_init__(self) -> None:
        between("network.width", self.width, 1, 1024)
        between("network.skip", self.skip, 1, 256)
        between("network.levels", self.levels, 1, 8)


@dataclass(frozen=True)
class BlindSpot:
    """Centre-masked, dilated network: no output pixel depends on the same pixel of the input.

    Parameters
    ----------
    width : int
        Filters of a layer.
    modules : int
        Dilated residual blocks of each of the two branches.
    """

    blind: ClassVar[bool] = True
    width: int = 128
    modules: int = 9

    def __post_init__(self) -> None:
        between("network.width", self.width, 2, 1024)
        between("network.modules", self.modules, 0, 64)


@dataclass(frozen=True)
class Shallow:
    """Two 3x3 and one 1x1 convolution that predict the noise (ZS-N2N).

    Parameters
    ----------
    width : int
        Filters of a layer.
    """

    blind: ClassVar[bool] = False
    width: int = 48

    def __post_init__(self) -> None:
        between("network.width", self.width, 1, 1024)


Network = UNet | Prior | PartialUNet | Hourglass | BlindSpot | Shallow
NETWORKS: dict[str, type] = {
    "unet": UNet,
    "prior": Prior,
    "partial-unet": PartialUNet,
    "hourglass": Hourglass,
    "blind-spot": BlindSpot,
    "shallow": Shallow,
}
