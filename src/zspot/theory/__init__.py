"""Linear blind-spot theory."""

from zspot.core.errors import TheoryError
from zspot.theory.closed_form import FORMS, BlindSpot, Slopes
from zspot.theory.linear import MODELS, Moments, Neighbours, Solution

__all__ = [
    "FORMS", "MODELS", "BlindSpot", "Moments", "Neighbours", "Slopes", "Solution", "TheoryError",
]  # fmt: skip
