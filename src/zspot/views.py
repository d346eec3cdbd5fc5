"""Other views of the same pixels: turned, or apart in phases."""

from __future__ import annotations

import torch
from torch.nn import functional as F

TURNS = 8  # rotations and reflections of a square


def apart(x: torch.Tensor, step: int) -> torch.Tensor:
    """Return the step x step phases of (N, C, H, W), those of an image one after another.

    Sizes that the step does not divide are extended by repeating the border.
    """
    padded = F.pad(x, (0, -x.shape[3] % step, 0, -x.shape[2] % step), mode="replicate")
    phases = F.pixel_unshuffle(padded, step).unflatten(1, (-1, step**2))
    return phases.transpose(1, 2).flatten(0, 1).contiguous()


def turned_by(x: torch.Tensor, index: int) -> torch.Tensor:
    """Apply one of the eight rotations and reflections."""
    turned = torch.rot90(x, index % 4, (2, 3))
    return turned.flip(3) if index >= 4 else turned


def turn_back(x: torch.Tensor, index: int) -> torch.Tensor:
    """Undo `turned_by`."""
    return torch.rot90(x.flip(3) if index >= 4 else x, -(index % 4), (2, 3))
