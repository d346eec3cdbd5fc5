"""auto-scratch: `auto` without its trained weights; all it knows is the one image."""

from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from zspot.algorithms import refill
from zspot.algorithms.auto import thresholds
from zspot.algorithms.auto.choice import MEAN_WINDOW, MEDIAN_WINDOW, kind
from zspot.algorithms.few_photons import bin_side, in_bins
from zspot.engine import Denoised, Denoiser, run
from zspot.noise.pca_level import white_level
from zspot.noise.whitening import Measured
from zspot.recipe import Constant, Finish, Fit, Noisy, NoMask, Predict, Recipe, Recorrupted, UNet
from zspot.recipe.masks import SMALL
from zspot.recipe.postprocess import independent

_ROUNDS, _TIMES = 5, 0.85  # where noise is strong: its deviation to that of what a round removes
_WEAK = 0.04  # share of the image's variance; of weaker noise the network keeps too little picture
_PATCHES = "the result is made of similar patches, without a network"
_STEPS = {"fast": (100, 300), "balanced": (200, 600)}  # on the whole of a small image, on crops
_WHITE_STEPS = {"balanced": 800, "best": 3200}
_SIMILAR = {"grey": 0.75, "colour": 0.85}  # weight of the non-local estimate for white noise


def closed_form(**finish: Any) -> Recipe:
    """Return a recipe without a network: the non-local estimate of its finish is the result."""
    parts = NoMask(), Constant(), Noisy(), UNet(1, 1, 0.0)
    last = Finish(similar=1.0, **finish)
    return Recipe("auto-scratch", *parts, fit=Fit(0), predict=Predict(passes=1), finish=last)


def white(effort: str, variance: tuple[float, ...], pixels: int) -> Recipe:
    """Return the recipe for white noise: a network that learns from scratch errs otherwise."""
    noise, even = independent(variance), (0.0,) * len(variance)
    if effort not in _WHITE_STEPS or pixels < SMALL:
        return closed_form(noise=noise)
    parts = NoMask(), Constant(), Recorrupted(variance, even, variance), UNet(16, 1, 0.0)
    fit = Fit(_WHITE_STEPS[effort], 3e-3, "one-cycle", 64, 2, turns=True, clip=0.5)
    predict = Predict(passes=1, turns=8)
    last = Finish(similar=_SIMILAR[kind(len(variance))], noise=noise)
    return Recipe("auto-scratch", *parts, loss="l2", fit=fit, predict=predict, finish=last)


def correlated(effort: str, pixels: int, weak: bool) -> Recipe:
    """Return the recipe that learns from scratch on an image of correlated noise."""
    finish = Finish(similar=1.0, centre="median", window=MEDIAN_WINDOW, shift=0.5, removed=1.0)
    finish = finish if weak else replace(finish, guided=True, rounds=_ROUNDS, removed=_TIMES)
    recipe = replace(refill.recipe(effort), method="auto-scratch", finish=finish)
    if effort not in _STEPS:
        return recipe
    whole, crops = _STEPS[effort]
    small, large = Fit(whole, 3e-3, "one-cycle", stride=2), replace(recipe.fit, steps=crops)
    return replace(recipe, fit=small if pixels < SMALL else large)


def make(effort: str) -> Denoiser:
    """Return the denoiser of an effort: "fast", "balanced" or "best"."""
    return partial(_denoise, effort)


def _denoise(effort: str, plane: Tensor, sigma: float | None = None, **options: Any) -> Denoised:
    side, why = bin_side(plane, "auto-scratch")
    if side > 1 and sigma is None:
        return in_bins(make(effort), plane, side, why, **options)
    found = Measured.of(plane)
    told = "" if sigma is None else "told to be "
    level = (sigma,) * len(plane) if sigma else None if found.grows else white_level(plane)
    if level and max(level) > 0 and (told or found.is_white):
        recipe = white(effort, tuple(value**2 for value in level), plane[0].numel())
        learns = "similar patches are mixed with a network that learns from scratch"
        why = f"the noise is {told}white, so {learns if recipe.fit.steps else _PATCHES}"
    elif found.is_of_photons:
        recipe = closed_form(centre="mean", window=MEAN_WINDOW)
        why = f"the noise is white and grows with the brightness; made even, {_PATCHES}"
    elif found.is_certain and (len(plane) == 1 or found.is_white):
        sizes = ", at two sizes" if found.lag_one > thresholds.COARSE else ""
        recipe = closed_form(centre="mean", window=MEAN_WINDOW, scales=2 if sizes else 1)
        why = f"the noise is well measured, so {_PATCHES}{sizes}"
    else:
        recipe = correlated(effort, plane[0].numel(), found.variance < _WEAK)
        told = "what it removes tells the noise for a result made of similar patches"
        why = f"the noise is correlated, so a network learns from scratch by refilling; {told}"
    done = run(recipe, plane, **options)
    return done.explained(why, f"neighbouring pixels of the noise correlate by {found.lag_one:.2f}")
