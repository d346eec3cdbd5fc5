"""Self2Self: predict hidden pixels by partial convolutions with dropout that is always on."""

from zspot.recipe import Bernoulli, Constant, Fit, Noisy, PartialUNet, Predict, Recipe

_SIDE, _CLIP = 64, 0.5
_EFFORTS = {
    "fast": (
        PartialUNet(24, 0.1),
        Fit(600, 2e-3, "one-cycle", _SIDE, turns=True, clip=_CLIP),
        Predict(16, window=_SIDE),
    ),
    "balanced": (
        PartialUNet(32, 0.1),
        Fit(2000, 2e-3, "one-cycle", _SIDE, turns=True, clip=_CLIP),
        Predict(32, window=_SIDE),
    ),
    "best": (PartialUNet(), Fit(12000, 1e-3, "one-cycle", turns=True), Predict(100)),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best"."""
    network, fit, predict = _EFFORTS[effort]
    # Partial convolutions do not look at the fill.
    parts = Bernoulli(keep=0.7, exclusion="none"), Constant("mean"), Noisy(), network
    return Recipe("self2self", *parts, loss="l2", fit=fit, predict=predict)
