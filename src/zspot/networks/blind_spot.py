"""Blind-spot network of Wu et al., ECCV 2020, as in Lee et al., AP-BSN, CVPR 2022."""

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from zspot.core.ranges import Range
from zspot.core.rng import seeded
from zspot.networks.base import Network, ReceptiveField, he_weights, join_phases, split_phases


@dataclass(frozen=True)
class BlindSpot(Network):
    """Centre-masked, dilated network: no output pixel depends on the same pixel of the input."""

    kind = "blind-spot"
    blind = True
    width: Annotated[int, Range(2, 1024)] = 128  #: filters of a layer
    #: dilated residual blocks of each of the two branches
    modules: Annotated[int, Range(0, 64)] = 9

    def module(self, channels: int, generator: Generator, inputs: int) -> nn.Module:
        return BlindSpotModule(self, channels, generator)

    @property
    def receptive_field(self) -> ReceptiveField:
        """3 x 3 at the entry and, dilated alike, in every module of both branches."""
        return ReceptiveField(3 * self.modules + 8, 24)

    def bytes_per_pixel(self, channels: int) -> tuple[float, float]:
        return 80.0 * self.width * self.modules / 9 * 4, 40.0 * self.width


class CentreMasked(nn.Conv2d):
    """Convolution of odd side whose centre weight has no effect."""

    def forward(self, input: Tensor) -> Tensor:
        middle = self.weight.shape[-1] // 2
        seen = torch.ones_like(self.weight)
        seen[..., middle, middle] = 0
        return F.conv2d(input, self.weight * seen, self.bias, padding=middle)


class _Block(nn.Module):
    """A 3x3 and a 1x1 convolution, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(width, width, 3, padding=1)
        self.mix = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(F.relu_(self.spatial(x)))


class _Branch(nn.Module):
    def __init__(self, width: int, modules: int, step: int) -> None:
        super().__init__()
        self.step = step
        self.masked = CentreMasked(width, width, 2 * step - 1)
        self.mixing = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(2))
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(modules)))
        self.last = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu_(self.masked(x))
        for mix in self.mixing:
            h = F.relu_(mix(h))
        height, width = h.shape[2:]
        # A dilated convolution is an ordinary one on each phase; zeros beyond the border as there.
        h = F.pad(h, (0, -width % self.step, 0, -height % self.step))
        h = join_phases(self.blocks(split_phases(h, self.step)), self.step)
        return F.relu_(self.last(h[..., :height, :width]))


class BlindSpotModule(nn.Module):
    """Two branches hide offsets of less than s = 2 and 3; the rest is pointwise or steps by s."""

    def __init__(self, spec: BlindSpot, channels: int, generator: Generator) -> None:
        super().__init__()
        w = spec.width
        with seeded(generator):
            self.entry = nn.Conv2d(channels, w, 1)
            self.branches = nn.ModuleList(_Branch(w, spec.modules, step) for step in (2, 3))
            sizes = [(2 * w, w), (w, w // 2), (w // 2, w // 2)]
            self.tail = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in sizes)
            self.exit = nn.Conv2d(w // 2, channels, 1)
            he_weights(self, 0.0)

    def forward(self, x: Tensor, *_: Any) -> Tensor:
        h = F.relu_(self.entry(x))
        h = torch.cat([branch(h) for branch in self.branches], dim=1)
        for layer in self.tail:
            h = F.relu_(layer(h))
        return self.exit(h)
