"""Self2Self: predict hidden pixels with a network of partial convolutions that always drops out.

As published: 30 % of the pixels of each channel hidden, dropout 0.3 in the decoder, random flips,
squared error on hidden pixels, Adam at 1e-4, 450 000 steps, mean of 100 predictions. That would
take days on two CPU cores for a 256 x 256 image, so `best` is 12 000 steps at a learning
rate that falls from 1e-3; `balanced` sees crops.
"""

from __future__ import annotations

from zspot.algorithms.method import Method
from zspot.recipe import Bernoulli, Constant, Fit, PartialUNet, Predict, Recipe

_EFFORTS = {
    "fast": (PartialUNet(24, 0.1), Fit(300, 2e-3, "one-cycle", 96, 1, turns=True), 16),
    "balanced": (PartialUNet(32, 0.2), Fit(800, 2e-3, "one-cycle", 128, 1, turns=True), 32),
    "best": (PartialUNet(), Fit(12000, 1e-3, "one-cycle", turns=True), 100),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best"."""
    network, fit, passes = _EFFORTS[effort]
    return Recipe(
        method="self2self",
        mask=Bernoulli(keep=0.7, exclusion="none"),
        fill=Constant("mean"),  # partial convolutions do not look at it
        network=network,
        loss="l2",
        fit=fit,
        predict=Predict(passes=passes),
    )


METHOD = Method(
    name="self2self",
    summary="Self2Self: many networks in one, by dropout, predict hidden pixels. For white noise; "
    "copies correlated noise.",
    citation="Quan, Chen, Pang, Ji. Self2Self With Dropout: Learning Self-Supervised Denoising "
    "From Single Image. CVPR 2020, pp. 1890-1898.",
    make=recipe,
    seconds=136,
)
