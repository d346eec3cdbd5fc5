"""`sigma`: white noise whose strength the user knows."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data

import zspot
from tests.images import psnr
from zspot.files import denoise_file, denoise_many
from zspot.io import ImageFile, read, write

SIGMA = 0.1


@pytest.fixture(scope="module")
def clean():
    return skimage.data.brick()[:96, :112].astype(np.float64) / 255


@pytest.fixture(scope="module")
def noisy(clean):
    return clean + np.random.default_rng(3).normal(0, SIGMA, clean.shape)


@pytest.mark.parametrize("method", ["auto", "auto-scratch", "bm3d"])
def test_what_is_told_is_taken_for_the_noise(clean, noisy, method):
    if method == "bm3d":
        pytest.importorskip("bm3d", reason="the extra bm3d is not installed")
    told = zspot.run(noisy, method, effort="fast", sigma=SIGMA)
    assert "told" in told.reason
    assert psnr(clean, told.image) > psnr(clean, noisy) + 3
    removed = [
        float((noisy - zspot.denoise(noisy, method, effort="fast", sigma=times * SIGMA)).std())
        for times in (0.3, 1.0, 1.5)
    ]
    assert removed == sorted(removed)
    assert removed[0] < removed[1] < removed[2]


def test_the_truth_is_as_good_as_a_measurement_and_better_than_a_wrong_one(clean, noisy):
    def gain(**known) -> float:
        return psnr(clean, zspot.denoise(noisy, "auto-scratch", **known))

    assert gain(sigma=SIGMA) > gain() - 0.02
    assert gain(sigma=SIGMA) > max(gain(sigma=SIGMA / 3), gain(sigma=1.4 * SIGMA)) + 0.1


def test_it_is_in_units_of_the_image(noisy):
    whole = zspot.denoise(noisy, "auto-scratch", sigma=SIGMA)
    counts = zspot.denoise(1000 * noisy + 5000, "auto-scratch", sigma=1000 * SIGMA)
    assert np.allclose((counts - 5000) / 1000, whole, atol=1e-4)
    stack = np.stack([noisy, noisy])
    planes = zspot.denoise(stack, "auto-scratch", axes="ZYX", sigma=SIGMA)
    assert np.array_equal(planes[1], whole)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"sigma": 0}, "sigma=0: give a noise level above 0"),
        ({"sigma": -1.0}, "above 0"),
        ({"sigma": float("nan")}, "above 0"),
        ({"sigma": True}, "above 0"),
        ({"sigma": "25"}, "above 0"),
        ({"sigma": 25.0}, "sigma=25 is more than the image varies at all"),
        ({"sigma": SIGMA, "method": "n2v"}, "method n2v cannot be told .* choose auto,"),
        ({"sigma": SIGMA, "axes": "YX", "neighbours": 1}, "leave out neighbours"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(noisy, asked, says):
    with pytest.raises(zspot.OptionError, match=says) as told:
        zspot.run(noisy, **asked)
    assert "\n" not in str(told.value)


def test_a_recipe_says_itself_what_the_noise_is(noisy):
    recipe = zspot.run(noisy, "auto-scratch", sigma=SIGMA).recipe
    with pytest.raises(zspot.OptionError, match="a recipe cannot be told"):
        zspot.run(noisy, recipe, sigma=SIGMA)
    again = zspot.run(noisy, recipe).image
    assert np.array_equal(again, zspot.denoise(noisy, "auto-scratch", sigma=SIGMA))


def test_files_take_it_and_a_folder_is_done_again_with_another(tmp_path, noisy):
    counts = np.clip(noisy * 255, 0, 255).round().astype(np.uint8)
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.png", ImageFile(counts, "YX"))
    for sigma in (20.0, 30.0, 30.0):
        states = denoise_many(tmp_path / "in", tmp_path / "out", "auto-scratch", sigma=sigma)
        one = zspot.denoise(counts, "auto-scratch", sigma=sigma)
        assert np.array_equal(read(tmp_path / "out" / "a.png").data, one)
    assert [outcome.state for outcome in states.outcomes] == ["skipped"]
    with pytest.raises(zspot.OptionError, match="shared fits"):
        denoise_file(tmp_path / "in" / "a.png", tmp_path / "b.png", sigma=3.0, share_fit=True)
