"""Features kept as a batch of phases, in which a dilated convolution is an ordinary one."""

from __future__ import annotations

import torch


def split_phases(x: torch.Tensor, step: int = 2) -> torch.Tensor:
    """(N, C, sH, sW) -> (s^2 N, C, H, W): phase (i, j) holds rows i::s and columns j::s."""
    return torch.cat([x[..., i::step, j::step] for i in range(step) for j in range(step)])


def join_phases(x: torch.Tensor, step: int = 2) -> torch.Tensor:
    """Inverse of `split_phases`."""
    n, (c, h, w) = x.shape[0] // step**2, x.shape[1:]
    x = x.reshape(step, step, n, c, h, w).permute(2, 3, 4, 0, 5, 1)
    return x.reshape(n, c, step * h, step * w)
