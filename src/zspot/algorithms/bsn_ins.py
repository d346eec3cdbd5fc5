"""BSN-INS: zero-shot blind-spot denoising via implicit neural sampling."""

from functools import partial

from zspot.recipe import Bernoulli, Finish, Fit, Inr, Noisy, Predict, Recipe, UNet

# Small crops: more steps in less time. Few steps afford little dropout; some fits need clipping.
_SIDE = 64
_fit = partial(Fit, lr=2e-3, schedule="one-cycle", crop=_SIDE, clip=0.5)
# As in the released demo: the INR stays as initialised, and its phases mix the colours.
_UNTRAINED = Inr(trained=False, gamma=False, dropout=(0.75,) * 4 + (0.0,), mixed=True)
_RELEASED = UNet(dropped="all", init="torch")  # likewise, as the paper does not print it
# Not in the paper: less is hidden of white noise, and the pixels themselves have a say at last.
_ADAPTING = Bernoulli(keep_white=0.7)
_EFFORTS = {
    "fast": (UNet(dropout=0.2), _fit(steps=400), Predict(passes=16, window=_SIDE)),
    "balanced": (UNet(), _fit(steps=1600), Predict(passes=32, window=_SIDE)),
    "best": (_RELEASED, Fit(1200, lr=4e-4, schedule="cosine", unit_range=True), Predict(400)),
}


def recipe(effort: str) -> Recipe:
    """Return the recipe of an effort; "best" is as printed, and where nothing is, as released."""
    network, fit, predict = _EFFORTS[effort]
    if effort == "best":
        return Recipe("bsn-ins", network=network, fit=fit, predict=predict)
    fill = _UNTRAINED if effort == "balanced" else Inr()
    parts = _ADAPTING, fill, Noisy(), network
    return Recipe("bsn-ins", *parts, fit=fit, predict=predict, finish=Finish(posterior=True))
