"""An image at half its size and back; noise made even and back; what both are worth."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import zspot
from tests.images import psnr
from zspot.core.errors import RecipeError
from zspot.filters.scales import halved, joined
from zspot.filters.stabilise import Stabiliser
from zspot.recipe import Constant, Finish, Fit, NoMask, Predict, Recipe, UNet

SIDES = st.integers(1, 40)


def blobs(seed: int, count: int = 120) -> np.ndarray:
    """Bright blobs on a dark ground, 0 to 1, as a microscope sees stained nuclei."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:256, :256]
    clean = np.full((256, 256), 0.04)
    for row, column, size in zip(
        *rng.uniform(0, 256, (2, count)), rng.uniform(3, 14, count), strict=True
    ):
        clean += 0.35 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 2 / size**2)
    return clean.clip(0, 1).astype(np.float32)


@given(st.integers(1, 3), SIDES, SIDES, st.integers(0, 99))
def test_an_image_comes_back_from_its_half(channels, height, width, seed):
    image = torch.randn(channels, height, width, generator=torch.Generator().manual_seed(seed))
    half = halved(image)
    assert half.shape == (channels, (height + 1) // 2, (width + 1) // 2)
    torch.testing.assert_close(half.mean((1, 2)), image.mean((1, 2)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(joined(image, half), image, atol=1e-4, rtol=1e-4)


def test_the_half_gives_low_frequencies_and_leaves_high_ones():
    y = torch.arange(64.0)
    low, high = (torch.cos(torch.pi * (y + 0.5) * k / 64)[None, :, None] for k in (4, 50))
    low, high = low.expand(1, 64, 64), high.expand(1, 64, 64)
    torch.testing.assert_close(joined(3 * low + high, halved(low)), low + high, atol=1e-4, rtol=0)


@given(st.floats(0.01, 5), st.floats(0, 3), st.integers(0, 99))
def test_what_was_stabilised_comes_back(start, slope, seed):
    image = 2 * torch.randn(2, 20, 20, generator=torch.Generator().manual_seed(seed))
    even = Stabiliser.of(torch.tensor([start, 1.0]), torch.tensor([slope, 0.5]))
    torch.testing.assert_close(even.inverse(even(image)), image, atol=2e-3, rtol=1e-3)


def test_noise_of_photons_is_even_once_stabilised():
    rng = np.random.default_rng(0)
    signal = np.repeat([[4.0], [10.0], [40.0], [120.0]], 20_000, axis=1)
    noisy = torch.from_numpy(rng.poisson(signal) + rng.normal(0, 2, signal.shape))[None]
    even = Stabiliser.of(torch.tensor([4.0]), torch.tensor([1.0]))
    deviations = even(noisy)[0].std(1).tolist()
    assert deviations == pytest.approx([1.0] * 4, abs=0.08)


@pytest.mark.parametrize(
    ("method", "gain"), [("auto", 0.1), pytest.param("auto-scratch", 0.5, marks=pytest.mark.slow)]
)
def test_coarse_grain_of_a_microscope_is_removed_better_at_two_sizes(method, gain):
    clean = blobs(0)
    grain = gaussian_filter(np.random.default_rng(1).normal(size=clean.shape), 1.2)
    noisy = (clean + 0.1 * grain / grain.std()).astype(np.float32)
    found = zspot.run(noisy, method, effort="fast")
    assert found.recipe.finish.scales == 2
    one = replace(found.recipe, finish=replace(found.recipe.finish, scales=1))
    assert psnr(clean, found.image) > psnr(clean, zspot.denoise(noisy, one)) + gain
    again = zspot.denoise(noisy, found.recipe)
    np.testing.assert_array_equal(again, found.image)


def test_noise_of_photons_is_measured_and_removed_without_a_network():
    clean = blobs(2, count=25)
    rng = np.random.default_rng(3)
    noisy = (rng.poisson(clean * 40) / 40 + rng.normal(0, 0.01, clean.shape)).astype(np.float32)
    assert zspot.noise.analyze_noise(noisy).grows
    found = zspot.run(noisy, "auto-scratch", effort="fast")
    assert "grows with the brightness" in found.reason
    assert psnr(clean, found.image) > psnr(clean, noisy) + 12
    even = replace(found.recipe.finish, noise=(float(np.var(noisy - clean) / np.var(noisy)),))
    flat = zspot.denoise(noisy, replace(found.recipe, finish=even))
    assert psnr(clean, found.image) > psnr(clean, flat) + 0.5


def test_an_image_without_noise_stays_as_it_is():
    clean = np.repeat(np.linspace(0, 1, 96, dtype=np.float32)[None], 96, axis=0)
    recipe = Recipe(
        "none", mask=NoMask(), fill=Constant(), network=UNet(1, 1, 0.0), fit=Fit(steps=0),
        predict=Predict(passes=1), finish=Finish(similar=1.0),
    )  # fmt: skip
    np.testing.assert_allclose(zspot.denoise(clean, recipe), clean, atol=1e-3)


def test_smaller_sizes_need_a_network_that_does_not_learn():
    with pytest.raises(RecipeError, match=r"set fit\.steps = 0"):
        Recipe("a", finish=Finish(scales=2))
    with pytest.raises(RecipeError, match="not both"):
        Finish(similar=1.0, noise=(1.0,), removed=1.0)
