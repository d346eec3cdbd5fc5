"""AP-BSN on a single image: a blind-spot network on pixel-shuffled phases."""

from zspot.recipe import BlindSpot, Constant, Fit, NoMask, Predict, Recipe

_EFFORTS = {
    "fast": (BlindSpot(24, 3), Fit(150, 2e-3, "one-cycle", 120, 1, turns=True, stride=5)),
    "balanced": (BlindSpot(32, 4), Fit(400, 2e-3, "one-cycle", 120, 2, turns=True, stride=5)),
    "best": (BlindSpot(128, 9), Fit(1000, 1e-4, "cosine", 120, 8, turns=True, stride=5)),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best" (as published)."""
    network, fit = _EFFORTS[effort]
    predict = Predict(passes=1, stride=2, refine=8, refine_share=0.16)
    # Without a mask: the network itself is blind.
    return Recipe("ap-bsn", NoMask(), Constant(), network=network, fit=fit, predict=predict)
