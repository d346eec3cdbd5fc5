"""Noise2Noise: learn to predict one noisy image of a scene from another, for those who have two."""

from zspot.recipe import Constant, Fit, NoMask, Predict, Recipe, Second, UNet

_EFFORTS = {
    "fast": (UNet(24, 1, 0.0), Fit(200, 2e-3, "one-cycle", crop=64, batch=4, turns=True)),
    "balanced": (UNet(32, 1, 0.0), Fit(600, 2e-3, "one-cycle", crop=64, batch=8, turns=True)),
    "best": (UNet(48, 1, 0.0), Fit(4000, 4e-4, "cosine", crop=128, batch=4, turns=True)),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best"."""
    network, fit = _EFFORTS[effort]
    parts = NoMask(), Constant(), Second(), network
    return Recipe("n2n", *parts, loss="l2", fit=fit, predict=Predict(passes=1))
