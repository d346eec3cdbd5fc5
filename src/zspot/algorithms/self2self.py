"""Self2Self: predict hidden pixels by partial convolutions with dropout that is always on."""

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
