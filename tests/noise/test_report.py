import dataclasses
import io
import json
import re
import subprocess
import sys

import imageio.v3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage import data

from zspot.core.errors import ImageError
from zspot.noise import analyze_noise, plot_noise
from zspot.noise.blocks import MAX_LAG

FLAT = np.full((128, 160), 100.0)


@pytest.fixture(scope="module")
def photograph():
    return data.chelsea()[:256, :256].astype(float)


def noisy(clean, sigma, seed=0):
    return clean + np.random.default_rng(seed).normal(0, sigma, clean.shape)


def lag(report, k):
    a = report.autocorrelation
    return (a[MAX_LAG, MAX_LAG + k] + a[MAX_LAG + k, MAX_LAG]) / 2


@pytest.mark.parametrize("sigma", [0.01, 5.0, 1000.0])
def test_flat_white_noise(sigma):
    report = analyze_noise(noisy(FLAT, sigma))
    assert report.level[0] == pytest.approx(sigma, rel=0.06)
    assert abs(report.level[0] - sigma) < 4 * report.level_uncertainty[0]
    assert report.is_white
    assert report.correlation_length == 0


@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_white_noise_on_a_photograph(photograph, sigma):
    report = analyze_noise(noisy(photograph, sigma), channel_axis=-1)
    np.testing.assert_allclose(report.level, sigma, rtol=0.15)
    assert report.is_white
    assert np.abs(report.channel_correlation - np.eye(3)).max() < 0.25


@pytest.mark.parametrize("start", [(0, 0, "grass"), (300, 300, "grass"), (300, 300, "gravel")])
def test_white_noise_on_a_small_texture_stays_white_and_correlated_noise_does_not(start):
    row, column, name = start
    clean = getattr(data, name)()[row : row + 128, column : column + 128].astype(float)
    assert analyze_noise(noisy(clean, 25)).is_white
    noise = gaussian_filter(np.random.default_rng(0).normal(size=clean.shape), 0.7)
    assert not analyze_noise(clean + 25 * noise / noise.std()).is_white


def test_clean_textures_are_not_noise():
    for picture, axis in ((data.astronaut(), -1), (data.chelsea(), -1), (data.camera(), None)):
        report = analyze_noise(picture, channel_axis=axis)
        assert (report.level_fraction < 0.015).all()
        assert (report.level < 0.06 * picture.std()).all()


def test_filtered_noise(photograph):
    noise = gaussian_filter(np.random.default_rng(0).normal(size=photograph.shape), (0.7, 0.7, 0))
    noise *= 12 / noise.std()
    report = analyze_noise(photograph + noise, channel_axis=-1)
    np.testing.assert_allclose(report.level, 12, rtol=0.15)
    true = (noise[1:] * noise[:-1]).mean() / (noise**2).mean()
    assert lag(report, 1) == pytest.approx(true, abs=0.1)
    assert report.correlation_length in (1, 2)
    assert not report.is_white
    np.testing.assert_array_equal(report.autocorrelation, report.autocorrelation[::-1, ::-1])


def test_direction_of_correlation():
    noise = gaussian_filter(np.random.default_rng(0).normal(size=(256, 256)), (0, 1.0))
    a = analyze_noise(noise).autocorrelation
    assert a[MAX_LAG, MAX_LAG + 1] > 0.65
    assert abs(a[MAX_LAG + 1, MAX_LAG]) < 0.1


