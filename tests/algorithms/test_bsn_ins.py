"""BSN-INS looks at the noise: what it hides, and what the pixels themselves say at last."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage
import skimage.data
import torch

import zspot
from tests.images import correlated, psnr
from zspot.algorithms import METHODS
from zspot.noise.posterior import with_own_values
from zspot.noise.whitening import Measured
from zspot.recipe import Bernoulli, Finish, Recipe


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """A colour picture in [0, 1] with fine detail and flat parts, 200 x 200."""
    return skimage.data.astronaut()[:200, 130:330].astype(np.float32) / 255


def short(effort: str) -> Recipe:
    """BSN-INS of an effort with few steps."""
    recipe = METHODS["bsn-ins"].make(effort)
    fit, predict = replace(recipe.fit, steps=2), replace(recipe.predict, passes=2, window=0)
    return replace(recipe, network=replace(recipe.network, width=4), fit=fit, predict=predict)


def noise(kind: str, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """White noise for (H, W, C), or noise that is correlated as in smartphones."""
    if kind == "correlated":
        return correlated(shape, sigma, seed=0)
    return np.random.default_rng(0).normal(0, sigma, shape).astype(np.float32)


def planes(image: np.ndarray) -> torch.Tensor:
    """(H, W, C) as the program sees it."""
    return torch.from_numpy(np.moveaxis(image, -1, 0).copy())


def blurred(image: torch.Tensor, deviation: float) -> torch.Tensor:
    """A prediction that has lost the fine detail."""
    return torch.from_numpy(scipy.ndimage.gaussian_filter(image.numpy(), (0, deviation, deviation)))


def mse(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).square().mean())


@pytest.mark.parametrize(
    ("kind", "strength", "keep", "exclusion", "word"),
    [
        ("white", 0.15, 0.7, "none", "white"),
        ("correlated", 0.15, 0.1, "cross", "correlated"),
        ("correlated", 0.02, 0.1, "cross", "correlated"),
    ],
)
@pytest.mark.parametrize("effort", ["fast", "balanced"])
def test_less_is_hidden_of_white_noise(clean, effort, kind, strength, keep, exclusion, word):
    noisy = clean + noise(kind, clean.shape, strength)
    result = zspot.run(noisy, method=short(effort), channel_axis=-1, seed=0)
    mask = result.recipe.mask
    assert (mask.keep, mask.exclusion, mask.keep_white) == (keep, exclusion, 0)
    assert word in result.reason
    assert f"{keep:.0%}" in result.reason
    again = zspot.run(noisy, method=result.recipe, channel_axis=-1, seed=0)
    np.testing.assert_array_equal(again.image, result.image)


def test_a_small_image_is_denoised_as_published(clean):
    noisy = (clean + noise("white", clean.shape, 0.15))[:128, :128]
    result = zspot.run(noisy, method=short("fast"), channel_axis=-1, seed=0)
    assert (result.recipe.mask.keep, result.recipe.mask.exclusion) == (0.1, "cross")
    assert "the image small" in result.reason
    plain = replace(short("fast"), finish=Finish())
    np.testing.assert_array_equal(
        result.image, zspot.run(noisy, method=plain, channel_axis=-1, seed=0).image
    )


def test_own_values_count_in_a_run(clean):
    """The prediction of a network that learned two steps is far off; weak noise is not."""
    noisy = clean + noise("white", clean.shape, 0.02)
    own, plain = (
        zspot.run(noisy, method=recipe, channel_axis=-1, seed=0).image
        for recipe in (short("fast"), replace(short("fast"), finish=Finish()))
    )
    assert psnr(clean, own) > psnr(clean, plain) + 3


def test_best_is_as_printed(clean):
    recipe = METHODS["bsn-ins"].make("best")
    assert recipe.mask == Bernoulli(keep=0.1, exclusion="cross", keep_white=0.0)
    assert recipe.finish == Finish()


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("lost", [0.0, 0.7, 1.5])
@pytest.mark.parametrize("kind", ["white", "correlated"])
def test_own_values_help_or_do_no_harm(clean, sigma, lost, kind):
    """A prediction without detail gets it back, to below the error of both; a good one stays."""
    image, noisy = planes(clean), planes(clean + noise(kind, clean.shape, sigma))
    estimate = blurred(image, lost) if lost else image
    found = with_own_values(estimate, noisy, Measured.of(noisy))
    least = min(mse(estimate, image), mse(noisy, image))
    more = 1.05 if kind == "white" else 1.5  # correlated noise is measured less well
    assert mse(found, image) <= more * least + (0.1 * sigma) ** 2


def test_own_values_bring_fine_detail_back(clean):
    image, noisy = planes(clean), planes(clean + noise("white", clean.shape, 0.02))
    estimate = blurred(image, 2.0)
    found = with_own_values(estimate, noisy, Measured.of(noisy))
    assert mse(found, image) < 0.9 * mse(noisy, image)
    assert mse(found, image) < 0.5 * mse(estimate, image)
