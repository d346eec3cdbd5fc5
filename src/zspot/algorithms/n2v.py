"""Noise2Void on one image: hide few pixels, put random neighbours in their place, predict them.

As published: one pixel in 64 of random 64 x 64 patches, replaced by a neighbour within 5 pixels,
squared error, Adam at 4e-4, batches of 128, one prediction of the whole image. The paper trains on
a set of images; on one image the published number of steps (200 epochs of 400) teaches little that
the first few hundred steps do not, so `best` stops at 4000. The network is the Noise2Noise U-Net
that the other methods here use.
"""

from zspot.recipe import Fit, Neighbour, Predict, Recipe, Stratified, UNet

_EFFORTS = {
    "fast": (UNet(24, 1, 0.0), Fit(200, 2e-3, "one-cycle", crop=64, batch=4)),
    "balanced": (UNet(32, 1, 0.0), Fit(600, 2e-3, "one-cycle", crop=64, batch=8)),
    "best": (UNet(48, 1, 0.0), Fit(4000, 4e-4, "cosine", crop=64, batch=128)),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best" (as published)."""
    network, fit = _EFFORTS[effort]
    return Recipe(
        method="n2v",
        mask=Stratified(8),
        fill=Neighbour(5),
        network=network,
        loss="l2",
        fit=fit,
        predict=Predict(passes=1, masked=False),
    )
