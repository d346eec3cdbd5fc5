"""The Noise2Noise U-Net (Lehtinen et al., ICML 2018), with dilation and dropout as in BSN-INS."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from zspot.core.ranges import OneOf, Range
from zspot.core.rng import dropout
from zspot.networks.base import Network, ReceptiveField, Short, UNetBase, join_phases, split_phases

_SLOPE = 0.1
_act = partial(F.leaky_relu_, negative_slope=_SLOPE)


@dataclass(frozen=True)
class UNet(Network):
    """The Noise2Noise U-Net with optional dilation and dropout."""

    kind = "unet"
    #: filters of an encoder block; the decoder has twice as many
    width: Annotated[int, Range(1, 1024)] = 48
    dilation: Annotated[int, Range(1, 2)] = 2  #: dilation of every convolution but the last
    #: rate of the dropout, in [0, 1); stays on in prediction
    dropout: Annotated[float, Range(0, 1, "[)")] = 0.5
    #: dropout after each of the five encoder blocks, or as released with BSN-INS in eleven places:
    #: after the bottom and each decoder block, too
    dropped: Annotated[str, OneOf(("encoder", "all"))] = "encoder"
    #: initial weights: those of He et al., which keep the variance, or PyTorch's usual ones
    init: Annotated[str, OneOf(("he", "torch"))] = "he"

    def module(self, channels: int, generator: Generator, inputs: int) -> nn.Module:
        return Short(UNetModule(self, channels, generator))

    @property
    def receptive_field(self) -> ReceptiveField:
        return ReceptiveField(128 * self.dilation, 32 * self.dilation)


class UNetModule(UNetBase):
    """Five-level U-Net: encoder blocks of `width`, decoder blocks of twice that."""

    def __init__(self, spec: UNet, channels: int, generator: Generator) -> None:
        conv = partial(_conv, generator=generator, init=spec.init)
        super().__init__(conv, conv, spec.width, channels)
        self.dilation, self.p = spec.dilation, spec.dropout
        self.late = spec.dropout if spec.dropped == "all" else 0.0  # rate past the encoder

    def forward(self, x: Tensor, generator: Generator | None = None, *_: Any) -> Tensor:
        """Map (N, C, H, W) to the same shape; sizes that the levels do not divide are extended."""
        height, width = x.shape[-2:]
        least = 2 * [self.dilation * self.unit]
        if self.dilation == 1:  # a thin image is pooled along its length alone
            least = [min(self.unit, 1 << (size - 1).bit_length()) for size in (height, width)]
        x = F.pad(x, (0, -width % least[1], 0, -height % least[0]), mode="replicate")
        x = x.contiguous(memory_format=torch.channels_last)
        # A convolution of dilation 2 is an ordinary one on each of the four phases: twice as fast.
        split, join = (split_phases, join_phases) if self.dilation == 2 else 2 * (nn.Identity(),)
        h = split(x)
        skips = [h]
        h = _act(self.entry(h))
        for conv in self.encoder:
            # The activation is monotone: after pooling it gives the same at a quarter the cost.
            h = conv(h)
            two = [min(2, size) for size in h.shape[-2:]]  # a thin image is pooled along its length
            h = h.unflatten(0, (4, -1)).amax(0) if self.dilation == 2 else F.max_pool2d(h, two)
            h = split(dropout(F.leaky_relu(h, _SLOPE), self.p, generator))
            skips.append(h)
        h = dropout(join(_act(self.bottom(skips.pop()))), self.late, generator)
        # Upsampled by repetition, of which every phase is the image itself.
        for first, second in self.decoder:  # type: ignore[misc]
            skip = skips.pop()
            h = F.interpolate(h, skip.shape[-2:]) if self.dilation == 1 else h.repeat(4, 1, 1, 1)
            h = torch.cat([h, skip], dim=1)
            h = dropout(join(_act(second(_act(first(h))))), self.late, generator)
        return self.exit(h.float())[..., :height, :width]


def _conv(fan_in: int, fan_out: int, generator: Generator, init: str) -> nn.Conv2d:
    """Return a 3x3 convolution with weights from `generator` alone."""
    # Made without memory first: the usual constructor would draw from the global generator.
    conv = nn.Conv2d(fan_in, fan_out, 3, padding=1, device="meta").to_empty(device="cpu")
    assert conv.bias is not None
    if init == "he":
        nn.init.kaiming_normal_(conv.weight, a=_SLOPE, generator=generator)
        nn.init.zeros_(conv.bias)
    else:
        bound = (9 * fan_in) ** -0.5
        nn.init.uniform_(conv.weight, -bound, bound, generator=generator)
        nn.init.uniform_(conv.bias, -bound, bound, generator=generator)
    return conv
