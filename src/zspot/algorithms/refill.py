"""Cross-scale pixel refilling: hidden pixels are filled from the image at half its size.

As published: 8 x 8 patches at a stride of 2 are matched in the 2x average-pooled image and
averaged into an auxiliary image that fills hidden pixels; keep probability 0.3, pixel-shuffle 2 in
the fit and the prediction, consistency of shuffled and whole outputs with weight 0.2, a light
blind-spot network of 64 filters and 4 modules, 2000 steps, mean of 10.

The auxiliary image is made from all pixels, so that a hidden pixel reaches the network through
patches of the pooled image that hold it: blindness does not hold to the bit. A test measures the
leak.

The shorter efforts learn on small crops, where steps are cheap. The network sees a few pixels
around each, not the whole, so that its predictions need no windows.
"""

from zspot.recipe import Bernoulli, BlindSpot, Fit, Predict, Recipe, Refill

_SIDE, _CLIP = 64, 0.5
_EFFORTS = {
    "fast": (BlindSpot(24, 2), Fit(300, 3e-3, "one-cycle", _SIDE, stride=2, clip=_CLIP)),
    "balanced": (BlindSpot(32, 3), Fit(1000, 3e-3, "one-cycle", _SIDE, stride=2, clip=_CLIP)),
    "best": (BlindSpot(64, 4), Fit(2000, 4e-4, "cosine", stride=2)),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best" (as published)."""
    network, fit = _EFFORTS[effort]
    return Recipe(
        method="refill",
        mask=Bernoulli(keep=0.3, exclusion="none"),
        fill=Refill(8, 2),
        network=network,
        loss="l1",
        consistency=0.2,
        fit=fit,
        predict=Predict(passes=10, stride=2),
    )
