"""Masks: which pixels are hidden from the network and which are scored by the loss."""

from __future__ import annotations

from typing import NamedTuple

import torch

from zspot.core.rng import bernoulli
from zspot.specs import Bernoulli, Everything, Mask, NoMask, Stratified


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


def draw(spec: Mask, shape: torch.Size, generator: torch.Generator) -> MaskMaps:
    """Draw a fresh mask for images of shape (N, C, H, W).

    Parameters
    ----------
    spec : one of zspot.specs.Mask
    shape : torch.Size
    generator : torch.Generator
        The maps are made on its device.
    """
    if isinstance(spec, NoMask | Everything):
        everything = torch.ones(shape, dtype=torch.bool, device=generator.device)
        return MaskMaps(everything if isinstance(spec, Everything) else ~everything, everything)
    if isinstance(spec, Stratified):
        hidden = _one_in_each_cell(spec.box, shape, generator)
        return MaskMaps(hidden, hidden)
    assert isinstance(spec, Bernoulli)
    n, c, h, w = shape
    drawn = (n, c if spec.per_channel else 1, h, w)
    visible = bernoulli(drawn, spec.keep, generator, generator.device)
    near = exclude(visible, spec.exclusion)
    return MaskMaps(hidden=(~visible).expand(shape), scored=(~near).expand(shape))


def _one_in_each_cell(box: int, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Mark one random pixel of each box x box cell, the same one in all channels."""
    n, _, h, w = shape
    rows, cols = -(-h // box), -(-w // box)
    chosen = torch.randint(
        box * box, (n, 1, rows, 1, cols, 1), generator=generator, device=generator.device
    )
    inside = torch.arange(box * box, device=generator.device).view(box, 1, box)
    cells = chosen == inside
    return cells.reshape(n, 1, rows * box, cols * box)[..., :h, :w].expand(shape)


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
