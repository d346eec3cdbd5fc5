"""Cross-scale pixel refilling: hidden pixels are filled from the image at half its size."""

from zspot.recipe import Bernoulli, BlindSpot, Fit, Noisy, Predict, Recipe, Refill

_SIDE, _CLIP = 64, 0.5
_EFFORTS = {
    "fast": (BlindSpot(24, 2), Fit(300, 3e-3, "one-cycle", _SIDE, stride=2, clip=_CLIP)),
    "balanced": (BlindSpot(32, 3), Fit(1000, 3e-3, "one-cycle", _SIDE, stride=2, clip=_CLIP)),
    "best": (BlindSpot(64, 4), Fit(2000, 4e-4, "cosine", stride=2)),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best" (as published)."""
    network, fit = _EFFORTS[effort]
    parts = Bernoulli(keep=0.3, exclusion="none"), Refill(8, 2), Noisy(), network
    predict = Predict(passes=10, stride=2)
    return Recipe("refill", *parts, consistency=0.2, fit=fit, predict=predict)
