"""BSN-INS: zero-shot blind-spot denoising via implicit neural sampling."""

from functools import partial

from zspot.recipe import Fit, Inr, Predict, Recipe, UNet

# The shorter efforts learn on small crops: more steps in less time, which does not grow with the
# image. Few steps cannot afford much dropout; with more, less of it learns the noise. Without the
# clipping some fits diverge.
_SIDE = 64
_fit = partial(Fit, lr=2e-3, schedule="one-cycle", crop=_SIDE, clip=0.5)
# As in the released demo: the INR stays as initialised, and its phases mix the colours.
_UNTRAINED = Inr(trained=False, gamma=False, dropout=(0.75,) * 4 + (0.0,), mixed=True)
_EFFORTS = {
    "fast": (UNet(dropout=0.2), _fit(steps=400), Predict(passes=16, window=_SIDE)),
    "balanced": (UNet(), _fit(steps=1600), Predict(passes=32, window=_SIDE)),
    "best": (UNet(), Fit(steps=1200, lr=4e-4, schedule="cosine"), Predict(passes=400)),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort: "fast", "balanced" or "best" (as printed)."""
    network, fit, predict = _EFFORTS[effort]
    fill = _UNTRAINED if effort == "balanced" else Inr()
    return Recipe(method="bsn-ins", fill=fill, network=network, fit=fit, predict=predict)
