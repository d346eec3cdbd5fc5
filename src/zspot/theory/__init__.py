"""Linear blind-spot theory."""

from zspot.core.errors import TheoryError
from zspot.theory.closed_form import FORMS, BlindSpot, Slopes, rank_one_inverse
from zspot.theory.linear import MODELS, MaskRisk, Moments, Neighbours, Solution, over_masks

__all__ = [
    "FORMS", "MODELS", "BlindSpot", "MaskRisk", "Moments", "Neighbours", "Slopes",
    "Solution", "TheoryError", "over_masks", "rank_one_inverse",
]  # fmt: skip
