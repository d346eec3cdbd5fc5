"""Two 3x3 convolutions and a 1x1 one that predict the noise.

Source: Mansour, Heckel, Zero-Shot Noise2Noise, CVPR 2023.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from zspot.core.rng import seeded
from zspot.specs import Shallow as ShallowSpec

_SLOPE = 0.2


class Shallow(nn.Module):
    """The input less what three convolutions make of it.

    Parameters
    ----------
    spec : zspot.specs.Shallow
    channels : int
        Channels in and out.
    generator : torch.Generator
        Draws the initial weights, on the CPU.
    """

    def __init__(self, spec: ShallowSpec, channels: int, generator: torch.Generator) -> None:
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
