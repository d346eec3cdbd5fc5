"""Deep image prior: fit an hourglass from fixed noise to the image, and stop in time."""

from zspot.recipe import Code, Everything, Fit, Hourglass, Recipe

_EFFORTS = {
    "fast": (Hourglass(32), Fit(250, 1e-2, "constant", average=0.9, patience=60)),
    "balanced": (Hourglass(48), Fit(800, 1e-2, "constant", average=0.97, patience=150)),
    "best": (Hourglass(128), Fit(3000, 1e-2, "constant", average=0.99, patience=500)),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best" (as published)."""
    network, fit = _EFFORTS[effort]
    return Recipe(method="dip", mask=Everything(), fill=Code(), network=network, loss="l2", fit=fit)
