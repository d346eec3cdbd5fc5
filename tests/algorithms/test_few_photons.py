"""Images whose photons are counted one by one: their noise is known, and bins are denoised."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter

import zspot
from benchmarks.photons import scene
from zspot.algorithms.few_photons import in_bins
from zspot.engine import Denoised
from zspot.filters.impulses import without_impulses
from zspot.filters.photons import photon_gain

SEEN = "Single photons are seen"


def told(image: np.ndarray) -> bool:
    return any(SEEN in note for note in zspot.analyze_noise(image).notes)


@pytest.mark.parametrize("photons", [0.01, 0.1, 1.0])
@pytest.mark.parametrize(("unit", "black"), [(1, 0), (257, 0), (3, 100), (0.37, -5.0)])
def test_the_noise_of_counts_is_that_of_photons(photons, unit, black):
    mean, counts = scene("micrograph", photons)
    image = counts * unit + black
    report = zspot.analyze_noise(image.astype(np.float32 if unit < 1 else np.uint16))
    assert report.level[0] == pytest.approx(unit * np.sqrt(counts.mean()), rel=1e-3)
    assert report.level[0] == pytest.approx(unit * (counts - mean).std(), rel=0.1)
    assert report.gain[0] == pytest.approx(unit, rel=1e-3)
    assert report.black[0] == pytest.approx(black, abs=1e-3 * unit)
    assert (report.read_noise[0], report.lag_one, report.clipped_low[0]) == (0, 0, 0)
    assert report.grows
    assert told(image)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.02, 3), st.sampled_from([1, 5, 257]))
def test_counts_of_any_smooth_picture_are_known(seed, photons, unit):
    rng = np.random.default_rng(seed)
    picture = gaussian_filter(rng.standard_normal((128, 128)), rng.uniform(3, 12))
    mean = (picture - picture.min()) ** rng.uniform(1, 3)
    counts = rng.poisson(mean * photons / mean.mean())
    if (counts == 0).mean() > 0.1:
        assert photon_gain(unit * counts) == unit


def pulses(photons: np.ndarray, rng: np.random.Generator, shape: float = 1.0) -> np.ndarray:
    """Give each photon a pulse of 40 levels on average, of a random height."""
    return rng.gamma(np.maximum(shape * photons, 1e-9), 40 / shape) * (photons > 0)


@pytest.mark.parametrize("photons", [0.03, 0.1, 1.0])
@pytest.mark.parametrize("shape", [1.0, 4.0])
@pytest.mark.parametrize("rounded", [False, True])
def test_pulses_of_a_photomultiplier_are_single_photons(photons, shape, rounded):
    mean, counts = scene("layers", photons)
    image = pulses(counts, np.random.default_rng(1), shape)
    image = np.rint(image) if rounded else image
    gain = 40 * (1 + 1 / shape)  # mean square over mean of a pulse
    assert photon_gain(image) == pytest.approx(gain, rel=0.15)
    report = zspot.analyze_noise(image)
    assert report.level[0] == pytest.approx((image - 40 * mean).std(), rel=0.1)
    assert without_impulses(image[None])[2] == 0  # no pulse is an outlier


@pytest.mark.parametrize("method", ["auto", "auto-scratch"])
@pytest.mark.parametrize("photons", [0.03, 0.3])
def test_pulses_come_out_clean_and_as_bright(method, photons):
    mean, counts = scene("layers", photons)
    image = pulses(counts, np.random.default_rng(1)).astype(np.float32)
    result = zspot.run(image, method, effort="fast").image
    noise, error = (np.square(x - 40 * mean).mean(dtype=np.float64) for x in (image, result))
    assert 10 * np.log10(noise / error) > 20
    assert result.mean() == pytest.approx(image.mean(), rel=0.01)


def test_hot_pixels_among_single_photons_are_still_repaired():
    counts = np.random.default_rng(0).poisson(1.0, (128, 128)).astype(np.float32)
    counts[40, 40] = 4000
    mended, _, number = without_impulses(counts[None])
    assert (number, mended.max() < 20) == (1, True)


def not_counts(kind: str, rng: np.random.Generator) -> np.ndarray:
    picture = gaussian_filter(rng.standard_normal((192, 192)), 8)
    picture = (picture - picture.min()) / np.ptp(picture)
    if kind == "cut off at black":
        return np.clip(np.rint(120 * picture - 40 + rng.normal(0, 6, picture.shape)), 0, 255)
    if kind == "half is on":
        return 255.0 * (rng.random(picture.shape) < picture)
    if kind == "labels":
        return np.rint(5 * picture * (picture > 0.4))
    if kind == "resampled":
        return np.rint(gaussian_filter(20.0 * rng.poisson(2 * picture), 0.6))
    if kind == "doubled in size":
        return rng.poisson(picture).repeat(2, 0).repeat(2, 1)
    blurred = gaussian_filter(pulses(rng.poisson(picture), rng), 1)
    return np.maximum(np.rint(blurred - 10), 0)


KINDS = ["cut off at black", "half is on", "labels", "resampled", "doubled in size", "blurred"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_other_images_with_much_black_are_not_taken_for_counts(kind, seed):
    assert not told(not_counts(kind, np.random.default_rng(seed)).astype(np.uint16))


@pytest.mark.parametrize("method", ["auto", "auto-scratch"])
@pytest.mark.parametrize(
    ("picture", "photons", "gain"),
    [
        ("micrograph", 1.0, 8.5),
        ("micrograph", 0.1, 12),
        ("micrograph", 0.01, 19),
        ("layers", 0.3, 18),
        ("page", 0.03, 25),
        ("photograph", 0.03, 21),  # colours
    ],
)
def test_pictures_of_few_photons_come_out_clean_and_as_bright(method, picture, photons, gain):
    mean, counts = scene(picture, photons)
    axis = -1 if mean.ndim == 3 else None
    result = zspot.run(counts, method, channel_axis=axis, effort="fast")
    noise, error = (np.square(x - mean).mean(dtype=np.float64) for x in (counts, result.image))
    assert 10 * np.log10(noise / error) > gain
    assert result.image.mean() == pytest.approx(counts.mean(), rel=0.02)
    few = counts.mean() < {"auto": 0.4, "auto-scratch": 1.0}[method]
    assert any("bins of" in one for one in result.told) == few
    assert result.image.min() > -1e-6


def test_counts_keep_their_size_and_say_what_is_done():
    rng = np.random.default_rng(1)
    counts = rng.poisson(0.05, (101, 134)).astype(np.uint8)
    result = zspot.run(counts, effort="fast", dtype="float32")
    assert result.image.shape == counts.shape
    assert "a pixel has 0.05" in result.reason
    assert result.image.std() < 0.03  # of 0.22 in the counts


@settings(max_examples=40, deadline=None)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 3), *2 * [st.integers(8, 40)]),
        elements=st.floats(0, 9, width=16),
    ),
    st.integers(2, 6),
)
def test_bins_lose_no_photon(values, side):
    plane = torch.from_numpy(values)
    if plane.std() < 0.1 or (plane.mean((1, 2)) == plane.amin((1, 2))).any():
        return

    def same(bins: torch.Tensor, **_) -> Denoised:
        return Denoised(bins, deviation=torch.ones_like(bins))

    done = in_bins(same, plane, side)
    assert done.mean.shape == done.deviation.shape == plane.shape
    assert torch.allclose(done.mean.mean((1, 2)), plane.mean((1, 2)), rtol=1e-3, atol=1e-3)
    assert (done.mean >= plane.amin((1, 2), keepdim=True) - 1e-5).all()


@pytest.mark.parametrize("photons", [0.3, 0.1, 0.03])
def test_neighbouring_planes_of_few_photons_help(photons):
    mean, _ = scene("layers", photons)
    mean = mean[:160, :160]
    stack = np.random.default_rng(2).poisson([mean] * 5).astype(np.float32)
    mask = np.ones(mean.shape, bool)
    mask[:32] = False
    alone, helped, masked = (
        zspot.run(stack, axes="ZYX", effort="fast", **how).image[2]
        for how in ({}, {"neighbours": 2}, {"neighbours": 2, "mask": mask})
    )
    assert np.square(helped - mean).mean() < np.square(alone - mean).mean()
    assert helped.mean() == pytest.approx(mean.mean(), rel=0.05)
    assert np.square(masked - mean)[mask].mean() < np.square(alone - mean)[mask].mean()
    assert np.array_equal(masked[~mask], stack[2][~mask])


@pytest.mark.parametrize("photons", [0.05, 0.003, 0.0005])
def test_the_last_photons_are_not_rounded_away(photons):
    counts = np.random.default_rng(0).poisson(photons, (256, 256)).astype(np.uint16)
    with pytest.raises(zspot.ZspotError, match="--dtype float32"):
        zspot.run(counts, effort="fast")
    result = zspot.run(counts, effort="fast", dtype="float32")
    assert result.image.mean() == pytest.approx(counts.mean(), rel=1e-3)
