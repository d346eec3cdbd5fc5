"""Checks of parameters that the parts of the theory share."""

from typing import Any

import numpy as np

from zspot.core.errors import TheoryError

MODELS = ("additive", "multiplicative")


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
