"""Networks, one file each; `build` makes the one that a recipe names."""

from __future__ import annotations

import torch
from torch import nn

from zspot.networks.unet import UNet as UNetModule
from zspot.recipe import UNet


def build(spec: UNet, channels: int, generator: torch.Generator) -> nn.Module:
    """Return a fresh network for images of `channels` channels, with weights from `generator`."""
    return UNetModule(spec, channels, generator)
