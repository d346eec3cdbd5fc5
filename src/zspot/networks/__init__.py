"""Networks, one file each; `build` makes the one that a recipe names."""

from __future__ import annotations

import torch
from torch import nn

from zspot.networks.unet import UNet as UNetModule
from zspot.networks.warm import WarmStart
from zspot.recipe import Prior, UNet


def build(spec: UNet | Prior, channels: int, generator: torch.Generator) -> nn.Module:
    """Return the network for images of `channels` channels; random weights from `generator`."""
    if isinstance(spec, Prior):
        return WarmStart(spec, channels, generator)
    return UNetModule(spec, channels, generator)
