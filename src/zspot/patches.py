"""Patches: padding, search for similar ones, cutting out, putting back. No loop over pixels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

OUTSIDE = 1e6  # value beyond the image: a patch that reaches there is never similar


def reflect_pad(image: Tensor, patch: int, stride: int) -> Tensor:
    """Extend (C, H, W) below and to the right, by reflection, so that reference patches cover it.

    Works for any size: the reflection repeats where the image is smaller than a patch.
    """
    rows, cols = (
        _reflection(n, patch + -(-max(0, n - patch) // stride) * stride).to(image.device)
        for n in image.shape[1:]
    )
    return image[:, rows][:, :, cols]


def _reflection(size: int, length: int) -> Tensor:
    """Return `length` indices that run up and down over 0..size-1."""
    if size == 1:
        return torch.zeros(length, dtype=torch.long)
    index = torch.arange(length) % (2 * size - 2)
    return torch.where(index < size, index, 2 * size - 2 - index)


def match(guide: Tensor, patch: int, stride: int, reach: int, members: int) -> Tensor:
    """Find the nearest patches of every reference patch.

    Parameters
    ----------
    guide : Tensor
        (M, H, W) image to compare, summed over M.
    patch, stride, reach, members : int
        Patch side, reference step and search reach in pixels; patches wanted per group.

    Returns
    -------
    Tensor
        (R, k) positions, row-major over the (H-patch+1) x (W-patch+1) top-left corners; the
        reference itself is among them. k is below `members` where the window holds fewer.
    """
    _, height, width = guide.shape
    tall, wide = height - patch + 1, width - patch + 1
    up, side = min(reach, tall - 1), min(reach, wide - 1)
    padded = F.pad(guide, (side, side, up, up), value=OUTSIDE)
    # Even a corner patch sees this many neighbours.
    members = min(members, (up + 1) * (side + 1))
    distances, steps = [], []
    for dy in range(-up, up + 1):
        for dx in range(-side, side + 1):
            moved = padded[:, up + dy : up + dy + height, side + dx : side + dx + width]
            square = (moved - guide).square_().sum(0, keepdim=True)
            distances.append(F.avg_pool2d(square, patch, stride).flatten())
            steps.append(dy * wide + dx)
    table = torch.stack(distances, 1)
    nearest = table.topk(members, dim=1, largest=False, sorted=False).indices
    rows = torch.arange(0, tall, stride, device=guide.device)
    cols = torch.arange(0, wide, stride, device=guide.device)
    here = (rows[:, None] * wide + cols).reshape(-1, 1)
    return here + torch.tensor(steps, device=guide.device)[nearest]


def patch_rows(image: Tensor, patch: int) -> Tensor:
    """Cut (C, H, W) into all its overlapping patches, (positions, C*patch^2), channel slowest."""
    return F.unfold(image[None], patch)[0].T.contiguous()


def aggregate(total: Tensor, weight: Tensor, shape: torch.Size, patch: int) -> Tensor:
    """Overlap-add weighted patches (positions, C*patch^2) into an image of `shape` (C, H, W).

    `weight` (positions, G) weighs a position's patch, for G = C channels each or all at once.
    """
    size = (shape[1], shape[2])
    image = F.fold(total.T[None], size, patch)[0]
    mass = F.fold(weight.T.repeat_interleave(patch**2, 0)[None], size, patch)[0]
    return image / mass
