"""`auto` on noise that its network does not know, and on texture that looks like such noise."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data

import zspot
from benchmarks import noises
from tests.images import psnr


@pytest.mark.parametrize("axis", [None, -1])
@pytest.mark.parametrize("sigma", [2, 4])
def test_fine_texture_is_not_noise_of_an_unknown_kind(sigma, axis):
    """The noise report finds more in stained tissue than the network removes: its grain."""
    tissue = skimage.data.immunohistochemistry()[160:352, 160:352].astype(np.float64)
    clean = tissue if axis else tissue.mean(2)
    noise = np.random.default_rng(0).normal(0, sigma, clean.shape)
    noisy = np.rint(clean + noise).clip(0, 255).astype(np.uint8)
    result = zspot.run(noisy, "auto", effort="fast", channel_axis=axis)
    assert psnr(clean / 255, result.image / 255) > psnr(clean / 255, noisy / 255) - 0.05


@pytest.mark.parametrize("noise", ["ringing:20", "upscaled:20/1.5"])
def test_noise_of_an_unknown_kind_is_removed(noise):
    clean = skimage.data.camera()[100:292, 180:372] / 255
    noisy = noises.parse(noise).add(clean, 0)
    result = zspot.run(noisy, "auto", effort="fast")
    assert "does not know" in result.reason
    assert psnr(clean, result.image) > psnr(clean, noisy) + 4
