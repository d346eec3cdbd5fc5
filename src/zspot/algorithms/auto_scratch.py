"""auto-scratch: `auto` without its trained weights; all it knows is the one image."""

from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from zspot.algorithms import refill
from zspot.engine import Denoised, Denoiser, run
from zspot.noise import analyze_noise
from zspot.noise.pca_level import white_level
from zspot.recipe import Constant, Finish, Fit, NoMask, Predict, Recipe, UNet, independent

_TIMES = 0.7  # deviation of the noise to that of what the network removed, some of it picture
_STEPS = {"fast": 100, "balanced": 200}  # on the whole image


def white(level: tuple[float, ...]) -> Recipe:
    """Return the recipe for white noise of a level per channel, standardised intensities."""
    return Recipe(
        method="auto-scratch",
        mask=NoMask(),
        fill=Constant(),
        network=UNet(1, 1, 0.0),  # not fitted; the non-local estimate takes its place
        fit=Fit(steps=0),
        predict=Predict(passes=1),
        finish=Finish(similar=1.0, noise=independent(tuple(value**2 for value in level))),
    )


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
    found = analyze_noise(plane.cpu().numpy(), channel_axis=0)
    level = white_level(plane)
    if found.is_white and level is not None and min(level) > 0:
        recipe = white(level)
        why = "the noise is white, so the result is made of similar patches, without a network"
    else:
        recipe = correlated(effort)
        why = (
            "the noise is correlated, so a network learns from scratch by refilling, and its "
            "result guides one from similar patches"
        )
    done = run(recipe, plane, **options)
    return done.explained(why, f"neighbouring pixels of the noise correlate by {found.lag_one:.2f}")
