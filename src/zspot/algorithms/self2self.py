"""Self2Self: predict hidden pixels by partial convolutions with dropout that is always on."""

from functools import partial

from zspot.recipe import Bernoulli, Constant, Fit, Noisy, PartialUNet, Predict, Recipe

_SIDE = 64
_fit = partial(Fit, lr=2e-3, schedule="one-cycle", crop=_SIDE, turns=True, clip=0.5)
_EFFORTS = {
    "fast": (PartialUNet(24, 0.1), _fit(steps=600), Predict(16, window=_SIDE)),
    "balanced": (PartialUNet(32, 0.1), _fit(steps=2000), Predict(32, window=_SIDE)),
    "best": (PartialUNet(), Fit(12000, 1e-3, "one-cycle", turns=True), Predict(100)),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best"."""
    network, fit, predict = _EFFORTS[effort]
    # Partial convolutions do not look at the fill.
    parts = Bernoulli(keep=0.7, exclusion="none"), Constant("mean"), Noisy(), network
    return Recipe("self2self", *parts, loss="l2", fit=fit, predict=predict)
