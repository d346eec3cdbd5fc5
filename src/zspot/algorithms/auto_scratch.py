"""auto-scratch: `auto` without its trained weights; all it knows is the one image.

Where the noise is white a closed-form non-local estimate needs no network. Where it is correlated
a network learns from scratch by cross-scale refilling; what it removed has the correlations of the
noise, and a non-local estimate guided by it brings back what it lost of the picture.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zspot.algorithms import refill
from zspot.algorithms.method import Method
from zspot.recipe import Constant, Finish, Fit, NoMask, Predict, Recipe, UNet
from zspot.recipe.postprocess import independent

if TYPE_CHECKING:
    import torch

    from zspot.core.progress import Report
    from zspot.engine import Denoised
    from zspot.engine.denoiser import Denoiser

_TIMES = 0.7  # deviation of the noise to that of what the network removed, some of it picture
_STEPS = {"fast": 100, "balanced": 200}


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
    """Return the recipe for correlated noise.

    The shorter efforts learn on the whole image: the many steps on small crops that `refill` takes
    learn the noise of small images (measured: a block of SIDD, its middle 128 x 128, 31.8 dB on
    the whole and 27.9 on crops).
    """
    recipe = refill.recipe(effort)
    if effort in _STEPS:
        recipe = replace(recipe, fit=Fit(_STEPS[effort], 3e-3, "one-cycle", stride=2))
    finish = Finish(similar=1.0, guided=True, removed=_TIMES)
    return replace(recipe, method="auto-scratch", finish=finish)


def make(effort: str) -> Denoiser:
    """Return the denoiser of an effort: "fast", "balanced" or "best"."""

    def run(
        plane: torch.Tensor,
        *,
        seed: int,
        report: Report | None = None,
        memory: int | None = None,
    ) -> Denoised:
        from zspot import engine
        from zspot.noise import analyze_noise
        from zspot.noise.pca_level import white_level

        found = analyze_noise(plane.cpu().numpy(), channel_axis=0)
        near = found.lag_one
        level = white_level(plane)
        if found.is_white and level is not None and min(level) > 0:
            recipe, what = white(level), "white, so a closed-form non-local estimate is taken"
        else:
            recipe = correlated(effort)
            what = (
                "correlated, so a network learns from scratch by refilling and guides a "
                "non-local estimate"
            )
        done = engine.run(recipe, plane, seed=seed, report=report, memory=memory)
        reason = f"neighbouring pixels of the noise correlate by {near:.2f}: {what}"
        return done.explained(reason)

    return run


METHOD = Method(
    name="auto-scratch",
    summary="auto without the weights trained on photographs: nothing but the image. Slower.",
    citation="zspot, 2026; Lebrun, Buades, Morel. A Nonlocal Bayesian Image Denoising Algorithm. "
    "SIAM J. Imaging Sci. 6(3), 2013; and the reference of refill.",
    make=make,
    seconds=76,
)
