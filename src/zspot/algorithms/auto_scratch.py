"""auto-scratch: `auto` without its trained weights; all it knows is the one image."""

from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from zspot.algorithms import refill
from zspot.engine import Denoised, Denoiser, run
from zspot.noise.pca_level import white_level
from zspot.noise.whitening import Measured
from zspot.recipe import Constant, Finish, Fit, NoMask, Predict, Recipe, UNet, independent

_TIMES = 0.7  # deviation of the noise to that of what the network removed, some of it picture
_WINDOW = 16.0  # deviation in pixels of the windows whose mean of what was removed becomes zero
_PATCHES = "the result is made of similar patches, without a network"
_STEPS = {"fast": 100, "balanced": 200}  # on the whole image


def closed_form(finish: Finish) -> Recipe:
    """Return a recipe without a network: the non-local estimate of its finish is the result."""
    return Recipe(
        method="auto-scratch",
        mask=NoMask(),
        fill=Constant(),
        network=UNet(1, 1, 0.0),  # not fitted; the non-local estimate takes its place
        fit=Fit(steps=0),
        predict=Predict(passes=1),
        finish=finish,
    )


def white(level: tuple[float, ...]) -> Recipe:
    """Return the recipe for white noise of a level per channel, standardised intensities."""
    noise = independent(tuple(value**2 for value in level))
    return closed_form(Finish(similar=1.0, noise=noise))


def measured(scales: int) -> Recipe:
    """Return the recipe for noise as the report measures it, at so many sizes of the image."""
    finish = Finish(similar=1.0, centre="mean", window=_WINDOW, scales=scales)
    return closed_form(finish)


def correlated(effort: str) -> Recipe:
    """Return the recipe for correlated noise; the shorter efforts learn on the whole image."""
    recipe = refill.recipe(effort)
    if effort in _STEPS:
        recipe = replace(recipe, fit=Fit(_STEPS[effort], 3e-3, "one-cycle", stride=2))
    finish = Finish(similar=1.0, guided=True, removed=_TIMES)
    return replace(recipe, method="auto-scratch", finish=finish)


def make(effort: str) -> Denoiser:
    """Return the denoiser of an effort: "fast", "balanced" or "best"."""
    return partial(_denoise, effort)


def _denoise(effort: str, plane: Tensor, **options: Any) -> Denoised:
    """Denoise a standardised plane (C, H, W)."""
    found = Measured.of(plane)
    level = None if found.grows else white_level(plane)
    if found.is_white and level is not None and min(level) > 0:
        recipe = white(level)
        why = f"the noise is white, so {_PATCHES}"
    elif found.is_of_photons:
        recipe = measured(1)
        why = f"the noise is white and grows with the brightness; made even, {_PATCHES}"
    elif len(plane) == 1 and found.is_certain:
        recipe = measured(2)
        why = f"the noise is correlated and well measured, so {_PATCHES}, at two sizes"
    else:
        recipe = correlated(effort)
        why = (
            "the noise is correlated, so a network learns from scratch by refilling, and its "
            "result guides one from similar patches"
        )
    done = run(recipe, plane, **options)
    return done.explained(why, f"neighbouring pixels of the noise correlate by {found.lag_one:.2f}")
