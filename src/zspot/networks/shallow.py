"""Two 3x3 convolutions and a 1x1 one that predict the noise (Mansour, Heckel, CVPR 2023)."""

from dataclasses import dataclass
from typing import Annotated, Any

from torch import Generator, Tensor, nn
from torch.nn import functional as F

from zspot.core.ranges import Range
from zspot.core.rng import seeded
from zspot.networks.base import Network, ReceptiveField

_SLOPE = 0.2


@dataclass(frozen=True)
class Shallow(Network):
    """Two 3x3 and one 1x1 convolution that predict the noise (ZS-N2N)."""

    kind = "shallow"
    width: Annotated[int, Range(1, 1024)] = 48  #: filters of a layer

    def module(self, channels: int, generator: Generator, inputs: int) -> nn.Module:
        return ShallowModule(self, channels, generator)

    @property
    def receptive_field(self) -> ReceptiveField:
        return ReceptiveField(8, 8)


class ShallowModule(nn.Module):
    """The input less what three convolutions make of it."""

    def __init__(self, spec: Shallow, channels: int, generator: Generator) -> None:
        super().__init__()
        with seeded(generator):
            self.first = nn.Conv2d(channels, spec.width, 3, padding=1)
            self.second = nn.Conv2d(spec.width, spec.width, 3, padding=1)
            self.third = nn.Conv2d(spec.width, channels, 1)

    def forward(self, x: Tensor, *_: Any) -> Tensor:
        h = F.leaky_relu_(self.first(x), _SLOPE)
        return x - self.third(F.leaky_relu_(self.second(h), _SLOPE))
