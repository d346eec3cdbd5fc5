"""Two 3x3 convolutions and a 1x1 one that predict the noise.

Source: Mansour, Heckel, Zero-Shot Noise2Noise, CVPR 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn
from torch.nn import functional as F

from zspot.core.ranges import Range
from zspot.core.rng import seeded
from zspot.networks.base import Network, ReceptiveField

_SLOPE = 0.2


@dataclass(frozen=True)
class Shallow(Network):
    """Two 3x3 and one 1x1 convolution that predict the noise (ZS-N2N).

    Parameters
    ----------
    width : int
        Filters of a layer.
    """

    kind = "shallow"
    width: Annotated[int, Range(1, 1024)] = 48

    def module(self, channels: int, generator: torch.Generator, inputs: int) -> nn.Module:
        """Return the module; its weights are drawn from `generator`."""
        return ShallowModule(self, channels, generator)

    @property
    def receptive_field(self) -> ReceptiveField:
        """Two pixels, in blocks that are quick to cut."""
        return ReceptiveField(8, 8)

    def bytes_per_pixel(self, channels: int) -> tuple[float, float]:
        """Return the bytes of the features, with and without those kept for the gradient."""
        return 80.0 * self.width, 40.0 * self.width


class ShallowModule(nn.Module):
    """The input less what three convolutions make of it.

    Parameters
    ----------
    spec : Shallow
    channels : int
        Channels in and out.
    generator : torch.Generator
        Draws the initial weights, on the CPU.
    """

    def __init__(self, spec: Shallow, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        with seeded(generator):
            self.first = nn.Conv2d(channels, spec.width, 3, padding=1)
            self.second = nn.Conv2d(spec.width, spec.width, 3, padding=1)
            self.third = nn.Conv2d(spec.width, channels, 1)

    def forward(
        self,
        x: torch.Tensor,
        generator: torch.Generator | None = None,
        visible: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Map (N, C, H, W) to the same shape; nothing but `x` is used."""
        h = F.leaky_relu_(self.first(x), _SLOPE)
        return x - self.third(F.leaky_relu_(self.second(h), _SLOPE))
