"""Noise2Self: predict hidden pixels from the others, with one pixel of each 4 x 4 cell hidden.

As published: a mask that hides every fourth pixel in both directions, squared error on hidden
pixels, Adam at 1e-3, and the whole image shown for the result. Departures: the hidden pixel of each
cell is drawn at random where the paper moves a fixed grid, a random neighbour takes its place where
the paper puts the mean of its neighbours, and the U-Net is the one that the other methods here use.
"""

from __future__ import annotations

from zspot.recipe import Fit, Neighbour, Predict, Recipe, Stratified, UNet

_EFFORTS = {
    "fast": (UNet(24, 1, 0.0), Fit(200, 2e-3, "one-cycle", crop=64, batch=4)),
    "balanced": (UNet(32, 1, 0.0), Fit(600, 2e-3, "one-cycle", crop=64, batch=8)),
    "best": (UNet(48, 1, 0.0), Fit(2000, 1e-3, "cosine", crop=64, batch=32)),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best"."""
    network, fit = _EFFORTS[effort]
    return Recipe(
        method="noise2self",
        mask=Stratified(4),
        fill=Neighbour(1),
        network=network,
        loss="l2",
        fit=fit,
        predict=Predict(passes=1, masked=False),
    )
