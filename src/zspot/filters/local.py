"""Local statistics: means, medians, and texture put back where too much was removed."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

_LEVELS = 48  # thresholds between which the median is interpolated
_WINDOW = 6.0  # deviation of the window in which texture stands out, pixels
_BINS = 8  # of brightness
_LARGEST = 2.0  # no brightness counts as noisier than this many times the median


class LocalMean:
    """Gaussian mean of images like `like`, of this deviation in pixels; if `coarse`, of cells."""

    def __init__(self, like: Tensor, window: float, coarse: bool = False) -> None:
        # A mean varies no faster than its window: a coarse grid of it may be enough.
        self._cell = cell = max(1, int(window // 6)) if coarse else 1
        self._height, self._width = height, width = like.shape[-2:]
        self._pad = (0, -width % cell, 0, -height % cell)
        window /= cell
        reach = max(1, round(3 * window))
        self._kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / window) ** 2)
        self._weight = self._blur(like.new_ones(height, width))

    def __call__(self, image: Tensor) -> Tensor:
        """Average (..., H, W) to (..., ceil(H / cell), ceil(W / cell))."""
        return self._blur(image) / self._weight

    def whole(self, cells: Tensor) -> Tensor:
        """Bring values of cells back to pixels, (H, W)."""
        fine = F.interpolate(cells[None, None], scale_factor=self._cell, mode="bilinear")
        return fine[0, 0, : self._height, : self._width]

    def _blur(self, image: Tensor) -> Tensor:
        """Average cells, then in Gaussian windows that count 0 beyond the image."""
        cells = F.avg_pool2d(F.pad(image, self._pad)[None], self._cell)[0]
        return filtered(F.pad(cells, (len(self._kernel) // 2,) * 4), self._kernel)


def filtered(padded: Tensor, kernel: Tensor) -> Tensor:
    """Filter (..., H, W) with a symmetric kernel down and across, where it lies inside."""
    # Sums of moved images: convolutions of one channel take eight times as long.
    weights, reach = kernel.tolist(), len(kernel) // 2
    for axis in (-2, -1):
        size = padded.shape[axis] - 2 * reach
        moved = [padded.narrow(axis, start, size) for start in range(2 * reach + 1)]
        padded = moved[reach] * weights[reach]
        for near, far, weight in zip(moved[:reach], reversed(moved), weights, strict=False):
            padded.add_(near + far, alpha=weight)
    return padded


def restore_texture(estimate: Tensor, noisy: Tensor, tolerance: float) -> Tensor:
    """Put back what was removed of (C, H, W) where its local strength stands out: texture."""
    # From `tolerance` times the median strength at that brightness on, and all of it at twice that.
    removed = noisy - estimate
    average = LocalMean(noisy, _WINDOW)
    strength = average(removed.square().mean(0)).clamp(min=0).sqrt()
    usual = quantile_by_brightness(strength, average(estimate.mean(0)), 0.5)
    usual = usual.clamp(max=_LARGEST * float(strength.median()))
    share = ((strength / usual.clamp(min=1e-12) - tolerance) / tolerance).clamp(0, 1)
    return estimate + share * removed


def quantile_by_brightness(values: Tensor, brightness: Tensor, share: float) -> Tensor:
    """Return for each pixel the quantile `share` of the values at like brightness (H, W)."""
    quantiles = torch.empty_like(values).flatten()
    for part in bins(brightness):
        there = values.flatten()[part]
        quantiles[part] = there.kthvalue(math.ceil(share * len(part))).values
    return quantiles.view_as(values)


def bins(brightness: Tensor) -> tuple[Tensor, ...]:
    """Return the numbers of the pixels of (H, W) in bins of like brightness."""
    return brightness.flatten().argsort().chunk(_BINS)


def to_local_median(estimate: Tensor, noisy: Tensor, window: float) -> Tensor:
    """Add the local median of `noisy - estimate` to `estimate`, both (C, H, W)."""
    # A tone curve or a cut at black moves the mean of noise, which networks return, not its median.
    average = LocalMean(noisy, window, coarse=True)
    pairs = zip(estimate, noisy, strict=True)
    return torch.stack([e + _local_median(n - e, average) for e, n in pairs])


def to_local_mean(estimate: Tensor, noisy: Tensor, window: float) -> Tensor:
    """Add the local mean of `noisy - estimate` to `estimate`: that of photon noise is zero."""
    average = LocalMean(noisy, window, coarse=True)
    moved = estimate + torch.stack([average.whole(c) for c in average(noisy - estimate)])
    return moved + (noisy - moved).mean((1, 2), keepdim=True)


def _local_median(removed: Tensor, average: LocalMean) -> Tensor:
    """Return the local median of (H, W), which lies between the global 20 and 80 % quantiles."""
    sample = removed.flatten()[:: max(1, removed.numel() // 2**20)]
    low, high = torch.quantile(sample, torch.tensor([0.2, 0.8], device=removed.device)).tolist()
    step = (high - low) / (_LEVELS - 1)
    previous = average((removed < low).to(removed.dtype))
    median = torch.full_like(previous, low)
    for index in range(1, _LEVELS):
        share = average((removed < low + index * step).to(removed.dtype))
        # Whole steps below the crossing of one half, the right part of the one that crosses.
        part = (0.5 - previous) / (share - previous).clamp(min=1e-6)
        median += step * part.clamp(0, 1)
        previous = share
    return average.whole(median)
