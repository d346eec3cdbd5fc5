"""What is done to an averaged prediction, whatever network made it: see `zspot.recipe.Finish`."""

from __future__ import annotations

import torch

from zspot.core.errors import RecipeError
from zspot.core.progress import Clock
from zspot.filters.local_median import to_local_median
from zspot.filters.nonlocal_bayes import GUIDED, GUIDED_CORRELATED, nl_bayes
from zspot.filters.patch_noise import PatchNoise, patch_noise
from zspot.filters.texture import restore_texture
from zspot.specs import Finish

_TICKS = 50
_COST = 1.3e-4  # of the non-local estimate, in fit steps per number of the image
_GUIDED_COST = 4e-5
_NOTHING = 1e-5  # of the power of the image: noise too weak for float32 to solve with


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
    if spec.guard > 0:
        estimate = restore_texture(estimate, noisy, spec.guard)
    if spec.similar > 0:
        similar = _similar(spec, estimate, noisy, clock)
        estimate = estimate + spec.similar * (similar - estimate)
    if spec.centre == "median":
        centred = to_local_median(estimate, noisy, spec.window)
        estimate = estimate + spec.shift * (centred - estimate)
    return estimate if spec.strength == 1 else noisy + spec.strength * (estimate - noisy)


def _white_noise(spec: Finish, channels: int) -> PatchNoise:
    if len(spec.noise) != channels**2:
        raise RecipeError(
            f"finish.noise has {len(spec.noise)} values and the image {channels} channels that "
            f"vary: give {channels**2}"
        )
    return PatchNoise(torch.tensor(spec.noise).view(channels, channels))


def _similar(
    spec: Finish, estimate: torch.Tensor, noisy: torch.Tensor, clock: Clock
) -> torch.Tensor:
    ticked = 0

    def tick(share: float) -> None:
        nonlocal ticked
        while ticked < int(share * _TICKS):
            clock.tick("finish")
            ticked += 1

    if spec.removed > 0:
        if (noisy - estimate).square().mean() < _NOTHING * noisy.square().mean():
            return estimate
        noise = patch_noise(noisy, estimate, spec.removed, spec.follows)
        passes = GUIDED_CORRELATED[spec.search]
        return nl_bayes(noisy, noise, passes=passes, pilot=estimate, tick=tick)
    noise = _white_noise(spec, len(noisy))
    if spec.guided:
        return nl_bayes(noisy, noise, passes=GUIDED[spec.search], pilot=estimate, tick=tick)
    return nl_bayes(noisy, noise, tick=tick)
