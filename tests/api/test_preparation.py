"""What is neither noise nor picture is left out, repaired or shown as what it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

import zspot
from zspot.algorithms import METHODS
from zspot.api.preparation import prepare
from zspot.core.valid import find_valid
from zspot.recipe import Fit, Recipe, UNet


def coffee() -> np.ndarray:
    """A colour photograph, 0 to 255."""
    return skimage.data.coffee()[100:260, 150:320].astype(np.float64)


def moon() -> np.ndarray:
    """A grey picture, 0 to 255."""
    return skimage.data.moon()[100:324, 150:410].astype(np.float64)


def noisy(clean: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    return clean + np.random.default_rng(seed).normal(0, sigma, clean.shape)


def eight_bit(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def rms(a: np.ndarray, b: np.ndarray, where: np.ndarray | slice = slice(None)) -> float:
    return float(np.sqrt(np.mean(np.square(a.astype(np.float64) - b)[where])))


def fast(image: np.ndarray, **options) -> zspot.Result:
    return zspot.run(image, effort="fast", **options)


@pytest.mark.parametrize("share", [0.3, 0.7])
@pytest.mark.parametrize("value", [0, 255])
def test_bars_change_nothing_and_come_back_bit_for_bit(share, value):
    clean = coffee()
    image = eight_bit(noisy(clean, 18))
    bar = int(share * len(image) / 2)
    alone = fast(np.ascontiguousarray(image[bar:-bar]), channel_axis=-1).image
    image[:bar] = image[-bar:] = value
    result = fast(image, channel_axis=-1)
    assert np.array_equal(result.image[bar:-bar], alone)
    assert (result.image[:bar] == value).all()
    assert (result.image[-bar:] == value).all()
    assert f"of the one value {value}" in result.reason


@pytest.mark.parametrize("value", [0.0, -9999.0, -3.4e38, np.nan, np.inf])
def test_areas_without_data_are_left_out(value):
    clean = moon() / 255
    image = noisy(clean, 0.05).astype(np.float32)
    valid = np.ones(image.shape, bool)
    valid[40:130, 60:170] = valid[150:, :50] = False
    whole = fast(image).image
    image[~valid] = value
    result = fast(image)
    assert np.array_equal(result.image[~valid], image[~valid], equal_nan=True)
    rim = valid & ndimage.binary_dilation(~valid, iterations=3)
    assert rms(result.image, clean, valid) < 1.05 * rms(whole, clean, valid)
    assert rms(result.image, clean, rim) < 1.2 * rms(whole, clean, rim) + 0.002
    assert "left as it was" in result.reason


def test_a_given_value_or_mask_is_left_out():
    clean = moon()
    image = noisy(clean, 12).astype(np.float32)
    holes = np.random.default_rng(1).random(image.shape) < 0.02  # too scattered to be found
    marked = np.where(holes, np.float32(-7.5), image)
    by_value = fast(marked, nodata=-7.5).image
    by_mask = fast(marked, mask=~holes).image
    for out in (by_value, by_mask):
        assert np.array_equal(out[holes], marked[holes])
        assert rms(out, clean, ~holes) < 0.55 * rms(image, clean, ~holes)
    with pytest.raises(zspot.OptionError, match="mask has shape"):
        fast(marked, mask=holes[:5])


def test_padding_of_a_round_field_of_view_is_left_out():
    clean = 4 * moon()[:, :224] - 300
    rows, columns = np.indices(clean.shape) - 111.5
    valid = rows**2 + columns**2 < 105**2
    image = np.rint(noisy(clean, 20)).astype(np.int16)
    whole = fast(image).image
    image[~valid] = -3024
    out = fast(image).image
    assert (out[~valid] == -3024).all()
    assert rms(out, clean, valid) < 1.15 * rms(whole, clean, valid)


def test_clipped_light_and_flat_pictures_are_picture():
    bright = eight_bit(noisy(1.9 * moon(), 10))
    dark = eight_bit(noisy(1.2 * moon() - 110, 6))
    few = np.random.default_rng(0).poisson(moon() / 255 * 0.3).astype(np.uint16)
    text = np.full((96, 128), 230, np.uint8)
    text[30:60, 20:100] = 20
    for image in (bright, dark, few, text, moon().astype(np.uint8)):
        assert find_valid(image[None]).is_all


@settings(max_examples=30)
@given(
    channels=st.integers(1, 4),
    size=st.tuples(st.integers(8, 40), st.integers(8, 40)),
    dtype=st.sampled_from(["uint8", "int16", "uint16", "float32", "float64"]),
    share=st.floats(0, 0.95),
    seed=st.integers(0, 99),
)
def test_what_is_left_out_comes_back_and_the_rest_is_untouched(channels, size, dtype, share, seed):
    rng = np.random.default_rng(seed)
    image = (rng.normal(100, 20, (channels, *size))).astype(dtype)
    mask = rng.random(size) >= share
    ready = prepare(image, 0, mask=mask, keep_outliers=True)
    if not mask.any():
        assert "100%" in ready.told[0]
        return
    back = ready.undone(ready.image)
    assert back.dtype == image.dtype
    assert np.array_equal(back, image)
    inside = ready.image if ready.image.dtype == image.dtype else ready.image.astype(dtype)
    assert np.isin(inside, image[:, mask]).all()  # only picture is seen


def test_hot_pixels_spoil_nothing_elsewhere():
    clean = 400 + moon()
    image = np.rint(noisy(clean, 25)).astype(np.uint16)
    hot = np.random.default_rng(2).random(image.shape) < 1e-3
    spoilt = np.where(hot, np.uint16(65535), image)
    result = fast(spoilt)
    assert rms(result.image, clean) < 1.03 * rms(fast(image).image, clean)
    assert "outliers repaired" in result.reason
    kept = zspot.run(spoilt[:64, :64], "zs-n2n", effort="fast", keep_outliers=True)
    assert "repaired" not in kept.reason


def test_salt_and_pepper_is_repaired():
    clean = coffee()[..., 1]
    image = noisy(clean, 6)
    rng = np.random.default_rng(3)
    bad = rng.random(image.shape) < 0.03
    image[bad] = rng.choice([0, 255], bad.sum())
    image = eight_bit(image)
    assert rms(fast(image).image, clean) < 0.8 * rms(ndimage.median_filter(image, 3), clean)


@pytest.mark.parametrize("width", [1.2, 1.6, 2.0, 2.5])
def test_stars_are_no_outliers(width):
    rng = np.random.default_rng(4)
    rows, columns = np.indices((160, 160))
    sky = np.full((160, 160), 100.0)
    for _ in range(40):
        row, column = rng.uniform(5, 155, 2)
        distance = (rows - row) ** 2 + (columns - column) ** 2
        sky += rng.uniform(100, 3000) * np.exp(-distance / 2 / (width / 2.355) ** 2)
    ready = prepare(noisy(sky, 10).astype(np.float32), None)
    changed = ready.undone(ready.image) != noisy(sky, 10).astype(np.float32)
    assert changed.sum() <= 4


def test_a_colour_mosaic_is_denoised_as_its_phases():
    colours = coffee() * 12
    mosaic = 200 + 0.9 * colours[..., 1]
    mosaic[::2, ::2] = 200 + 0.6 * colours[::2, ::2, 0]
    mosaic[1::2, 1::2] = 200 + 0.7 * colours[1::2, 1::2, 2]
    for clean in (mosaic, mosaic[:-1, :-1]):
        image = np.rint(noisy(clean, 150)).clip(0).astype(np.uint16)
        result = fast(image)
        assert rms(result.image, clean) < 0.8 * rms(image, clean)
        assert "mosaic" in result.reason


@pytest.mark.parametrize("counts", [0.2, 1, 5, 25])
def test_photons_are_neither_lost_nor_added(counts):
    rate = counts * moon() / moon().mean()
    image = np.random.default_rng(5).poisson(rate).astype(np.float32)
    out = fast(image).image
    assert out.sum() == pytest.approx(image.sum(), rel=0.001)
    assert rms(out, rate) < 0.6 * rms(image, rate)

    def means(values):
        return values[:208, :256].reshape(13, 16, 16, 16).mean((1, 3))

    assert rms(means(out), means(rate)) < rms(means(image), means(rate))


def test_counts_that_rounding_would_lose_are_refused():
    image = np.random.default_rng(6).poisson(0.3 * moon() / 100).astype(np.uint16)
    with pytest.raises(zspot.OptionError, match="dtype float32"):
        fast(image)
    result = fast(image, dtype="float32")
    assert result.image.dtype == np.float32
    assert result.image.sum() == pytest.approx(image.sum(), rel=0.001)
    assert fast(image, dtype="same").image.dtype == np.uint16
    with pytest.raises(zspot.OptionError, match="unknown dtype"):
        fast(image, dtype="int8")


def test_equal_channels_stay_equal_and_are_denoised_as_one():
    image = eight_bit(noisy(moon(), 14))
    grey = fast(image).image
    colour = fast(np.stack([image] * 3, -1), channel_axis=-1)
    assert np.array_equal(colour.image, np.stack([grey] * 3, -1))
    assert "denoised as one" in colour.reason


def test_a_tinted_picture_is_denoised_as_one():
    image = eight_bit(noisy(0.8 * moon(), 14))
    tint = np.stack([np.rint(image * 0.95 + 10), np.rint(image * 0.8 + 5), np.rint(image * 0.6)])
    clean = np.stack([0.8 * moon() * f + o for f, o in ((0.95, 10), (0.8, 5), (0.6, 0))])
    result = fast(tint.astype(np.uint8), channel_axis=0)
    assert "tinted" in result.reason
    assert rms(result.image, clean) < 0.5 * rms(tint, clean)


def test_a_few_pixels_decide_whether_channels_are_one_picture():
    """Between the pixels that are looked at first there may be all that a picture has."""
    draw = np.random.default_rng(0)
    dark = draw.normal(120, 20, (600, 700)).round()
    dark[::3, ::3] = 90
    one = np.stack([dark, np.rint(dark * 0.5 + 3), np.rint(dark * 0.9)]).clip(0, 255)
    assert "tinted" in prepare(one.astype(np.uint8), 0, keep_outliers=True).told[-1]
    several = one.copy()
    several[1, 130, 332] += 40
    told = prepare(several.astype(np.uint8), 0, keep_outliers=True).told
    assert not any("tinted" in line for line in told)


@pytest.mark.parametrize("axis", [0, 1])
def test_offsets_of_rows_are_removed(axis):
    clean = moon()
    shape = (len(clean), 1) if axis == 0 else (1, clean.shape[1])
    offsets = np.random.default_rng(7).normal(0, 10, shape)
    image = eight_bit(noisy(clean, 8) + offsets + 30)
    result = fast(image)
    assert rms(result.image, clean + 30) < 0.4 * rms(image, clean + 30)
    assert ("rows", "columns")[axis] in result.reason


def test_a_single_colour_is_denoised_as_grey():
    image = eight_bit(noisy(moon(), 14))
    green = np.zeros((*image.shape, 3), np.uint8)
    green[..., 1] = image
    result = fast(green, channel_axis=-1)
    assert np.array_equal(result.image[..., 1], fast(image).image)
    assert not result.image[..., [0, 2]].any()


@pytest.mark.parametrize("shape", [(1, 3), (4, 4), (2, 1), (6, 6)])
def test_the_report_names_the_period_of_a_pattern(shape):
    pattern = np.random.default_rng(8).normal(0, 25, shape)
    rows, columns = np.indices(moon().shape)
    image = noisy(moon() + pattern[rows % shape[0], columns % shape[1]], 8)
    assert f"period {shape[0]} x {shape[1]} pixels" in zspot.analyze_noise(image).summary()
    assert "period" not in zspot.analyze_noise(noisy(moon(), 8)).summary()


@pytest.mark.parametrize("kernel", [[[-0.4, 1, -0.4]], [[-0.4], [1], [-0.4]], [[0.8, 0], [0, 0.8]]])
def test_noise_that_is_correlated_in_one_direction_is_not_called_white(kernel):
    noise = ndimage.convolve(np.random.default_rng(9).normal(0, 15, moon().shape), kernel)
    report = zspot.analyze_noise(moon() + noise)
    assert not report.is_white
    assert "white" not in report.summary()


def test_random_impulses_are_repaired():
    clean = moon()
    image = noisy(clean, 4)
    rng = np.random.default_rng(10)
    bad = rng.random(image.shape) < 0.03
    image[bad] = rng.uniform(0, 255, bad.sum())
    ready = prepare(eight_bit(image), None)
    assert rms(ready.image[0], clean) < 0.4 * rms(image, clean)


def test_a_verdict_is_given_on_the_picture_alone():
    image = eight_bit(noisy(coffee(), 18))
    ok = np.ones(image.shape[:2], bool)
    ok[40:120, 50:150] = False
    spoilt = image.copy()
    spoilt[~ok] = np.random.default_rng(11).integers(0, 255, (int((~ok).sum()), 3))
    spoilt[np.random.default_rng(12).random(ok.shape) < 0.002] = 255
    result = fast(spoilt, channel_axis=-1, mask=ok)
    assert np.array_equal(result.valid, ok)
    assert zspot.assess(result).verdict == "good"


def test_an_image_without_noise_to_remove_comes_back_bit_for_bit():
    clean = skimage.data.page()[:160, :200].astype(np.float64) * 1e7 + 1e9
    result = fast(clean)
    if "left as it is" in result.reason or "nothing was changed" in result.reason:
        assert np.array_equal(result.image, clean)
    untouched = zspot.run(
        clean,
        zspot.Recipe.from_toml(
            fast(moon().astype(np.float32))
            .recipe.to_toml()
            .replace("strength = 1.0", "strength = 0.0")
        ),
    )
    assert np.array_equal(untouched.image, clean)


@pytest.mark.parametrize("fill", [np.nan, 7.0])
def test_an_image_without_any_picture_is_returned(fill):
    image = np.full((40, 50), fill)
    result = fast(image)
    assert np.array_equal(result.image, image, equal_nan=True)
    assert "unchanged" in result.reason


def test_two_noisy_images_are_made_ready_alike():
    clean = moon()[:120, :120]
    first, second = (noisy(clean, 15, seed).astype(np.float32) for seed in (0, 1))
    first[:40] = second[:40] = 0
    recipe = METHODS["n2n"].make("fast")
    assert isinstance(recipe, Recipe)
    short = replace(recipe, network=UNet(16, 1, 0), fit=Fit(150, 3e-3, "one-cycle"))
    out = zspot.run(first, short, second=second).image
    assert (out[:40] == 0).all()
    assert rms(out[40:], clean[40:]) < 0.7 * rms(first[40:], clean[40:])


@pytest.mark.parametrize("bright", [200.0, 20000.0])
def test_a_dim_channel_beside_a_bright_one_is_a_picture_of_its_own(bright):
    rng, spot = np.random.default_rng(0), np.zeros((64, 64))
    spot[20:40, 20:40] = 1
    dim = 100 + (rng.random((64, 64)) < 0.1 + 0.6 * spot)
    image = np.stack([bright * moon()[:64, :64] / 255, dim]).astype(np.uint16)
    ready = prepare(image, 0)
    assert not any("one picture" in word for word in ready.told)
    assert len(ready.image) == 2


def test_values_that_float64_does_not_hold_are_refused():
    picture = moon()[:64, :64]
    for image, says in (
        (picture.astype(np.int64) + 2**60, "subtract an offset"),
        (picture.astype(np.longdouble), "at most 64 bits"),
    ):
        with np.errstate(all="raise"), pytest.raises(zspot.ImageError, match=says):
            zspot.denoise(image)


def test_a_mask_of_numpy_is_not_lost():
    image = np.ma.masked_less(moon()[:64, :64], 90)
    for function in (zspot.denoise, zspot.run, zspot.analyze_noise):
        with pytest.raises(zspot.ImageError, match="masked array"):
            function(image)
    with pytest.raises(zspot.ImageError, match="masked array"):
        zspot.denoise(image.data, "n2n", second=image)


def test_what_looks_like_an_array_of_intensities_and_is_none_is_refused():
    xr = pytest.importorskip("xarray")
    photograph = Image.fromarray(moon()[:64, :64].astype(np.uint8))
    for image, says in (
        (photograph.convert("P"), r'numbers of colours: pass image\.convert\("RGB"\)'),
        ("noisy.png", "name of a file: zspot.denoise_file"),
        (Path("noisy.png"), "name of a file: zspot.denoise_file"),
        (xr.Dataset({"a": (("y", "x"), moon()[:64, :64])}), "no array"),
    ):
        for function in (zspot.denoise, zspot.run, zspot.analyze_noise):
            with pytest.raises(zspot.ImageError, match=says):
                function(image)
    assert zspot.denoise(photograph, effort="fast").shape == (64, 64)


@pytest.mark.parametrize("dtype", [">u2", ">f4", ">f2", "<u2"])
def test_the_byte_order_comes_back_after_a_repair(dtype):
    image = noisy(moon()[:64, :64], 5).astype(dtype)
    image[30, 30] = 4000
    assert zspot.denoise(image, effort="fast").dtype == np.dtype(dtype)
