"""auto-scratch: `auto` without its trained weights; all it knows is the one image."""

from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from zspot.algorithms import refill
from zspot.algorithms.auto import thresholds
from zspot.algorithms.auto.choice import MEAN_WINDOW, MEDIAN_WINDOW
from zspot.engine import Denoised, Denoiser, run
from zspot.noise.pca_level import white_level
from zspot.noise.whitening import Measured
from zspot.recipe import Constant, Finish, Fit, Noisy, NoMask, Predict, Recipe, UNet, independent

_TIMES = 0.7  # deviation of strong noise to that of what the network removed, some of it picture
_WEAK = 0.1  # share of the image's variance; of weaker noise the network keeps too little picture
_PATCHES = "the result is made of similar patches, without a network"
_STEPS = {"fast": (100, 300), "balanced": (200, 600)}  # on the whole of a small image, on crops
_SMALL = 192 * 192  # pixels; many steps on crops of fewer learn the noise


def closed_form(**finish: Any) -> Recipe:
    """Return a recipe without a network: the non-local estimate of its finish is the result."""
    # The network is not fitted; the non-local estimate takes its place.
    parts = NoMask(), Constant(), Noisy(), UNet(1, 1, 0.0)
    last = Finish(similar=1.0, **finish)
    return Recipe("auto-scratch", *parts, fit=Fit(0), predict=Predict(passes=1), finish=last)


def correlated(effort: str, pixels: int, weak: bool) -> Recipe:
    """Return the recipe that learns from scratch on an image of correlated noise."""
    finish = Finish(similar=1.0, centre="median", window=MEDIAN_WINDOW, shift=0.5)
    finish = replace(finish, guided=not weak, removed=1.0 if weak else _TIMES)
    recipe = replace(refill.recipe(effort), method="auto-scratch", finish=finish)
    if effort not in _STEPS:
        return recipe
    whole, crops = _STEPS[effort]
    if pixels < _SMALL:
        return replace(recipe, fit=Fit(whole, 3e-3, "one-cycle", stride=2))
    return replace(recipe, fit=replace(recipe.fit, steps=crops))


def make(effort: str) -> Denoiser:
    """Return the denoiser of an effort: "fast", "balanced" or "best"."""
    return partial(_denoise, effort)


def _denoise(effort: str, plane: Tensor, sigma: float | None = None, **options: Any) -> Denoised:
    found = Measured.of(plane)
    level = None if found.grows or sigma is not None else white_level(plane)
    if sigma is not None:
        recipe = closed_form(noise=independent((sigma**2,) * len(plane)))
        why = f"the noise is told to be white, so {_PATCHES}"
    elif found.is_white and level is not None and min(level) > 0:
        recipe = closed_form(noise=independent(tuple(value**2 for value in level)))
        why = f"the noise is white, so {_PATCHES}"
    elif found.is_of_photons:
        recipe = closed_form(centre="mean", window=MEAN_WINDOW)
        why = f"the noise is white and grows with the brightness; made even, {_PATCHES}"
    elif len(plane) == 1 and found.is_certain:
        scales = 2 if found.lag_one > thresholds.COARSE else 1
        recipe = closed_form(centre="mean", window=MEAN_WINDOW, scales=scales)
        sizes = ", at two sizes" if scales == 2 else ""
        why = f"the noise is well measured, so {_PATCHES}{sizes}"
    else:
        recipe = correlated(effort, plane[0].numel(), found.variance < _WEAK)
        told = "what it removes tells the noise for a result made of similar patches"
        why = f"the noise is correlated, so a network learns from scratch by refilling; {told}"
    done = run(recipe, plane, **options)
    return done.explained(why, f"neighbouring pixels of the noise correlate by {found.lag_one:.2f}")
