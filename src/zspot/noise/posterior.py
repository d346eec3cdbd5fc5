"""A blind-spot prediction and the pixel itself, weighed by variance (Laine et al., 2019)."""

import math

import torch
from torch import Tensor

from zspot.filters.local import LocalMean, quantile_by_brightness
from zspot.noise.whitening import Measured

_WINDOW = 6.0  # deviation of the window in which the variances are compared, pixels
_QUIET = 0.05  # share of the places of like brightness where all that was removed is noise
# Times the variance that a report has: more than that it does not miss.
_MISSED = {"white": 1.25, "correlated": 2.0}
_ERRORS = 2.0  # standard errors of a local variance that do not count as picture


def with_own_values(estimate: Tensor, noisy: Tensor, noise: Measured) -> Tensor:
    """Weigh a blind-spot estimate (C, H, W) of hidden pixels with their own noisy values."""
    average, removed = LocalMean(noisy, _WINDOW), noisy - estimate
    power = average(removed.square()).clamp_min(torch.finfo(noisy.dtype).tiny)
    usual = noise.channels.diagonal()[:, None, None]
    reported = average(usual * noise.growth(estimate))
    # Reports miss noise of low frequency: go by what the flattest places show, within limits.
    most = _MISSED["white" if noise.is_white else "correlated"]
    pairs = zip(power, average(estimate), strict=True)
    shown = torch.stack([quantile_by_brightness(*pair, _QUIET) for pair in pairs])
    variance = torch.maximum(reported, torch.minimum(shown, most * reported))
    independent = 4 * math.pi * _WINDOW**2 / float(noise.lags.square().sum())  # in a window
    variance = variance * (1 + _ERRORS * math.sqrt(2 / independent))
    return estimate + ((power - variance) / power).clamp_min(0) * removed
