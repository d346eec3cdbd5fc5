"""Risk and loss of linear guesses measured on random draws, to hold the closed forms against."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zspot.theory import Neighbours

_CHUNK = 8192  # samples drawn at a time, for memory


class Drawn(NamedTuple):
    """Risk and loss, each with its standard error; squared intensities."""

    risk: float
    risk_error: float
    loss: float
    loss_error: float


def monte_carlo(
    pixels: Neighbours, samples: int, seed: int, weights: np.ndarray | None = None
) -> Drawn:
    """Draw hidden and visible pixels; `weights` are by default those that minimise the loss."""
    rng = np.random.default_rng(seed)
    w = pixels.moments().solve().weights if weights is None else np.asarray(weights)
    starts = range(0, samples, _CHUNK)
    drawn = [_errors(pixels, min(_CHUNK, samples - start), w, rng) for start in starts]
    errors = np.concatenate(drawn, axis=1)
    mean, error = errors.mean(axis=1), errors.std(axis=1, ddof=1) / np.sqrt(samples)
    return Drawn(float(mean[0]), float(error[0]), float(mean[1]), float(error[1]))


def _errors(
    pixels: Neighbours, count: int, weights: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw guesses; return their squared errors to clean and noisy value, (2, count)."""
    size, correlation, sigma = (count, len(weights)), pixels.noise_correlation, pixels.sigma
    unit = abs(pixels.value) if pixels.model == "multiplicative" else 1.0
    hidden = sigma * rng.standard_normal((count, 1))
    noise = correlation * hidden + sigma * np.sqrt(1 - correlation**2) * rng.standard_normal(size)
    spread = pixels.deviation * sigma * unit
    visible = pixels.value + spread * rng.standard_normal(size) + noise
    error = visible @ weights - pixels.value
    return np.stack([error**2, (error - hidden[:, 0]) ** 2])
