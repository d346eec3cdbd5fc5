"""Losses on a map of pixels."""

from __future__ import annotations

from torch import Tensor

LOSSES = ("l1", "l2")


def masked_mean(prediction: Tensor, target: Tensor, scored: Tensor, kind: str) -> Tensor:
    """Return the mean absolute ("l1") or squared ("l2") error over the scored pixels.

    Parameters
    ----------
    prediction, target : float tensor
        Same shape.
    scored : bool tensor
        Same shape; pixels outside it have no influence.
    kind : {"l1", "l2"}
    """
    error = (prediction - target) * scored
    power = error.abs() if kind == "l1" else error.square()
    return power.sum() / scored.sum().clamp(min=1)


def masked_mse(prediction: Tensor, target: Tensor, chosen: Tensor) -> Tensor:
    """Return the squared error of `chosen * prediction` against `chosen * target`, mean over all.

    This is the paper's convention for the INR's losses: the mean runs over every pixel, so a
    sparse map weighs little.
    """
    return ((prediction - target) * chosen).square().mean()
