"""What several networks share: initial weights, and features kept as a batch of phases.

A dilated convolution is an ordinary one on each of the phases.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def split_phases(x: Tensor, step: int = 2) -> Tensor:
    """(N, C, sH, sW) -> (s^2 N, C, H, W): phase (i, j) holds rows i::s and columns j::s."""
    return torch.cat([x[..., i::step, j::step] for i in range(step) for j in range(step)])


def join_phases(x: Tensor, step: int = 2) -> Tensor:
    """Inverse of `split_phases`."""
    n, (c, h, w) = x.shape[0] // step**2, x.shape[1:]
    x = x.reshape(step, step, n, c, h, w).permute(2, 3, 4, 0, 5, 1)
    return x.reshape(n, c, step * h, step * w)


def he_weights(network: nn.Module, slope: float) -> None:
    """Give every convolution weights that keep the variance through leaky ReLUs, and no bias.

    torch's default shrinks it at each layer, and deep networks then learn slowly.
    """
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, a=slope)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
