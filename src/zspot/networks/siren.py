"""A SIREN (Sitzmann et al., NeurIPS 2020), lifting and dropout as in Quan et al., CVPR 2025."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from zspot.core.rng import dropout

PHASES = 4
_ALL = (slice(None), slice(None))
_BAND = 1 << 18  # pixels at a time where no gradient is needed: hundreds of numbers for each


class Siren(nn.Module):
    """Coordinate MLP with sines on a grid twice as fine as the image; see `zspot.recipe.Inr`."""

    def __init__(
        self,
        channels: int,
        generator: Generator,
        features: int,
        layers: int,
        w0: float,
        bands: int,
        dropout: Sequence[float],
    ) -> None:
        super().__init__()
        self.w0, self.bands, self.dropout = w0, bands, tuple(dropout)
        sizes = [2 * (1 + 2 * bands), *[features] * (layers - 1), channels]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for index, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            bound = 1 / fan_in if index == 0 else math.sqrt(6 / fan_in) / w0
            weight = torch.empty(fan_out, fan_in).uniform_(-bound, bound, generator=generator)
            limit = 1 / math.sqrt(fan_in)
            bias = torch.empty(fan_out).uniform_(-limit, limit, generator=generator)
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(bias))

    def phase(
        self,
        height: int,
        width: int,
        index: int,
        generator: Generator | None = None,
        window: tuple[slice, slice] = _ALL,
    ) -> Tensor:
        """Evaluate a window of a phase of the fine grid, (1, C, H, W): dropout by the generator."""
        rows = self._lift(_fine_axis(height, index // 2, self.weights[0])[window[0]])
        cols = self._lift(_fine_axis(width, index % 2, self.weights[0])[window[1]])
        if torch.is_grad_enabled():
            return self._evaluate(rows, cols, generator)
        bands = rows.split(max(1, _BAND // len(cols)))
        return torch.cat([self._evaluate(band, cols, generator) for band in bands], dim=2)

    def _evaluate(self, rows: Tensor, cols: Tensor, generator: Generator | None) -> Tensor:
        """Return the values at all pairs of lifted rows (H, F) and columns (W, F), (1, C, H, W)."""
        w0, p = self.w0, self.dropout
        height, width = len(rows), len(cols)
        # Linear in features of one coordinate each: once per row, once per column, and added.
        # The factor w0 multiplies the small weights, not the large activations.
        first, half = w0 * self.weights[0], self.weights[0].shape[1] // 2
        by_row = F.linear(rows, first[:, :half], w0 * self.biases[0])
        by_col = F.linear(cols, first[:, half:])
        x = (by_row[:, None] + by_col[None]).reshape(height * width, -1)
        x = dropout(torch.sin(x), p[0], generator)
        for weight, bias, rate in zip(self.weights[1:-1], self.biases[1:-1], p[1:], strict=True):
            x = dropout(torch.sin(F.linear(x, w0 * weight, w0 * bias)), rate, generator)
        x = F.linear(x, self.weights[-1], self.biases[-1])
        return x.reshape(1, height, width, -1).permute(0, 3, 1, 2)

    def _lift(self, axis: Tensor) -> Tensor:
        """Gamma(p) of one coordinate axis, (n,) -> (n, features)."""
        if not self.bands:
            return axis[:, None]
        octaves = 2.0 ** torch.arange(self.bands, dtype=axis.dtype, device=axis.device)
        angles = math.pi * axis[:, None] * octaves
        return torch.cat([axis[:, None], angles.sin(), angles.cos()], dim=1)


def _fine_axis(size: int, offset: int, like: Tensor) -> Tensor:
    """Every second coordinate in [-1, 1] of an axis with 2 * size points."""
    fine = torch.linspace(-1, 1, 2 * size, dtype=like.dtype, device=like.device)
    return fine[offset::2]
