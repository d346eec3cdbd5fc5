"""The pretrained network: a small blind denoiser trained (`training/`) on photographs."""

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import torch
from safetensors.torch import load_file
from torch import Generator, Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from zspot.core.errors import FileError
from zspot.core.ranges import OneOf, require
from zspot.core.rng import seeded
from zspot.networks.base import Network, ReceptiveField, in_bfloat16, multiplies_bfloat16

# Weights of camera noise in colour or grey, of white noise in either, and the same, smaller.
KINDS = ("colour", "grey", "white", "score")
WIDTHS = (48, 80, 128)  # channels at 1/2, 1/4 and 1/8 of the resolution
BLOCKS = (2, 2, 3)  # residual blocks there; all but the last have as many on the way up
COLOURS = 3
_SCALE = ".scale"
_MOST = 1000  # arrays that a file of weights may name
# Pixels by the entry and the exit and by two convolutions a block, on the way down and up again.
_SEEN = 4 + sum(2 * n * 2**level for way in (BLOCKS, BLOCKS[:-1]) for level, n in enumerate(way, 1))
_UNIT = 2 ** len(BLOCKS)  # pixels of the blocks in which the network pools
_FIELD = ReceptiveField(-(-_SEEN // _UNIT) * _UNIT, _UNIT)
_SLOPE = 0.1
_WEAK = 0.03  # deviation of noise, standardised, below which 8 bits of a number are too few


@dataclass(frozen=True)
class Prior(Network):
    """The small residual U-Net that the project trains on photographs with simulated noise."""

    kind = "prior"
    warm: bool = True  #: start from the trained weights; False starts from random ones
    #: what the trained weights know: noise of cameras and microscopes as well, or white noise
    #: alone, which they remove better
    noise: Annotated[str, OneOf(("any", "white"))] = "any"
    #: what keeps its weights: nothing, or the encoder, which makes a step of learning cheaper
    frozen: Annotated[str, OneOf(("none", "encoder"))] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        known = self.warm or self.noise == "any"
        require(known, "network.noise = 'white' names trained weights: set network.warm = true")

    def module(self, channels: int, generator: Generator, inputs: int) -> nn.Module:
        with seeded(generator):
            camera = "colour" if channels == COLOURS else "grey"
            kind = "white" if self.noise == "white" else camera
            network = load(kind) if self.warm else PriorModule()
        if self.frozen == "encoder":
            for part in (network.entry, network.encoder, network.down):
                part.requires_grad_(False)
        return AnyChannels(network)

    @property
    def receptive_field(self) -> ReceptiveField:
        return _FIELD

    def bytes_per_pixel(self, channels: int) -> tuple[float, float]:
        return 1800.0, 350.0 * (1 if channels == COLOURS else channels)


def _conv(fan_in: int, fan_out: int) -> nn.Conv2d:
    # With zeros beyond the border, a network trained on patches shifts the colours of images.
    return nn.Conv2d(fan_in, fan_out, 3, padding=1, padding_mode="replicate")


class Residual(nn.Module):
    """Two 3x3 convolutions around a leaky ReLU, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _conv(width, width), _conv(width, width)
        # Blocks start close to the identity, which keeps the first steps of training calm.
        with torch.no_grad():
            self.second.weight.mul_(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.leaky_relu_(self.first(x), _SLOPE))


class PriorModule(nn.Module):
    """Blind denoiser of standardised images; takes and returns (N, 3, H, W) of any size."""

    def __init__(self, blocks: tuple[int, ...] = BLOCKS) -> None:
        super().__init__()
        pairs, stages = list(pairwise(WIDTHS)), list(zip(WIDTHS, blocks, strict=True))
        self.entry = _conv(4 * COLOURS, WIDTHS[0])
        self.encoder = nn.ModuleList(_stage(width, count) for width, count in stages)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairs)
        self.decoder = nn.ModuleList(_stage(width, count) for width, count in stages[:-1])
        self.exit = _conv(WIDTHS[0], 4 * COLOURS)
        with torch.no_grad():
            self.exit.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        noise = F.pixel_shuffle(self._noise(F.pixel_unshuffle(_padded(x), 2)), 2)
        return x - noise[..., :height, :width]

    def _noise(self, x: Tensor) -> Tensor:
        """Estimate the noise of the half-resolution input."""
        x = self.entry(x.contiguous(memory_format=torch.channels_last))
        x = x.to(next(self.down.parameters()).dtype)
        skips = []
        for stage, down in zip(self.encoder, self.down, strict=False):
            x = stage(x)
            skips.append(x)
            x = down(x)
        x = self.encoder[-1](x)
        levels = zip(reversed(self.up), reversed(self.decoder), reversed(skips), strict=True)
        for up, stage, skip in levels:
            x = stage(up(x) + skip)
        return self.exit(x.to(self.exit.weight.dtype))


def _stage(width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(width) for _ in range(blocks)))


def _padded(x: Tensor) -> Tensor:
    """Mirror the right and lower border: repeated, its noise would look like a picture's lines."""
    down, right = (-size % _UNIT for size in x.shape[-2:])
    x = F.pad(x, (0, 0, 0, down), mode="reflect" if x.shape[-2] > down else "replicate")
    return F.pad(x, (0, right, 0, 0), mode="reflect" if x.shape[-1] > right else "replicate")


def load(weights: str = "colour") -> PriorModule:
    """Return the trained network, of one of `KINDS` in this package or of a safetensors file."""
    packaged = files("zspot") / "weights" / f"{weights}.safetensors"
    with as_file(packaged) if weights in KINDS else nullcontext(Path(weights)) as path:
        try:
            return _loaded(load_file(path))
        except Exception:  # the library and torch raise what they like
            what = "holds no weights of this network, or damaged ones; copy it again"
            raise FileError(f"{weights} {what}") from None


def _loaded(values: dict[str, Tensor]) -> PriorModule:
    short = {name for name, v in values.items() if v.dtype == torch.int8}
    scales = {name for name in values if name.endswith(_SCALE)}
    known = all(v.is_floating_point() or name in short for name, v in values.items())
    known = known and all(bool(v.isfinite().all()) for v in values.values())
    if len(values) > _MOST or scales != {name + _SCALE for name in short} or not known:
        raise ValueError
    values = {name: value.float() for name, value in values.items()}
    for name in short:  # 8 bits, and a scale for each filter
        values[name] *= values.pop(name + _SCALE)[:, None, None, None]
    names = {tuple(name.split(".")[1:3]) for name in values if name.startswith("encoder.")}
    blocks = Counter(level for level, _ in names)  # at each resolution
    with torch.device("meta"):  # no room is made for what the file only names
        network = PriorModule(blocks=tuple(blocks[level] for level in sorted(blocks)))
    network.load_state_dict(values, assign=True)
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class AnyChannels(nn.Module):
    """Denoises standardised images; three channels as colours, any other number one by one."""

    def __init__(self, prior: nn.Module) -> None:
        super().__init__()
        self.prior = prior

    def forward(self, x: Tensor, *_: Any) -> Tensor:
        if x.shape[1] == COLOURS:
            return self._denoised(x)
        # Grey pictures were trained on as three equal channels.
        grey = x.flatten(0, 1)[:, None].expand(-1, COLOURS, -1, -1)
        return self._denoised(grey).mean(1).view_as(x)

    def _denoised(self, x: Tensor) -> Tensor:
        if multiplies_bfloat16(x, 2 * _UNIT):
            out = functional_call(self.prior, in_bfloat16(self.prior, "entry.", "exit."), (x,))
            if float((x - out).detach().square().mean()) > _WEAK**2:
                return out
        return self.prior(x)
