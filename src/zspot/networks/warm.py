"""The trained prior as a network of recipes: any number of channels, with or without weights."""

from __future__ import annotations

import torch
from torch import nn

from zspot.core.rng import seeded
from zspot.networks.pretrained import Prior, load
from zspot.specs import Prior as PriorSpec

COLOURS = 3


class WarmStart(nn.Module):
    """Denoises standardised images; three channels as colours, any other number one by one.

    Parameters
    ----------
    spec : zspot.recipe.Prior
    channels : int
        Of the images to come.
    generator : torch.Generator
        Draws the initial weights where the start is not warm, on the CPU.
    """

    def __init__(self, spec: PriorSpec, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        with seeded(generator):
            kind = "colour" if channels == COLOURS else "grey"
            kind = "white" if spec.noise == "white" else kind
            self.prior = load(kind) if spec.warm else Prior()

    def forward(
        self,
        x: torch.Tensor,
        generator: torch.Generator | None = None,
        visible: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Map (N, C, H, W) to the same shape; nothing but `x` is used."""
        return any_channels(self.prior, x)


def any_channels(prior: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Apply a network of three colours to (N, C, H, W): three channels as such, else one by one."""
    if x.shape[1] == COLOURS:
        return prior(x)
    # Grey pictures were trained on as three equal channels.
    grey = x.flatten(0, 1)[:, None].expand(-1, COLOURS, -1, -1)
    return prior(grey).mean(1).view_as(x)
