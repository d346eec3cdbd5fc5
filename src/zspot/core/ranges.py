"""Checks of the values of a recipe."""

from __future__ import annotations

from zspot.core.errors import RecipeError


def require(ok: bool, what: str) -> None:
    """Raise a `RecipeError` that says `what` unless `ok`."""
    if not ok:
        raise RecipeError(what)


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Require a value to be one of the allowed ones."""
    require(value in allowed, f"{name} = {value!r}: choose one of {', '.join(allowed)}")


def between(name: str, value: float, low: float, high: float) -> None:
    """Require a value to lie in a closed range."""
    require(low <= value <= high, f"{name} = {value}: must lie between {low} and {high}")
