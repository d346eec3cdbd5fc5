"""Losses on a map of pixels."""

from torch import Tensor

LOSSES = ("l1", "l2")


def masked_mean(prediction: Tensor, target: Tensor, scored: Tensor, kind: str) -> Tensor:
    """Return the mean absolute ("l1") or squared ("l2") error over the scored pixels."""
    error = (prediction - target) * scored
    power = error.abs() if kind == "l1" else error.square()
    return power.sum() / scored.sum().clamp(min=1)


def masked_mse(prediction: Tensor, target: Tensor, chosen: Tensor) -> Tensor:
    """Return the squared error of the chosen pixels over the number of all, as the INR's paper."""
    return ((prediction - target) * chosen).square().mean()