def test_channel_correlation(photograph):
    rng = np.random.default_rng(0)
    mix = np.array([[1, 0.0, 0], [0.8, 0.6, 0], [0, 0, 1]])
    report = analyze_noise(
        photograph + 15 * rng.normal(size=photograph.shape) @ mix.T, channel_axis=-1
    )
    expected = [[1, 0.8, 0], [0.8, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(report.channel_correlation, expected, atol=0.2)


def test_poisson_gaussian():
    ramp = np.repeat(np.linspace(10, 200, 384)[None], 256, axis=0)
    rng = np.random.default_rng(0)
    report = analyze_noise(rng.poisson(ramp / 2) * 2 + rng.normal(0, 3, ramp.shape))
    assert report.gain[0] == pytest.approx(2, rel=0.15)
    at_black = np.sqrt(max(0, 9 + 2 * report.black[0]))
    assert report.read_noise[0] == pytest.approx(at_black, abs=4)
    assert "grows with brightness" in report.summary()
    assert (np.diff(report.variance[0]) > 0).mean() > 0.7


def test_clipping():
    ramp = np.repeat(np.linspace(-20, 275, 384)[None], 256, axis=0)
    image = np.clip(np.rint(noisy(ramp, 10)), 0, 255).astype(np.uint8)
    report = analyze_noise(image)
    assert report.clipped_low[0] == (image == 0).mean()
    assert report.clipped_high[0] == (image == 255).mean()
    assert report.level[0] == pytest.approx(10, rel=0.1)
    assert analyze_noise(noisy(FLAT, 1)).clipped_low[0] == 0


@settings(max_examples=8, deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_report_moves_with_the_image(scale, shift):
    image = noisy(np.tile(np.arange(64.0), (64, 1)), 4)
    one = analyze_noise(image)
    two = analyze_noise(scale * (image + shift))
    for name in ("level", "gain", "read_noise", "level_uncertainty"):
        np.testing.assert_allclose(
            getattr(two, name), scale * getattr(one, name), rtol=1e-2, atol=1e-3 * scale
        )
    np.testing.assert_allclose(two.black, scale * (one.black + shift), atol=1e-3 * scale)
    np.testing.assert_allclose(two.intensity, scale * (one.intensity + shift), atol=0.1 * scale)
    np.testing.assert_allclose(two.autocorrelation, one.autocorrelation, atol=1e-2)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "u8", "f2", "f4", "f8", ">f4"])
def test_dtypes(dtype):
    image = np.rint(noisy(FLAT, 10)).astype(dtype)
    before = image.copy()
    assert analyze_noise(image).level[0] == pytest.approx(10, rel=0.06)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 50), (7, 300), (8, 8), (8, 100), (9, 9), (17, 31), (40, 40), (700, 9)]
)
def test_any_size(shape):
    report = analyze_noise(noisy(np.zeros(shape), 1))
    assert np.isfinite(report.level).all()
    if min(shape) < 8 and max(shape) > 1:
        assert np.isinf(report.level_uncertainty).all()
        assert "Too small" in report.summary()
    json.dumps(report.to_dict(), allow_nan=False)


@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (64, 64), (2001, 2001)])
def test_constant(shape):
    report = analyze_noise(np.full(shape, 7.0))
    assert report.black[0] == 7
    assert not report.blockiness > 1
    assert report.level[0] == 0
    assert "nothing varies" in report.summary()


def test_constant_channel(photograph):
    image = noisy(photograph, 10)
    image[..., 1] = 3
    report = analyze_noise(image, channel_axis=-1)
    assert report.level[1] == 0
    assert (report.level[[0, 2]] > 5).all()
    assert report.channel_correlation[1].tolist() == [0, 1, 0]


def test_channel_axis(photograph):
    image = noisy(photograph, 10)
    last = analyze_noise(image, channel_axis=-1)
    first = analyze_noise(np.moveaxis(image, -1, 0), channel_axis=0)
    np.testing.assert_array_equal(last.level, first.level)


@pytest.mark.parametrize(
    ("image", "axis"),
    [
        (np.zeros((0, 4)), None),
        (np.zeros((4, 4, 3)), None),
        (np.zeros((4, 4), complex), None),
        (np.zeros((4, 4, 9)), -1),
    ],
)
def test_errors(image, axis):
    with pytest.raises(ImageError):
        analyze_noise(image, channel_axis=axis)


