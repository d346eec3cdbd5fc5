"""Networks, one file each; `build` makes the one that a recipe names.

Every network is called as `network(x, generator, visible)`: the images (N, C, H, W), the
generator of its dropout (None is without) and the map of the pixels that were not hidden, for
those that use it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from zspot import specs
from zspot.networks.blind_spot import BlindSpot
from zspot.networks.hourglass import Hourglass
from zspot.networks.partial_unet import PartialUNet
from zspot.networks.shallow import Shallow
from zspot.networks.unet import UNet
from zspot.networks.warm import WarmStart

_MODULES: dict[type, Callable[[Any, int, torch.Generator], nn.Module]] = {
    specs.UNet: UNet,
    specs.Prior: WarmStart,
    specs.PartialUNet: PartialUNet,
    specs.BlindSpot: BlindSpot,
    specs.Shallow: Shallow,
}


def build(
    spec: specs.Network, channels: int, generator: torch.Generator, inputs: int | None = None
) -> nn.Module:
    """Return the network for images of `channels` channels; random weights from `generator`.

    Parameters
    ----------
    spec : zspot.specs.Network
    channels : int
        Channels of the output.
    generator : torch.Generator
    inputs : int, optional
        Channels of the input, where they are others: of a code.

    Raises
    ------
    RecipeError
        If the network cannot take a code.
    """
    if isinstance(spec, specs.Hourglass):
        return Hourglass(spec, channels, generator, inputs or channels)
    specs.require(
        inputs in (None, channels), "fill code needs network hourglass: choose another fill"
    )
    return _MODULES[type(spec)](spec, channels, generator)
