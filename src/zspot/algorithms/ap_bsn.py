"""AP-BSN on a single image: a blind-spot network on pixel-shuffled phases.

As published: stride 5 in the fit, where even strongly correlated noise is nearly white, and 2 in
the prediction, where more detail is left; then random-replacement refinement (8 times, 16 % of the
pixels as they were). L1, Adam at 1e-4, patches of 120 pixels in batches of 8, network of 128
filters and 9 modules; trained on a set of images, here on one, so `best` has 1000 steps.
"""

from zspot.recipe import BlindSpot, Constant, Fit, NoMask, Predict, Recipe

_EFFORTS = {
    "fast": (BlindSpot(24, 3), Fit(150, 2e-3, "one-cycle", 120, 1, turns=True, stride=5)),
    "balanced": (BlindSpot(32, 4), Fit(400, 2e-3, "one-cycle", 120, 2, turns=True, stride=5)),
    "best": (BlindSpot(128, 9), Fit(1000, 1e-4, "cosine", 120, 8, turns=True, stride=5)),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best" (as published)."""
    network, fit = _EFFORTS[effort]
    return Recipe(
        method="ap-bsn",
        mask=NoMask(),  # the network itself is blind
        fill=Constant(),
        network=network,
        loss="l1",
        fit=fit,
        predict=Predict(passes=1, stride=2, refine=8, refine_share=0.16),
    )
