"""Random draws per patch, and the small filters that the simulators share."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F


class Draw:
    """One value per patch, of shape (count, 1, 1, 1), so that it broadcasts over a batch.

    Parameters
    ----------
    generator : torch.Generator
    count : int
        Patches in the batch.
    """

    def __init__(self, generator: torch.Generator, count: int) -> None:
        self.generator, self.count = generator, count

    def uniform(self, low: float, high: float) -> torch.Tensor:
        """Draw uniformly from [low, high)."""
        u = torch.rand((self.count, 1, 1, 1), generator=self.generator)
        return low + (high - low) * u

    def log_uniform(self, low: float, high: float) -> torch.Tensor:
        """Draw such that the logarithm is uniform."""
        return self.uniform(math.log(low), math.log(high)).exp()

    def coin(self, probability: float) -> torch.Tensor:
        """Draw booleans."""
        return self.uniform(0, 1) < probability

    def normal(self, shape: tuple[int, ...] | torch.Size) -> torch.Tensor:
        """Draw standard normal values of any shape."""
        return torch.randn(shape, generator=self.generator)


def grey(x: torch.Tensor, draw: Draw, probability: float) -> torch.Tensor:
    """Make some patches grey, each with weights of its own, as three equal channels."""
    weights = torch.rand((draw.count, 3, 1, 1), generator=draw.generator) + 0.2
    luma = (x * weights / weights.sum(1, keepdim=True)).sum(1, keepdim=True)
    return torch.where(draw.coin(probability), luma.expand_as(x), x)


def gaussian_kernels(draw: Draw, sigma: torch.Tensor, size: int) -> torch.Tensor:
    """Return one mildly anisotropic Gaussian per patch, shape (N, 1, size, size), sum 1."""
    t = torch.arange(size) - (size - 1) / 2
    ratio = draw.uniform(0.8, 1.25)

    def window(s: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.exp(-0.5 * (t.view(shape) / s.clamp(min=0.15)) ** 2)

    kernel = window(sigma * ratio, (1, 1, size, 1)) * window(sigma / ratio, (1, 1, 1, size))
    return kernel / kernel.sum((2, 3), keepdim=True)


def sum_to_unit_energy(kernel: torch.Tensor) -> torch.Tensor:
    """Scale kernels so that filtering white noise keeps its variance."""
    return kernel / kernel.square().sum((2, 3), keepdim=True).sqrt()


def filter_each(x: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Filter every patch of `x` with its own kernel, all channels alike; borders reflect."""
    count, channels = x.shape[:2]
    pad = kernels.shape[-1] // 2
    flat = F.pad(x, (pad,) * 4, mode="reflect").flatten(0, 1)[None]
    weight = kernels.repeat_interleave(channels, 0)
    return F.conv2d(flat, weight, groups=count * channels).view_as(x)
