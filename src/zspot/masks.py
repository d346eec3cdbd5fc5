"""Masks: which pixels are hidden from the network and which are scored by the loss."""

from __future__ import annotations

from typing import NamedTuple

import torch

from zspot.random import bernoulli
from zspot.recipe import Bernoulli, NoMask


class MaskMaps(NamedTuple):
    """Two boolean maps of the images' shape (N, C, H, W).

    Attributes
    ----------
    hidden : bool tensor
        Pixels replaced in the network's input.
    scored : bool tensor
        Pixels counted by the loss; hidden ones, except where nothing is hidden at all.
    """

    hidden: torch.Tensor
    scored: torch.Tensor


def draw(spec: Bernoulli | NoMask, shape: torch.Size, generator: torch.Generator) -> MaskMaps:
    """Draw a fresh mask for images of shape (N, C, H, W).

    Parameters
    ----------
    spec : Bernoulli or NoMask
    shape : torch.Size
    generator : torch.Generator
        The maps are made on its device.
    """
    if isinstance(spec, NoMask):
        everything = torch.ones(shape, dtype=torch.bool, device=generator.device)
        return MaskMaps(hidden=~everything, scored=everything)
    n, c, h, w = shape
    drawn = (n, c if spec.per_channel else 1, h, w)
    visible = bernoulli(drawn, spec.keep, generator, generator.device)
    near = exclude(visible, spec.exclusion)
    return MaskMaps(hidden=(~visible).expand(shape), scored=(~near).expand(shape))


def exclude(visible: torch.Tensor, shape: str) -> torch.Tensor:
    """Dilate a boolean map (..., H, W) by a 3x3 cross, a 3x3 square or nothing."""
    if shape == "none":
        return visible
    across = _dilate(visible, dim=-1)
    return _dilate(across, dim=-2) if shape == "square" else across | _dilate(visible, dim=-2)


def _dilate(x: torch.Tensor, dim: int) -> torch.Tensor:
    size = x.shape[dim]
    out = x.clone()
    out.narrow(dim, 1, size - 1).logical_or_(x.narrow(dim, 0, size - 1))
    out.narrow(dim, 0, size - 1).logical_or_(x.narrow(dim, 1, size - 1))
    return out
