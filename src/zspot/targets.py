"""Targets: the images that a step starts from and what it learns to predict."""

from __future__ import annotations

import torch

from zspot.recipe import Noisy, Recorrupted


def pair(
    spec: Noisy | Recorrupted,
    y: torch.Tensor,
    pilot: torch.Tensor | None,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (image to mask and feed to the network, image to predict), each shaped as `y`.

    Parameters
    ----------
    spec : Noisy or Recorrupted
    y : float tensor (N, C, H, W)
        Noisy crops.
    pilot : float tensor (N, C, H, W) or None
        First estimate of the same crops, for signal-dependent noise; only for `Recorrupted`.
    generator : torch.Generator
    """
    if isinstance(spec, Noisy):
        return y, y
    assert pilot is not None
    deviation = noise_deviation(spec, pilot)
    w = torch.empty_like(y).normal_(generator=generator) * deviation
    return y + spec.tau * w, y - w / spec.tau


def noise_deviation(spec: Recorrupted, signal: torch.Tensor) -> torch.Tensor:
    """Return the noise's standard deviation at a signal (N, C, H, W)."""

    def column(values: tuple[float, ...]) -> torch.Tensor:
        return torch.tensor(values, dtype=signal.dtype, device=signal.device)[:, None, None]

    variance = column(spec.variance) + column(spec.slope) * signal
    return torch.maximum(variance, column(spec.floor)).sqrt()
