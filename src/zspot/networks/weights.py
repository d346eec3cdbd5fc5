"""Initial weights that several networks share."""

from __future__ import annotations

from torch import nn


def he_weights(network: nn.Module, slope: float) -> None:
    """Give every convolution weights that keep the variance through leaky ReLUs, and no bias.

    torch's default shrinks it at each layer, and deep networks then learn slowly.

    Parameters
    ----------
    network : nn.Module
    slope : float
        Of the leaky ReLU for negative values.
    """
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, a=slope)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
