"""Noise2Void on one image: hide few pixels, put random neighbours there, predict them."""

from zspot.recipe import Fit, Neighbour, Noisy, Predict, Recipe, Stratified, UNet

_EFFORTS = {
    "fast": (UNet(24, 1, 0.0), Fit(200, 2e-3, "one-cycle", crop=64, batch=4)),
    "balanced": (UNet(32, 1, 0.0), Fit(600, 2e-3, "one-cycle", crop=64, batch=8)),
    "best": (UNet(48, 1, 0.0), Fit(4000, 4e-4, "cosine", crop=64, batch=128)),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best" (as published)."""
    network, fit = _EFFORTS[effort]
    parts = Stratified(8), Neighbour(5), Noisy(), network
    return Recipe("n2v", *parts, loss="l2", fit=fit, predict=Predict(passes=1, masked=False))
