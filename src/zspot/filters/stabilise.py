"""A generalised Anscombe transform: noise that grows with the signal becomes even."""

from dataclasses import dataclass

import torch
from torch import Tensor

_LEAST = 0.05  # of the variance at the mean: what is darker than that is moved along a line
_STEEP = 1e-3  # slope over that variance, below which it counts as so steep


@dataclass(frozen=True, eq=False)
class Stabiliser:
    """Moves an image to where noise of variance `start` + `slope` * signal is 1, and back."""

    start: Tensor  # (C, 1, 1), variance at signal 0, that of the mean
    slope: Tensor  # (C, 1, 1)
    least: Tensor  # (C, 1, 1), variance below which it is a line

    @classmethod
    def of(cls, start: Tensor, slope: Tensor) -> "Stabiliser":
        """Return the one for noise of variances and slopes (C,)."""
        start, slope = start[:, None, None], torch.maximum(slope, _STEEP * start)[:, None, None]
        return cls(start, slope, _LEAST * start)

    def __call__(self, image: Tensor) -> Tensor:
        """Stabilise an image."""
        above = self.start + self.slope * image - self.least
        root = (self.least + above.clamp(min=0)).sqrt() - self.least.sqrt()
        return torch.where(above > 0, 2 * root, above / self.least.sqrt()) / self.slope

    def inverse(self, image: Tensor) -> Tensor:
        """Bring a stabilised image back."""
        moved = image * self.slope
        up = (moved / 2 + self.least.sqrt()).square() - self.least
        above = torch.where(moved > 0, up, moved * self.least.sqrt())
        return (above + self.least - self.start) / self.slope
