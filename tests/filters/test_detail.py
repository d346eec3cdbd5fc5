"""Strength and kept detail after the run, and the judgement of a result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.ndimage import gaussian_filter

import zspot
from tests.images import correlated, psnr, tiny
from zspot.algorithms import bsn_ins
from zspot.api.trust import assess, assess_images
from zspot.filters.detail import removed_detail

RECIPE = tiny(bsn_ins.recipe("fast"), steps=1)
SHAPES = st.sampled_from([(9, 11), (16, 8), (3, 20), (12, 12, 3), (2, 13, 10)])
DTYPES = st.sampled_from(["uint8", "int16", "uint16", "int64", "uint64", "float16", "float32"])
UNIT = st.floats(0, 1)


@pytest.fixture(scope="module")
def made() -> zspot.Result:
    noisy = np.random.default_rng(0).integers(0, 255, (16, 16), dtype=np.uint8)
    return zspot.run(noisy, RECIPE)


@st.composite
def results(draw, template: zspot.Result) -> zspot.Result:
    """A result whose two images are anything at all of one dtype."""
    shape, dtype = draw(SHAPES), np.dtype(draw(DTYPES))
    if dtype.kind == "f":
        values = st.floats(-1000, 1000, width=16)
    else:
        limits = np.iinfo(dtype)
        # Differences of 64-bit numbers beyond 2^62 are no picture.
        values = st.integers(max(limits.min, -(2**61)), limits.max if dtype.itemsize < 8 else 2**61)
    noisy, image = (draw(arrays.arrays(dtype, shape, elements=values)) for _ in range(2))
    axis = None if len(shape) == 2 else (0 if shape[0] == 2 else -1)
    return replace(template, image=image, source=noisy, channel_axis=axis)


@given(data=st.data(), low=UNIT, high=UNIT, keep=UNIT)
def test_a_pixel_moves_from_the_input_to_the_result_and_never_turns_back(
    made, data, low, high, keep
):
    result = data.draw(results(made))
    low, high = sorted((low, high))
    less, more = result.blend(low, keep), result.blend(high, keep)
    assert less.dtype == more.dtype == result.image.dtype
    assert less.shape == result.image.shape
    for a, b, c in zip(*(x.ravel().tolist() for x in (result.source, less, more)), strict=True):
        assert a <= b <= c or a >= b >= c
    for b, c, d in zip(*(x.ravel().tolist() for x in (less, more, result.image)), strict=True):
        assert b <= c <= d or b >= c >= d


@given(data=st.data(), keep=UNIT)
def test_the_ends_are_exact(made, data, keep):
    result = data.draw(results(made))
    assert np.array_equal(result.blend(0, keep), result.source)
    assert np.array_equal(result.blend(1, 0), result.image)
    out = result.blend(1, 0)
    out += 1  # a copy: the result is not touched
    assert not np.array_equal(out, result.image)


@given(data=st.data(), scale=st.sampled_from([2.0**-20, 8.0, 2.0**30]))
def test_detail_follows_the_intensity_scale(made, data, scale):
    noisy = data.draw(arrays.arrays("float64", (16, 17), elements=st.floats(-1, 1, width=16)))
    smooth = np.full_like(noisy, noisy.mean())
    once = removed_detail(noisy, smooth, None)
    assert np.allclose(removed_detail(scale * noisy, scale * smooth, None), scale * once)


def test_detail_brings_back_lines_and_little_noise(made):
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (96, 96)).astype(np.float32)
    lines = np.zeros_like(noise)
    lines[:, 40:44:2] = 6
    result = replace(made, source=lines + noise, image=np.zeros_like(noise), channel_axis=None)
    detail = result.removed_detail
    assert np.mean((detail - lines) ** 2) < 0.25 * np.mean(lines**2)
    assert np.std(detail[:, :32]) < 0.3
    assert np.array_equal(result.blend(1, 1), detail.astype(np.float32))


def test_run_keeps_a_reference_to_its_input(made):
    noisy = np.random.default_rng(1).normal(size=(3, 12, 12)).astype(np.float32)
    result = zspot.run(noisy, RECIPE, channel_axis=0)
    assert result.source is noisy
    assert result.channel_axis == 0
    assert np.array_equal(result.blend(0), noisy)
    with pytest.raises(zspot.OptionError, match="strength"):
        result.blend(1.5)
    with pytest.raises(zspot.OptionError, match="keep_detail"):
        result.blend(1, float("nan"))
    with pytest.raises(ValueError, match="input"):
        replace(made, source=None).blend(0.5)


def blurred(image: np.ndarray) -> np.ndarray:
    wide = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge")
    rows = sum(wide[i : i + len(image)] for i in range(5)) / 5
    return sum(rows[:, i : i + image.shape[1]] for i in range(5)) / 5


@pytest.mark.parametrize("white", [True, False])
def test_the_truth_is_trusted_and_a_blur_is_not(white):
    clean = skimage.data.astronaut()[60:252, 120:312].astype(np.float32) / 255
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, clean.shape) if white else correlated(clean.shape, 0.1, 0)
    noisy = (clean + noise).astype(np.float32)
    good = assess_images(noisy, clean, channel_axis=-1)
    assert good.verdict == "good", good
    assert abs(good.correlation - (0 if white else 0.65)) < 0.1
    assert abs(good.removed_level - 0.1) < 0.01
    flat = assess_images(noisy, np.full_like(noisy, noisy.mean()), channel_axis=-1)
    assert flat.verdict == "poor", flat
    worse = assess_images(noisy, blurred(noisy).astype(np.float32), channel_axis=-1)
    assert worse.verdict == "poor", worse
    assert worse.structure > good.structure + 0.3
    less = (noisy + 0.2 * (clean - noisy)).astype(np.float32)
    assert "Partly removed" in assess_images(noisy, less, channel_axis=-1).sentence


def test_trust_does_not_depend_on_the_intensity_scale(clean):
    noisy = clean + correlated(clean.shape, 0.1, 0)
    one = assess_images(noisy, clean, channel_axis=-1)
    other = assess_images(100 + 50 * noisy, 100 + 50 * clean, channel_axis=-1)
    assert one.verdict == other.verdict
    assert one.structure == pytest.approx(other.structure, abs=1e-2)
    assert 50 * one.removed_level == pytest.approx(other.removed_level, rel=1e-3)


def test_trust_of_a_run(made):
    found = assess(made)
    assert found.verdict in {"good", "check", "poor", "unknown"}
    assert "Nothing was removed" in assess(replace(made, image=made.source)).sentence
    constant = zspot.run(np.ones((32, 32)))
    assert assess(constant).verdict == "unknown"
    with pytest.raises(ValueError, match="input"):
        assess(replace(made, source=None))


def test_kept_detail_improves_an_image_that_lost_it(clean):
    noisy = (clean + correlated(clean.shape, 0.02, 0)).astype(np.float32)
    smooth = blurred(noisy).astype(np.float32)
    back = smooth + removed_detail(noisy, smooth, -1)
    assert psnr(clean, back) > psnr(clean, smooth) + 1


SPOILT = {
    "smooth": lambda noisy, clean: gaussian_filter(clean, (6, 6, 0)[: clean.ndim]),
    "kept": lambda noisy, clean: 0.85 * noisy + 0.15 * clean,
    "brighter": lambda noisy, clean: clean + 0.05,
    "invented": lambda noisy, clean: clean + 0.1 * stripes(clean.shape),
}


def stripes(shape: tuple[int, ...]) -> np.ndarray:
    drawn = gaussian_filter(np.random.default_rng(7).normal(size=shape[:2]), (1, 6))
    return (drawn / drawn.std()).reshape(*shape[:2], *[1] * (len(shape) - 2))


@pytest.mark.parametrize("dtype", ["float32", "uint8", "uint16"])
@pytest.mark.parametrize("kind", ["", *SPOILT])
@pytest.mark.parametrize("name", ["coffee", "coins"])
def test_only_a_good_result_is_called_good_at_every_dtype(name, kind, dtype):
    image = {"coffee": skimage.data.coffee, "coins": skimage.data.coins}[name]()
    clean = image[100:292, 150:342] / 255
    noisy = clean + np.random.default_rng(1).normal(0, 0.1, clean.shape)
    result = SPOILT[kind](noisy, clean) if kind else clean
    if dtype != "float32":
        scale, offset, kind_of = (255, 0, np.uint8) if dtype == "uint8" else (1530, 100, np.uint16)
        noisy, result = (
            np.rint(x.clip(0, 1) * scale + offset).astype(kind_of) for x in (noisy, result)
        )
    axis = -1 if clean.ndim == 3 else None
    said = assess_images(noisy, result, channel_axis=axis).verdict
    assert (said == "good") == (kind == "")