def test_deterministic_and_global_state_untouched():
    image = noisy(FLAT, 3)
    state = np.random.get_state()[1].copy()
    one, two = analyze_noise(image), analyze_noise(image)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    for field in dataclasses.fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name))


def test_large_image_is_subsampled():
    report = analyze_noise(noisy(np.zeros((1500, 2001)), 2))
    assert report.level[0] == pytest.approx(2, rel=0.05)


def test_long_strip_has_no_blocks_to_sample():
    report = analyze_noise(noisy(np.zeros((1_400_000, 3)), 2))
    assert report.level[0] == pytest.approx(2, rel=0.05)
    assert "Too small" in report.summary()


@pytest.mark.parametrize("name", ["camera", "coins", "moon", "brick"])
def test_texture_does_not_raise_the_level(name):
    picture = getattr(data, name)()[:256, :256].astype(float)
    report = analyze_noise(noisy(picture, 25))
    assert report.level[0] == pytest.approx(25, rel=0.06)
    assert abs(report.level[0] - 25) < 2 * report.level_uncertainty[0]


@pytest.mark.slow
def test_large_images_keep_what_small_ones_show():
    small = data.astronaut()
    large = np.tile(small, (5, 5, 1))
    large[0, 0, 0] = 255
    one, two = analyze_noise(small, channel_axis=-1), analyze_noise(large, channel_axis=-1)
    np.testing.assert_allclose(two.level, one.level, rtol=0.3)
    np.testing.assert_array_equal(two.black, small.min(axis=(0, 1)))
    np.testing.assert_allclose(two.clipped_low, (large == 0).mean(axis=(0, 1)), rtol=1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_large_image_in_any_layout(axis):
    image = np.moveaxis(noisy(np.zeros((1800, 2300, 2)), [1.0, 3.0]), -1, axis)
    report = analyze_noise(image, channel_axis=axis)
    np.testing.assert_allclose(report.level, [1, 3], rtol=0.05)


def test_step_between_values():
    image = np.rint(noisy(FLAT, 10))
    for scale, dtype in ((1, "u1"), (16, "u2"), (16, "i4"), (1 / 255, "f4"), (1e-3, "f8")):
        report = analyze_noise((image * scale).astype(dtype))
        assert report.quantum[0] == pytest.approx(scale, rel=1e-3)
    assert analyze_noise(noisy(FLAT, 10)).quantum[0] == 0
    assert analyze_noise(np.array([[-128, 127], [0, 1]], np.int8)).quantum[0] in (0, 1)
    assert "finer than the step" in analyze_noise(np.rint(noisy(FLAT + 0.3, 0.2))).summary()


def test_jpeg_blocks():
    buffer = io.BytesIO()
    picture = noisy(FLAT, 10).clip(0, 255).astype(np.uint8)
    imageio.v3.imwrite(buffer, picture, extension=".jpg", quality=30)
    packed = imageio.v3.imread(buffer.getvalue(), extension=".jpg")
    report = analyze_noise(packed[3:, 5:])
    assert report.blockiness > 1.5
    assert "JPEG" in report.summary()
    plain = analyze_noise(picture)
    assert plain.blockiness == pytest.approx(1, abs=0.1)
    assert "JPEG" not in plain.summary()
    assert np.isnan(analyze_noise(picture[:40, :40]).blockiness)


def test_summary_and_frozen():
    report = analyze_noise(noisy(FLAT, 5))
    assert report.summary().startswith("noise level ")
    assert "white" in report.summary()
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.level = None


@pytest.mark.parametrize("axis", [None, 0])
def test_picture(tmp_path, axis):
    image = noisy(FLAT if axis is None else np.stack([FLAT, FLAT]), 5)
    path = tmp_path / "noise.png"
    plot_noise(analyze_noise(image, channel_axis=axis), image, path, channel_axis=axis)
    assert path.stat().st_size > 10_000


def test_picture_without_matplotlib(tmp_path, monkeypatch):
    for name in [m for m in sys.modules if m.startswith("matplotlib")] + ["matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install .*matplotlib"):
        plot_noise(analyze_noise(FLAT), FLAT, tmp_path / "noise.png")


def test_import_loads_neither_torch_nor_matplotlib():
    names = "('torch', 'matplotlib')"
    code = f"import sys, zspot.noise; print([m for m in {names} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_neither_noise_nor_picture_is_told_and_left_out():
    rng = np.random.default_rng(0)
    rows, columns = np.indices((160, 192))
    clean = 100 + 30 * np.sin(rows / 17) * np.cos(columns / 23)
    image = (clean + rng.normal(0, 6, clean.shape)).astype(np.float32)
    alone = analyze_noise(image)
    spoilt = image.copy()
    spoilt[rng.random(image.shape) < 2e-3] = 60000
    spoilt = np.pad(spoilt, ((40, 0), (0, 0)), constant_values=np.nan)
    found = analyze_noise(spoilt)
    np.testing.assert_allclose(found.level, alone.level, rtol=0.05)
    assert any("left out" in note for note in found.notes)
    assert any("isolated outliers" in note for note in found.notes)
    offset = analyze_noise(image + rng.normal(0, 9, (160, 1)))
    assert any(note.startswith("Rows have offsets") for note in offset.notes)
    mosaic = image.copy()
    mosaic[::2, ::2] *= 0.5
    mosaic[1::2, 1::2] *= 0.6
    assert any("mosaic" in note for note in analyze_noise(mosaic).notes)
    assert not any("mosaic" in note or "Rows" in note for note in alone.notes)


@pytest.mark.parametrize(("scale", "words"), [(1, r"19\.\d ± 0\.\d"), (1000, r"19\d00 ± \d00 ")])
def test_the_summary_has_plain_numbers(scale, words):
    image = scale * np.random.default_rng(0).normal(100, 20, (128, 128))
    assert re.search(words, analyze_noise(image).summary())


def test_a_report_shows_itself():
    pytest.importorskip("matplotlib")
    report = analyze_noise(np.random.default_rng(0).normal(2000, 300, (64, 64)))
    shown = repr(report)
    assert shown.startswith(report.summary())
    assert len(shown.splitlines()) == 2
    assert "e+" not in shown
    axes = report.plot().axes
    assert "units" in axes[0].get_xlabel()
    assert "units" in axes[0].get_ylabel()
    assert any("correlation" in axis.get_ylabel() for axis in axes)  # the colour bar


@pytest.mark.parametrize("known", [{"mask": np.zeros((70, 80), bool)}, {"nodata": 7}, {}])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_an_image_without_any_picture_has_no_noise(known, channels):
    image = np.random.default_rng(0).normal(100, 10, (70, 80, *channels))
    if "mask" not in known:
        image[:] = known.get("nodata", np.nan)
    report = analyze_noise(image, channel_axis=-1 if channels else None, **known)
    assert not report.level.any()
    assert "nothing varies" in report.summary()
    assert any("left out: 100%" in note for note in report.notes)


@pytest.mark.parametrize("way", ["nodata", "mask", "NaN"])
def test_scattered_pixels_without_picture_do_not_count(way):
    rng = np.random.default_rng(5)
    rows = np.indices((128, 128))[0] / 128
    clean = 100 + 40 * rows
    image = (clean + rng.normal(0, 5, clean.shape)).astype(np.float32)
    bad = rng.uniform(size=image.shape) < 0.2
    image[bad] = np.nan if way == "NaN" else -9999
    options = {"nodata": {"nodata": -9999}, "mask": {"mask": ~bad}, "NaN": {}}[way]
    report = analyze_noise(image, **options)
    assert 4.5 < float(report.level[0]) < 5.5
    assert "without picture" in report.notes[0]
