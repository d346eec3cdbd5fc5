"""Does it denoise? Unbiasedness and quality on images with realistic noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import zspot
from tests.images import correlated, psnr, small_net, tiny
from zspot import engine
from zspot.algorithms import METHODS
from zspot.algorithms.auto import pretrained_estimate
from zspot.recipe import Constant, Predict, Recipe

BSN_INS = METHODS["bsn-ins"].make("best")
assert isinstance(BSN_INS, Recipe)
SHORT = small_net(BSN_INS, steps=150, passes=10)


def test_bsn_ins_removes_correlated_noise(clean):
    """Noise correlated as in smartphones: several dB are gained without a clean image."""
    noisy = np.clip(clean + correlated(clean.shape, 0.15, seed=0), 0, 1)
    result = zspot.run(noisy, SHORT, channel_axis=-1)
    assert psnr(clean, noisy) == pytest.approx(16.8, abs=0.5)
    assert psnr(clean, result.image) > psnr(clean, noisy) + 6
    assert np.mean(result.losses[-20:]) < 0.8 * np.mean(result.losses[:20])


def test_bsn_ins_denoises_grey_micrographs():
    """Poisson-Gaussian noise on a fluorescence-like picture."""
    import skimage.data

    clean = skimage.data.cell()[200:296, 180:276].astype(np.float32) / 255
    rng = np.random.default_rng(0)
    noisy = (rng.poisson(clean * 20) / 20 + rng.normal(0, 0.02, clean.shape)).astype(np.float32)
    out = zspot.denoise(noisy, SHORT)
    assert psnr(clean, out) > psnr(clean, noisy) + 6


def test_the_mean_intensity_is_not_biased():
    """On a flat image with symmetric noise the result has the image's mean, in each channel."""
    rng = np.random.default_rng(0)
    level = np.array([40.0, 120.0, 200.0])
    noisy = level + rng.normal(0, 20, (64, 64, 3))
    out = zspot.denoise(noisy, SHORT, channel_axis=-1)
    standard_error = 20 / 64
    # L1 fits the median, whose standard error is 1.25 that of the mean; the network adds its own.
    assert np.abs(out.mean((0, 1)) - level).max() < 5 * standard_error
    assert out.std((0, 1)).max() < 8


def test_no_more_is_learned_of_pure_noise_than_masking_allows():
    """Nothing can be predicted of white noise: what comes back of it is what was left visible.

    A leak would show as a slope (of result against noise) well above the keep probability.
    """
    noisy = np.random.default_rng(1).normal(0, 1, (96, 96))
    for fill in (BSN_INS.fill, Constant("mean")):
        out = zspot.denoise(noisy, replace(SHORT, fill=fill))
        slope = float((out * noisy).mean() / (noisy**2).mean())
        assert slope < BSN_INS.mask.keep + 0.05
        assert out.std() < 0.35


def test_uncertainty_is_the_spread_of_the_averaged_predictions(clean):
    recipe = tiny(BSN_INS, steps=3, passes=2)
    one = replace(recipe, predict=Predict(1))
    noisy = clean + correlated(clean.shape, 0.1, seed=2)
    both = zspot.run(noisy, recipe, channel_axis=-1)
    first = zspot.run(noisy, one, channel_axis=-1)
    # With two predictions a and b: mean (a + b) / 2, deviation |a - b| / sqrt(2).
    expected = np.abs(first.image - both.image) * np.sqrt(2)
    np.testing.assert_allclose(both.uncertainty, expected, atol=1e-5)
    assert first.uncertainty is None


def test_result_says_what_ran(clean):
    result = zspot.run(clean, tiny(BSN_INS), channel_axis=-1, seed=4)
    assert result.method == "bsn-ins"
    assert result.seed == 4
    assert result.device == "cpu" or not result.device.startswith("cpu")
    assert set(result.timings) == {"fit", "predict", "finish", "total"}
    assert result.timings["fit"] + result.timings["predict"] <= result.timings["total"]
    assert set(result.versions) == {"zspot", "torch", "numpy", "python"}
    assert result.reason


def test_images_too_small_to_learn_from_come_back_with_the_reason():
    image = np.arange(9, dtype=np.uint8).reshape(3, 3)
    result = zspot.run(image, "bsn-ins")
    assert np.array_equal(result.image, image)
    assert "too few" in result.reason


def test_real_smartphone_noise(data):
    """A centre crop of a SIDD validation block at a small budget."""
    import imageio.v3 as iio

    noisy, clean = (
        iio.imread(data / "sidd_val" / kind / "2_4.png")[80:176, 80:176] / np.float32(255)
        for kind in ("noisy", "clean")
    )
    out = zspot.denoise(noisy, SHORT, channel_axis=-1)
    assert psnr(clean, out) > psnr(clean, noisy) + 7


@pytest.mark.slow
@pytest.mark.parametrize("effort", ["fast", "balanced"])
def test_registered_efforts_gain_on_correlated_noise(clean, effort):
    noisy = np.clip(clean + correlated(clean.shape, 0.15, seed=0), 0, 1)
    out = zspot.denoise(noisy, "bsn-ins", effort=effort, channel_axis=-1)
    assert psnr(clean, out) > psnr(clean, noisy) + 8


@pytest.mark.parametrize("size", [(16, 18), (17, 31), (1, 64)])
def test_phases_are_averaged_with_the_whole(size):
    plane = torch.randn(3, *size, generator=torch.Generator().manual_seed(0))
    whole = pretrained_estimate("fast")
    both = replace(whole, predict=replace(whole.predict, phases=2))
    alone = engine.run(whole, plane).mean
    mean = engine.run(both, plane)
    changed = plane.clone()
    changed[:, 1::2, :] += 1
    # What the phases add to even rows does not depend on odd rows.
    added = 2 * mean.mean - alone
    again = 2 * engine.run(both, changed).mean - engine.run(whole, changed).mean
    torch.testing.assert_close(added[:, ::2], again[:, ::2], atol=1e-4, rtol=0)
    assert mean.deviation is not None
