"""The noise of a patch, given or measured on an estimate, for the closed-form estimators."""

from dataclasses import dataclass

import torch
from torch import Tensor

REACH = 4  # pixels, of correlations that are measured
LEAST_VARIANCE = 0.01  # of the noise in any direction of a patch, relative to the mean
_LEAST_POWER = 1e-8  # of the noise, relative to the picture


@dataclass(frozen=True, eq=False)
class PatchNoise:
    """Noise of a patch: channel covariance x autocorrelation, linear in the signal."""

    channels: Tensor  # (C, C) covariance between channels of one pixel, squared image units
    lags: Tensor | None = None  # (2L+1, 2L+1) autocorrelation, 1 in its centre; None: white noise
    slope: Tensor | None = None  # (C,) change of the variance per unit of signal
    level: Tensor | None = None  # (C,) signal that `channels` belongs to; goes with `slope`

    @classmethod
    def measured(
        cls, noisy: Tensor, estimate: Tensor, times: float = 1.0, follows: bool = False
    ) -> "PatchNoise":
        """Measure noise on what an estimate removed from a noisy image, both (C, H, W)."""
        # `times` scales its deviation; `follows` fits a line to its variance over the estimate.
        removed = noisy - estimate
        removed = removed - removed.mean((1, 2), keepdim=True)
        channels = removed.flatten(1) @ removed.flatten(1).T / removed[0].numel()
        # Where nothing was removed there is no noise to model, but its inverse must stay finite.
        contrast = (noisy - noisy.mean((1, 2), keepdim=True)).square().mean()
        least = _LEAST_POWER * float(contrast) + torch.finfo(removed.dtype).tiny
        power = channels.diagonal().clamp_min(least)
        channels = channels + torch.diag(power - channels.diagonal())
        lags = _autocorrelation(removed / power.sqrt()[:, None, None])
        if not follows:
            return cls(channels * times**2, lags)
        level = estimate.mean((1, 2))
        spread = estimate - level[:, None, None]
        changes = (removed.square() * spread).mean((1, 2))
        slope = changes / spread.square().mean((1, 2)).clamp_min(1e-9)
        return cls(channels * times**2, lags, slope * times**2, level)

    def covariance(self, patch: int) -> Tensor:
        """Return the (C*patch^2, C*patch^2) covariance of a patch, channel slowest."""
        pixels = torch.cartesian_prod(torch.arange(patch), torch.arange(patch))
        down, right = (pixels[:, None] - pixels).unbind(-1)
        lags = torch.ones(1, 1) if self.lags is None else self.lags.cpu()
        reach = len(lags) // 2
        near = (down.abs() <= reach) & (right.abs() <= reach)
        row, col = (lag.clamp(-reach, reach) + reach for lag in (down, right))
        spatial = torch.where(near, lags[row, col], 0).to(self.channels)
        covariance = torch.kron(self.channels, spatial.contiguous())
        # Measured correlations may be of no noise: a solve with them amplifies what it removes.
        values, vectors = torch.linalg.eigh(covariance.double())
        least = LEAST_VARIANCE * float(covariance.diagonal().mean())
        if float(values[0]) >= least:
            return covariance
        return (vectors * values.clamp_min(least) @ vectors.T).to(covariance)


def _autocorrelation(unit: Tensor) -> Tensor:
    """Autocorrelation of (C, H, W) of variance 1, mean of channels, at lags up to REACH."""
    _, height, width = unit.shape
    reach = min(REACH, height - 1, width - 1)
    lags = unit.new_zeros(2 * reach + 1, 2 * reach + 1)
    for down in range(reach + 1):
        for right in range(-reach, reach + 1):
            here = unit[:, : height - down, max(0, -right) : width - max(0, right)]
            there = unit[:, down:, max(0, right) : width - max(0, -right)]
            # Divided by all pixels, not by the pairs: the result stays positive definite.
            value = (here * there).sum() / unit.numel()
            lags[reach + down, reach + right] = lags[reach - down, reach - right] = value
    lags[reach, reach] = lags[reach, reach].clamp_min(torch.finfo(lags.dtype).tiny)
    return lags / lags[reach, reach]
