"""A running mean of what a network puts out while it learns, and when to stop."""

import torch
from torch import Tensor

_FOLLOW = 0.1  # how fast the measure of variance follows; Wang et al. use the same


class RunningMean:
    """Exponential mean of outputs, the last or that of least variance (see `Fit.patience`)."""

    def __init__(self, decay: float, patience: int) -> None:
        self._decay, self._patience = decay, patience
        self._mean = self._followed = self._best = torch.zeros(())
        self._variance = 0.0
        self._least = float("inf")
        self._step = self._best_step = 0

    def add(self, output: Tensor) -> bool:
        """Take an output and say whether to stop."""
        step, self._step = self._step, self._step + 1
        if step == 0:
            self._mean = self._followed = output.clone()
            return False
        self._mean = self._decay * self._mean + (1 - self._decay) * output
        if self._patience == 0:
            return False
        change = output - self._followed
        power = float(change.square().mean())
        self._variance = (1 - _FOLLOW) * (self._variance + _FOLLOW * power)
        self._followed = self._followed + _FOLLOW * change
        # Early on both are settling, and the variance is small because little has been seen.
        if step > self._patience and self._variance < self._least:
            self._least, self._best, self._best_step = self._variance, self._mean, step
        return self._least < float("inf") and step - self._best_step >= self._patience

    @property
    def result(self) -> Tensor:
        """The mean where the variance was least, or the last one."""
        return self._best if self._least < float("inf") else self._mean


class Mean:
    """Running mean and spread of predictions, by Welford's update: sums of squares lose digits."""

    def __init__(self, like: Tensor) -> None:
        self.value = torch.zeros_like(like)
        self._squares = torch.zeros_like(like)
        self._count = 0

    def add(self, output: Tensor) -> None:
        """Take one prediction."""
        change = output - self.value
        self._count += 1
        self.value += change / self._count
        self._squares += change * (output - self.value)

    def deviation(self) -> Tensor | None:
        """Return the standard deviation (C, H, W) over the predictions; None of a single one."""
        return (self._squares / (self._count - 1)).sqrt()[0] if self._count > 1 else None
