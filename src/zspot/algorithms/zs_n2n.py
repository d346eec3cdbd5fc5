"""ZS-N2N: a tiny network learns to predict one diagonal half of the image from the other.

As published: each 2x2 block gives one pixel to each of two half-size images, the means of its
diagonals; two 3x3 and one 1x1 convolution of 48 filters predict the noise; squared error both ways
plus the consistency of the whole image with its halves; Adam at 1e-3, falling by half every 1000
of some 2000 steps (here along a cosine), one prediction.
"""

from zspot.recipe import Constant, Fit, Halves, NoMask, Predict, Recipe, Shallow

_STEPS = {"fast": (150, 4e-3), "balanced": (500, 3e-3), "best": (2000, 1e-3)}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best" (as published)."""
    steps, lr = _STEPS[effort]
    return Recipe(
        method="zs-n2n",
        mask=NoMask(),
        fill=Constant(),
        target=Halves(),
        network=Shallow(48),
        loss="l2",
        consistency=1.0,
        fit=Fit(steps, lr, "cosine"),
        predict=Predict(passes=1),
    )
