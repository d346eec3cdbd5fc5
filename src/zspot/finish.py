"""What is done to an averaged prediction, whatever network made it: see `zspot.recipe.Finish`."""

from __future__ import annotations

import math

import torch

from zspot.centre import to_local_median
from zspot.guard import restore_texture
from zspot.nlbayes import GUIDED, PatchNoise, nl_bayes
from zspot.progress import Clock
from zspot.specs import Finish, RecipeError

_TICKS = 50
_COST = 1.3e-4  # of the non-local estimate, in fit steps per number of the image
_GUIDED_COST = 4e-5


def finish_work(spec: Finish, y: torch.Tensor) -> tuple[int, float]:
    """Return how often `finish` ticks on a plane and what one tick costs, in fit steps."""
    if spec.similar == 0:
        return 0, 0.0
    return _TICKS, (_GUIDED_COST if spec.guided else _COST) * y.numel() / _TICKS


def finish(spec: Finish, estimate: torch.Tensor, noisy: torch.Tensor, clock: Clock) -> torch.Tensor:
    """Apply the steps of `spec` to an estimate.

    Parameters
    ----------
    spec : Finish
    estimate, noisy : float tensor (C, H, W)
        Standardised intensities.
    clock : Clock
        With a stage "finish" as `finish_work` says.

    Returns
    -------
    float tensor (C, H, W)

    Raises
    ------
    RecipeError
        If the noise of `spec` does not have the channels of the image.
    """
    if spec.similar > 0:
        similar = _similar(spec, estimate, noisy, clock)
        estimate = estimate + spec.similar * (similar - estimate)
    if spec.guard > 0:
        estimate = restore_texture(estimate, noisy, spec.guard)
    if spec.centre == "median":
        estimate = to_local_median(estimate, noisy, spec.window)
    return estimate


def patch_noise(spec: Finish) -> PatchNoise:
    """Return the noise of a `Finish` as the non-local estimate takes it."""
    channels = math.isqrt(len(spec.noise))
    side = math.isqrt(len(spec.lags))
    return PatchNoise(
        torch.tensor(spec.noise).view(channels, channels),
        torch.tensor(spec.lags).view(side, side) if spec.lags else None,
        torch.tensor(spec.slope) if spec.slope else None,
        torch.zeros(channels) if spec.slope else None,
    )


def _similar(
    spec: Finish, estimate: torch.Tensor, noisy: torch.Tensor, clock: Clock
) -> torch.Tensor:
    noise = patch_noise(spec)
    if len(noise.channels) != len(noisy):
        raise RecipeError(
            f"finish.noise is of {len(noise.channels)} channels, the image has {len(noisy)} that "
            "vary: give a covariance for each pair of them"
        )
    ticked = 0

    def tick(share: float) -> None:
        nonlocal ticked
        while ticked < int(share * _TICKS):
            clock.tick("finish")
            ticked += 1

    if spec.guided:
        return nl_bayes(noisy, noise, passes=GUIDED, pilot=estimate, tick=tick)
    return nl_bayes(noisy, noise, tick=tick)
