"""ZS-N2N: a tiny network learns to predict one diagonal half of the image from the other."""

from zspot.recipe import Constant, Fit, Halves, NoMask, Predict, Recipe, Shallow

_STEPS = {"fast": (150, 4e-3), "balanced": (500, 3e-3), "best": (2000, 1e-3)}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best" (as published)."""
    steps, lr = _STEPS[effort]
    parts = NoMask(), Constant(), Halves(), Shallow(48)
    fit, predict = Fit(steps, lr, "cosine"), Predict(passes=1)
    return Recipe("zs-n2n", *parts, loss="l2", consistency=1.0, fit=fit, predict=predict)
