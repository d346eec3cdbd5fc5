"""Move a result so that what was removed has a local median of zero.

The mean of camera noise is not zero once the picture went through a tone curve or was cut off at
black and white; its median is kept by every monotone curve. A network trained on squared errors
returns the mean, so strongly noisy photographs come out too dark. This puts them right.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from zspot.filters.local_mean import LocalMean

_LEVELS = 48  # thresholds between which the median is interpolated


def to_local_median(estimate: Tensor, noisy: Tensor, window: float) -> Tensor:
    """Add the local median of `noisy - estimate` to `estimate`, both (C, H, W).

    The median is where the local share of smaller values, averaged with a Gaussian window of a
    standard deviation in pixels, crosses one half.
    """
    moved = [e + _local_median(n - e, window) for e, n in zip(estimate, noisy, strict=True)]
    return torch.stack(moved)


def _local_median(removed: Tensor, window: float) -> Tensor:
    """Return the local median of (H, W), which lies between the global 20 and 80 % quantiles."""
    height, width = removed.shape
    # The median varies no faster than the window: a coarse grid of it is enough.
    cell = max(1, int(window // 6))
    sample = removed.flatten()[:: max(1, removed.numel() // 2**20)]
    low, high = torch.quantile(sample, torch.tensor([0.2, 0.8], device=removed.device)).tolist()
    step = (high - low) / (_LEVELS - 1)
    average = LocalMean(removed, window / cell, cell)
    previous = average((removed < low).to(removed.dtype))
    median = torch.full_like(previous, low)
    for index in range(1, _LEVELS):
        share = average((removed < low + index * step).to(removed.dtype))
        # Whole steps below the crossing of one half, the right part of the one that crosses.
        part = (0.5 - previous) / (share - previous).clamp(min=1e-6)
        median += step * part.clamp(0, 1)
        previous = share
    fine = F.interpolate(median[None, None], scale_factor=cell, mode="bilinear")
    return fine[0, 0, :height, :width]
