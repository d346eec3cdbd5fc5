"""The best linear guess of a hidden pixel from visible ones, for any correlations between them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from zspot.core.errors import TheoryError

MODELS = ("additive", "multiplicative")
_SINGULAR = 1e-12  # smallest singular value, relative to the largest, that counts as one


@dataclass(frozen=True)
class Solution:
    """What the self-supervised loss chooses."""

    weights: np.ndarray  #: (M,), of the visible pixels
    risk: float  #: mean squared error against the clean value, squared intensities
    loss: float  #: that against the noisy value, which was minimised


@dataclass(frozen=True)
class Moments:
    """Second moments E[a_j a_k] at the hidden pixel (index 0) and M visible ones.

    Values and noise are taken as uncorrelated with each other. TheoryError: if they are not two
    finite symmetric matrices of one size.
    """

    values: np.ndarray  #: (M + 1, M + 1), of clean values, squared intensities, not centred
    noise: np.ndarray  #: (M + 1, M + 1), of noise, likewise

    def __post_init__(self) -> None:
        for name in ("values", "noise"):
            matrix = np.asarray(getattr(self, name), dtype=np.float64)
            if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
                raise TheoryError(f"{name}: must be a square matrix, got shape {matrix.shape}")
            if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
                raise TheoryError(f"{name}: must be finite and symmetric")
            object.__setattr__(self, name, matrix)
        if self.values.shape != self.noise.shape:
            shapes = f"values {self.values.shape} and noise {self.noise.shape}"
            raise TheoryError(f"{shapes} must have one shape")

    def risk(self, weights: np.ndarray) -> float:
        """Return E(sum_j w_j y_j - x_0)^2 for weights (M,)."""
        w = np.asarray(weights, dtype=np.float64)
        error = np.r_[-1.0, w]  # in values; the noise enters through the visible pixels only
        return float(error @ self.values @ error + w @ self.noise[1:, 1:] @ w)

    def loss(self, weights: np.ndarray) -> float:
        """Return E(sum_j w_j y_j - y_0)^2 for weights (M,)."""
        error = np.r_[-1.0, np.asarray(weights, dtype=np.float64)]
        return float(error @ (self.values + self.noise) @ error)

    def solve(self) -> Solution:
        """Return the weights that minimise the self-supervised loss, and what they reach.

        Of several best ones the shortest: there the visible pixels repeat each other.
        """
        both = self.values + self.noise
        weights = np.linalg.lstsq(both[1:, 1:], both[1:, 0], rcond=_SINGULAR)[0]
        return Solution(weights, self.risk(weights), self.loss(weights))


@dataclass(frozen=True)
class Neighbours:
    """Visible pixels, each of own noise correlation and deviation. TheoryError: if out of range."""

    value: float  #: as in `zspot.theory.BlindSpot`
    sigma: float  #: as in `zspot.theory.BlindSpot`
    #: (M,), with the hidden pixel; visible pixels are correlated only through it: j with k by the
    #: product of their values here
    noise_correlation: np.ndarray
    deviation: np.ndarray  #: (M,), as in `zspot.theory.BlindSpot`, of each visible pixel
    model: str = "additive"  #: or "multiplicative"

    def __post_init__(self) -> None:
        check_parameters(self)
        if np.ndim(self.value) or np.ndim(self.sigma):
            raise TheoryError("value and sigma must be numbers")
        for name in ("noise_correlation", "deviation"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        shapes = [self.noise_correlation.shape, self.deviation.shape]
        if shapes[0] != shapes[1] or len(shapes[0]) != 1 or shapes[0] == (0,):
            raise TheoryError(f"noise_correlation, deviation: shapes {shapes} must be one (M,)")

    def moments(self) -> Moments:
        """Return the second moments of values and noise."""
        unit = abs(self.value) if self.model == "multiplicative" else 1.0
        spread = self.deviation * self.sigma * unit  # of each visible value around the hidden one
        values = self.value**2 + np.diag(np.r_[0.0, spread**2])
        with_hidden = np.r_[1.0, self.noise_correlation]
        noise = np.outer(with_hidden, with_hidden)
        np.fill_diagonal(noise, 1.0)
        return Moments(values, self.sigma**2 * noise)


def check_choice(name: str, choice: str, allowed: tuple[str, ...]) -> None:
    """Raise a `TheoryError` unless `choice` is one of the allowed words."""
    if choice not in allowed:
        raise TheoryError(f"{name}={choice!r}: choose one of {', '.join(allowed)}")


def check_number(name: str, given: Any, low: float, high: float = np.inf) -> None:
    """Raise a `TheoryError` unless numbers lie in [low, high]."""
    numbers = np.asarray(given, dtype=np.float64)
    if not (np.isfinite(numbers) & (numbers >= low) & (numbers <= high)).all():
        limits = "finite" if np.isinf(low) else f"finite and at least {low:g}"
        if np.isfinite(high):
            limits = f"between {low:g} and {high:g}"
        raise TheoryError(f"{name}={given!r}: must be {limits}")


def check_parameters(spec: Any) -> None:
    """Check what `Neighbours` and `zspot.theory.BlindSpot` have in common."""
    check_choice("model", spec.model, MODELS)
    check_number("value", spec.value, -np.inf)
    check_number("sigma", spec.sigma, 0)
    check_number("noise_correlation", spec.noise_correlation, -1, 1)
    check_number("deviation", spec.deviation, 0)
