"""What the engine must know of a network, how all are called, and layers that several have."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from zspot.core.ranges import Part, require

LEVELS = 5  # of the Noise2Noise U-Net
Conv = Callable[[int, int], nn.Module]  # makes a layer of so many channels in and out


@dataclass(frozen=True)
class ReceptiveField:
    """How a network's output depends on its input."""

    #: no output pixel depends on an input pixel farther away than this, along either axis
    reach: int
    #: tiles must start at multiples of this: the network pools or splits pixels in such blocks
    unit: int


class Network(Part):
    """A network: its numbers, what it costs and how it is made.

    The module is called as `module(x, generator, visible)`: images (N, C, H, W), the generator of
    its dropout (None is without) and the map of pixels that were not hidden.
    """

    family = "network"

    blind: ClassVar[bool] = False  # no output pixel depends on the same pixel of the input
    takes_codes: ClassVar[bool] = False  # its input may have other channels than its output
    width: int  # filters of a layer

    def build(self, channels: int, generator: Generator, inputs: int | None = None) -> Any:
        """Return the module for so many channels, or `inputs` of a code."""
        able = self.takes_codes or inputs in (None, channels)
        require(able, "fill code needs network hourglass: choose another fill")
        return self.module(channels, generator, inputs or channels)

    def module(self, channels: int, generator: Generator, inputs: int) -> nn.Module:
        """Return the module; `build` has checked that it takes `inputs` channels."""
        raise NotImplementedError

    @property
    def receptive_field(self) -> ReceptiveField | None:
        """How far the output depends on the input; None: on all of it."""
        return None

    def bytes_per_pixel(self, channels: int) -> tuple[float, float]:
        """Return the bytes per pixel that a fit step and a prediction take (`benchmarks`)."""
        return 80.0 * self.width, 40.0 * self.width


class Short(nn.Module):
    """A network in bfloat16 where the processor computes that in hardware, all but its `exit`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, *rest: Any) -> Tensor:
        if not multiplies_bfloat16(x, 2 * UNetBase.unit):
            return self.network(x, *rest)
        short = in_bfloat16(self.network, "exit.")
        return functional_call(self.network, short, (x.bfloat16(), *rest))


def in_bfloat16(network: nn.Module, *apart: str) -> dict[str, Tensor]:
    """Return weights to compute with, in bfloat16 but for those `apart`; they learn in float32."""
    return {n: v if n.startswith(apart) else v.bfloat16() for n, v in network.named_parameters()}


def multiplies_bfloat16(x: Tensor, unit: int) -> bool:
    """Say whether hardware multiplies bfloat16; `unit`: pixels of one at the coarsest."""
    kinds = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    able = x.device.type == "cpu" and any(getattr(torch.cpu, kind, bool)() for kind in kinds)
    return able and not x.shape[-2] > unit >= x.shape[-1]  # tall, one wide there: oneDNN is wrong


class UNetBase(nn.Module):
    """The Noise2Noise U-Net's layers: a convolution a level `down`, two a level `up`, and exit."""

    unit = 2**LEVELS  # pixels of the blocks in which it pools

    def __init__(self, down: Conv, up: Conv, width: int, channels: int) -> None:
        super().__init__()
        w, wide, thin = width, max(1, 4 * width // 3), max(1, 2 * width // 3)
        self.entry = down(channels, w)
        self.encoder = nn.ModuleList(down(w, w) for _ in range(LEVELS))
        self.bottom = down(w, w)
        # A level sees the one below (2 w) beside what the encoder had: w, or at last the image.
        sizes = [(2 * w, 2 * w, 2 * w), *[(3 * w, 2 * w, 2 * w)] * (LEVELS - 2)]
        sizes.append((2 * w + channels, wide, thin))
        self.decoder = nn.ModuleList(nn.ModuleList([up(a, b), up(b, c)]) for a, b, c in sizes)
        self.exit = up(thin, channels)


def split_phases(x: Tensor, step: int = 2) -> Tensor:
    """(N, C, sH, sW) -> (s^2 N, C, H, W): phase (i, j) holds rows i::s and columns j::s."""
    return torch.cat([x[..., i::step, j::step] for i in range(step) for j in range(step)])


def join_phases(x: Tensor, step: int = 2) -> Tensor:
    """Inverse of `split_phases`."""
    n, (c, h, w) = x.shape[0] // step**2, x.shape[1:]
    x = x.reshape(step, step, n, c, h, w).permute(2, 3, 4, 0, 5, 1)
    return x.reshape(n, c, step * h, step * w)


def he_weights(network: nn.Module, slope: float) -> None:
    """Give every convolution weights that keep the variance through leaky ReLUs, and no bias."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, a=slope)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
