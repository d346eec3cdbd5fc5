"""A SIREN (Sitzmann et al., NeurIPS 2020), lifting and dropout as in Quan et al., CVPR 2025."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from zspot.core.rng import dropout

Window = tuple[slice, slice]  # rows and columns
Rates = Sequence[float]  # of the dropout after each sine layer
PHASES = 4
_ALL = (slice(None), slice(None))
_BAND = 1 << 18  # pixels at a time where no gradient is needed: hundreds of numbers for each


class Siren(nn.Module):
    """Coordinate MLP with sines on a grid twice as fine as the image; see `zspot.recipe.Inr`."""

    def __init__(
        self, channels: int, init: Generator, features: int, w0: float, bands: int, rates: Rates
    ) -> None:
        super().__init__()
        self.w0, self.bands, self.dropout = w0, bands, tuple(rates)
        sizes = [2 * (1 + 2 * bands), *[features] * len(rates), channels]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for index, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            bound = 1 / fan_in if index == 0 else math.sqrt(6 / fan_in) / w0
            self.weights.append(nn.init.uniform_(torch.empty(fan_out, fan_in), -bound, bound, init))
            limit = 1 / math.sqrt(fan_in)
            self.biases.append(nn.init.uniform_(torch.empty(fan_out), -limit, limit, init))

    def phase(
        self, size: Sequence[int], index: int, drop: Generator | None = None, window: Window = _ALL
    ) -> Tensor:
        """Evaluate a window of a phase of the fine grid, (1, C, H, W): dropout by `drop`."""
        rows, cols = map(self._lifted, size, divmod(index, 2), window)
        if torch.is_grad_enabled():
            return self._evaluate(rows, cols, drop)
        bands = rows.split(max(1, _BAND // len(cols)))
        return torch.cat([self._evaluate(band, cols, drop) for band in bands], dim=2)

    def _evaluate(self, rows: Tensor, cols: Tensor, generator: Generator | None) -> Tensor:
        """Return the values at all pairs of lifted rows (H, F) and columns (W, F), (1, C, H, W)."""
        w0, p = self.w0, self.dropout
        height, width = len(rows), len(cols)
        # Linear in features of one coordinate each: per row and column; w0 multiplies weights.
        first, half = w0 * self.weights[0], self.weights[0].shape[1] // 2
        by_row = F.linear(rows, first[:, :half], w0 * self.biases[0])
        by_col = F.linear(cols, first[:, half:])
        x = (by_row[:, None] + by_col[None]).reshape(height * width, -1)
        x = dropout(torch.sin(x), p[0], generator)
        for weight, bias, rate in zip(self.weights[1:-1], self.biases[1:-1], p[1:], strict=True):
            x = dropout(torch.sin(F.linear(x, w0 * weight, w0 * bias)), rate, generator)
        x = F.linear(x, self.weights[-1], self.biases[-1])
        return x.reshape(1, height, width, -1).permute(0, 3, 1, 2)

    def _lifted(self, size: int, offset: int, part: slice) -> Tensor:
        """Gamma(p) of a part of every second coordinate of 2 * size in [-1, 1], (n, features)."""
        like: Any = {"dtype": self.weights[0].dtype, "device": self.weights[0].device}
        axis = torch.linspace(-1, 1, 2 * size, **like)[offset::2][part, None]
        if not self.bands:
            return axis
        angles = math.pi * axis * 2.0 ** torch.arange(self.bands, **like)
        return torch.cat([axis, angles.sin(), angles.cos()], dim=1)
