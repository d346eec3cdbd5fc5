"""Move a result so that what was removed has a local median, or mean, of zero.

The mean of camera noise is not zero once the picture went through a tone curve or was cut off at
black and white; its median is kept by every monotone curve. A network trained on squared errors
returns the mean, so strongly noisy photographs come out too dark. This puts them right.

The mean of photon noise is zero, however few the photons: there the local mean is kept.
"""

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


def to_local_mean(estimate: Tensor, noisy: Tensor, window: float) -> Tensor:
    """Add the local mean of `noisy - estimate` to `estimate`; the mean of all is kept exactly.

    Arguments as in `to_local_median`.
    """
    removed = noisy - estimate
    moved = estimate + torch.stack([_local_mean(channel, window) for channel in removed])
    return moved + (noisy - moved).mean((1, 2), keepdim=True)


def _local_mean(removed: Tensor, window: float) -> Tensor:
    height, width = removed.shape
    cell = max(1, int(window // 6))  # it varies no faster than the window, either
    coarse = LocalMean(removed, window / cell, cell)(removed)
    return _upsampled(coarse, cell, (height, width))


def _upsampled(coarse: Tensor, cell: int, size: tuple[int, int]) -> Tensor:
    fine = F.interpolate(coarse[None, None], scale_factor=cell, mode="bilinear")
    return fine[0, 0, : size[0], : size[1]]


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
    return _upsampled(median, cell, (height, width))
