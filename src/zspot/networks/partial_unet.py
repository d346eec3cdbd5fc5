"""U-Net of partial convolutions and dropout (Quan, Chen, Pang, Ji, Self2Self, CVPR 2020)."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from zspot.core.ranges import Range
from zspot.core.rng import dropout, seeded
from zspot.networks.base import Network, ReceptiveField, UNetBase, he_weights

_SLOPE = 0.1


@dataclass(frozen=True)
class PartialUNet(Network):
    """U-Net of partial convolutions, told which pixels are visible, dropout in the decoder."""

    kind = "partial-unet"
    #: filters of an encoder block; the decoder has twice as many
    width: Annotated[int, Range(1, 1024)] = 48
    #: dropout before each convolution of the decoder, in [0, 1); stays on in prediction
    dropout: Annotated[float, Range(0, 1, "[)")] = 0.3

    def module(self, channels: int, generator: Generator, inputs: int) -> nn.Module:
        return PartialUNetModule(self, channels, generator)

    @property
    def receptive_field(self) -> ReceptiveField:
        return ReceptiveField(160, 32)


class PartialConv(nn.Module):
    """3x3 convolution of the visible pixels only, scaled up by how few there are."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(fan_in, fan_out, 3, padding=1, bias=False)
        self.bias = nn.Parameter(torch.zeros(fan_out, 1, 1))

    def forward(self, x: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and where there are any; `visible` is 1 where `x` counts, else 0."""
        # What lies outside the image counts as hidden, so that borders keep their brightness.
        share = F.avg_pool2d(visible.mean(1, keepdim=True), 3, 1, 1)
        scale = 1 / share.clamp(min=1e-6)
        there = (share > 0).to(x.dtype)
        return (self.conv(x * visible) * scale + self.bias) * there, there


class PartialUNetModule(UNetBase):
    """Five levels; encoder blocks of `width` filters, decoder blocks of twice that."""

    def __init__(self, spec: PartialUNet, channels: int, generator: Generator) -> None:
        with seeded(generator):
            conv = partial(nn.Conv2d, kernel_size=3, padding=1)
            super().__init__(PartialConv, conv, spec.width, channels)
            he_weights(self, _SLOPE)
        self.p = spec.dropout

    def forward(
        self, x: Tensor, generator: Generator | None = None, visible: Tensor | None = None
    ) -> Tensor:
        """Map (N, C, H, W) to the same shape, from the `visible` pixels or by default all."""
        height, width = x.shape[-2:]
        pad = (0, -width % self.unit, 0, -height % self.unit)
        seen = torch.ones_like(x) if visible is None else visible.to(x.dtype)
        x, seen = (F.pad(t, pad, mode="replicate") for t in (x, seen))
        skips = [x * seen]
        h, there = self.entry(x, seen)
        h = F.leaky_relu_(h, _SLOPE)
        for block in self.encoder:
            h, there = block(h, there)
            h, there = F.max_pool2d(F.leaky_relu_(h, _SLOPE), 2), F.max_pool2d(there, 2)
            skips.append(h)
        skips.pop()
        h = F.leaky_relu_(self.bottom(h, there)[0], _SLOPE)
        for pair in self.decoder:
            h = F.interpolate(h, scale_factor=2, mode="nearest")
            h = torch.cat([h, skips.pop()], dim=1)
            for conv in pair:  # type: ignore[attr-defined]
                h = F.leaky_relu_(conv(dropout(h, self.p, generator)), _SLOPE)
        return self.exit(dropout(h, self.p, generator))[..., :height, :width]
