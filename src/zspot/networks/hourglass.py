"""The hourglass of the deep image prior (Ulyanov, Vedaldi, Lempitsky, CVPR 2018)."""

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from zspot.core.ranges import Range
from zspot.core.rng import seeded
from zspot.networks.base import Network

_SLOPE = 0.2
_EPS = 1e-5


@dataclass(frozen=True)
class Hourglass(Network):
    """Encoder and decoder with thin skip connections (deep image prior)."""

    kind = "hourglass"
    takes_codes = True
    width: Annotated[int, Range(1, 1024)] = 128  #: filters of every level
    skip: Annotated[int, Range(1, 256)] = 4  #: filters of a skip connection
    levels: Annotated[int, Range(1, 8)] = 5  #: each at half the size

    def module(self, channels: int, generator: Generator, inputs: int) -> nn.Module:
        return HourglassModule(self, channels, generator, inputs)

    def bytes_per_pixel(self, channels: int) -> tuple[float, float]:
        return 160.0 * self.width, 40.0 * self.width


class Norm(nn.Module):
    """Normalise each channel of each image, also of a single pixel, which torch's norms refuse."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        return (x - mean) * (variance + _EPS).rsqrt() * self.scale + self.shift


def _layer(fan_in: int, fan_out: int, side: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(fan_in, fan_out, side, stride, side // 2, padding_mode="replicate", bias=False)
    return nn.Sequential(conv, Norm(fan_out), nn.LeakyReLU(_SLOPE, inplace=True))


class _Level(nn.Module):
    def __init__(self, fan_in: int, spec: Hourglass, deeper: nn.Module) -> None:
        super().__init__()
        w, joined = spec.width, spec.width + spec.skip
        self.skip = _layer(fan_in, spec.skip, 1)
        self.down = nn.Sequential(_layer(fan_in, w, 3, 2), _layer(w, w, 3))
        self.deeper = deeper
        self.norm = Norm(joined)
        self.up = nn.Sequential(_layer(joined, w, 3), _layer(w, w, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.deeper(self.down(x))
        h = F.interpolate(h, scale_factor=2, mode="bilinear", align_corners=False)
        return self.up(self.norm(torch.cat([h, self.skip(x)], dim=1)))


class HourglassModule(nn.Module):
    """Map a code to an image."""

    def __init__(self, spec: Hourglass, channels: int, generator: Generator, inputs: int) -> None:
        super().__init__()
        self.multiple = 2**spec.levels
        with seeded(generator):
            self.body: nn.Module = nn.Identity()
            for depth in reversed(range(spec.levels)):
                self.body = _Level(inputs if depth == 0 else spec.width, spec, self.body)
            self.exit = nn.Conv2d(spec.width, channels, 1)

    def forward(self, x: Tensor, *_: Any) -> Tensor:
        height, width = x.shape[2:]
        pad = (0, -width % self.multiple, 0, -height % self.multiple)
        return self.exit(self.body(F.pad(x, pad, mode="replicate")))[..., :height, :width]
