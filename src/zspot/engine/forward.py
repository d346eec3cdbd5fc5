"""How pixels reach a network: hidden ones filled, and phases by themselves."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from zspot.engine.augment import pixel_unshuffle

Applied = Callable[..., Tensor]
"""A network, or the same for whole images: called as `(x, generator, visible)`."""


def network_input(y: Tensor, hidden: Tensor, filling: Tensor) -> Tensor:
    """Replace hidden pixels by the fill: the only way in which pixels reach a network.

    A filling of other channels than the image's is a code that takes the place of all of it.
    """
    if filling.shape[1] != y.shape[1]:
        return filling
    return torch.where(hidden, filling, y)


def in_phases(
    network: Applied, dropping: Generator, x: Tensor, visible: Tensor, stride: int
) -> Tensor:
    """Apply the network to each of the stride x stride phases of (N, C, H, W) by itself."""
    if stride == 1:
        return network(x, dropping, visible)
    height, width = x.shape[2:]
    phases = pixel_unshuffle(x, stride)
    output = network(phases, dropping, pixel_unshuffle(visible.to(x.dtype), stride))
    stacked = output.unflatten(0, (len(x), stride**2)).transpose(1, 2).flatten(1, 2)
    return F.pixel_shuffle(stacked, stride)[..., :height, :width]
