"""Self2Self: predict hidden pixels with a network of partial convolutions that always drops out.

As published: 30 % of the pixels of each channel hidden, dropout 0.3 in the decoder, random flips,
squared error on hidden pixels, Adam at 1e-4, 450 000 steps, mean of 100 predictions. That would
take days on two CPU cores for a 256 x 256 image, so `best` is 12 000 steps at a learning
rate that falls from 1e-3. The shorter efforts learn on small crops with less dropout: few steps
cannot afford the published one. Quality grows with the logarithm of the steps.
"""

from zspot.recipe import Bernoulli, Constant, Fit, PartialUNet, Predict, Recipe

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
    return Recipe(
        method="self2self",
        mask=Bernoulli(keep=0.7, exclusion="none"),
        fill=Constant("mean"),  # partial convolutions do not look at it
        network=network,
        loss="l2",
        fit=fit,
        predict=predict,
    )
