"""The contracts of every registered method, through the public path."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zspot
from tests.images import tiny
from zspot.algorithms import METHODS, mash, refill, score_dvi
from zspot.recipe import BlindSpot, Fit, Recipe, UNet

NAMES = list(METHODS)


@pytest.fixture(autouse=True)
def _small_fits(monkeypatch):
    """Some methods are not a recipe but fits that depend on the image: make each of them small."""
    small = (UNet(4, 1, 0.0), Fit(4, 2e-3, "one-cycle"))
    monkeypatch.setitem(mash._EFFORTS, "fast", small)
    small = (BlindSpot(4, 1), Fit(4, 3e-3, "one-cycle", stride=2))
    monkeypatch.setitem(refill._EFFORTS, "fast", small)  # auto-scratch fits it
    small = {"steps": 4, "components": 1, "samples": 1, "width": 4}
    monkeypatch.setitem(score_dvi._EFFORTS, "fast", small)


def quick(name: str) -> str | Recipe:
    """A method at the smallest budget at which it still does all of its work once."""
    made = METHODS[name].make("fast")
    if not isinstance(made, Recipe):
        return name
    return tiny(replace(made, network=replace(made.network, width=4)))


def run(name: str, image: np.ndarray, **options) -> zspot.Result:
    """Run a method small, with a second image of the same scene for those that need one."""
    if name == "bm3d":
        pytest.importorskip("bm3d", reason="the extra bm3d is not installed")
    if METHODS[name].needs_second:
        options["second"] = image.copy()
    effort = {} if isinstance(quick(name), Recipe) else {"effort": "fast"}
    return zspot.run(image, quick(name), **effort, **options)


def picture(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0.2, 0.8, shape[0])[:, None]
    unit = np.clip(ramp + 0.1 * rng.standard_normal(shape[:2]), 0, 1)
    if len(shape) == 3:
        unit = unit[..., None] * np.linspace(1, 0.5, shape[2])
    kind = np.dtype(dtype)
    top = np.iinfo(kind).max if kind.kind in "ui" else 3.0
    return (unit * top).astype(kind)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12)
@given(data=st.data())
def test_shape_dtype_and_input_are_kept(name, data):
    dtype = data.draw(
        st.sampled_from(["uint8", "uint16", "int16", "uint32", "float16", "float32", "float64"])
    )
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    channels = data.draw(st.sampled_from([None, 1, 2, 3, 4]))
    shape = (height, width) if channels is None else (height, width, channels)
    image = picture(shape, dtype)
    before = image.copy()
    image.setflags(write=False)
    result = run(name, image, channel_axis=None if channels is None else -1)
    assert result.image.shape == image.shape
    assert result.image.dtype == image.dtype
    assert np.isfinite(result.image.astype(np.float64)).all()
    assert np.array_equal(image, before)
    assert not np.shares_memory(result.image, image)
    if result.uncertainty is not None:
        assert result.uncertainty.shape == image.shape
        assert (result.uncertainty >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_bytes_and_other_seed_other_bytes(name):
    image = picture((33, 47, 3), "float32")
    first, again, other = (run(name, image, channel_axis=-1, seed=s) for s in (5, 5, 6))
    if name == "bm3d":  # the package itself differs in the last bits from run to run
        np.testing.assert_allclose(first.image, again.image, rtol=1e-5)
    else:
        assert first.image.tobytes() == again.image.tobytes()
    if first.losses:  # a run that fitted nothing has nothing random about it
        assert first.image.tobytes() != other.image.tobytes()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("gain", "shift"), [(1000.0, 0.0), (1.0, 50.0), (1e-4, -3e-3)])
def test_scaling_and_shifting_intensities_scales_and_shifts_the_result(name, gain, shift):
    image = picture((40, 36, 3), "float64")
    plain = run(name, image, channel_axis=-1).image
    moved = run(name, image * gain + shift, channel_axis=-1).image
    np.testing.assert_allclose((moved - shift) / gain, plain, atol=2e-3 * image.std())


@pytest.mark.parametrize("name", NAMES)
def test_channel_axis_may_stand_anywhere(name):
    image = picture((30, 34, 3), "uint8")
    last = run(name, image, channel_axis=-1).image
    first = run(name, np.moveaxis(image, -1, 0), channel_axis=0).image
    assert np.array_equal(np.moveaxis(first, 0, -1), last)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, 7, 255], ids=["black", "dark", "saturated"])
def test_constant_images_come_back_unchanged(name, value):
    image = np.full((20, 20), value, np.uint8)
    result = run(name, image)
    assert np.array_equal(result.image, image)
    assert "nothing varies" in result.reason


@pytest.mark.parametrize("name", NAMES)
def test_a_constant_channel_among_others_stays_as_it_is(name):
    image = picture((24, 24, 3), "float32")
    image[..., 1] = 0.1
    out = run(name, image, channel_axis=-1).image
    assert np.array_equal(out[..., 1], image[..., 1])
    assert not np.array_equal(out[..., 0], image[..., 0])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("float64", -1e300, 1e300), ("float16", -65000, 65000), ("uint32", 0, 2**32 - 1)],
)
def test_extreme_ranges_stay_finite(name, dtype, low, high):
    rng = np.random.default_rng(1)
    image = np.where(rng.random((20, 20)) < 0.5, low, high).astype(dtype)
    out = run(name, image).image
    assert out.dtype == image.dtype
    assert np.isfinite(out.astype(np.float64)).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((0, 5)), "empty"),
        (np.zeros((9, 9, 3)), "channel_axis=-1"),
        (np.zeros((9, 9), complex), "dtype"),
        (np.zeros((9, 9), bool), "dtype"),
    ],
)
def test_bad_input_is_one_clear_line(name, image, says):
    with pytest.raises(zspot.ImageError) as caught:
        run(name, image)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_every_method_has_its_citation_and_three_efforts(name):
    method = zspot.methods()[name]
    assert method.name == name
    assert any(year in method.citation for year in map(str, range(2005, 2027)))
    for effort in ("fast", "balanced", "best"):
        assert method.make(effort) is not None


@pytest.mark.parametrize("name", NAMES)
def test_progress_counts_up_to_the_end_and_can_stop_the_run(name):
    seen = []
    run(name, picture((16, 16), "uint8"), progress=seen.append)
    assert seen[0].done == 0
    assert seen[-1].done == pytest.approx(seen[-1].total)
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert seen[-1].seconds_left == pytest.approx(0)

    class StopError(Exception):
        pass

    def stop(progress):
        if progress.done:
            raise StopError

    with pytest.raises(StopError):
        run(name, picture((16, 16), "uint8"), progress=stop)


@pytest.mark.parametrize(
    ("function", "known", "foreign"),
    [
        (zspot.denoise, "keep_outliers", "after"),
        (zspot.run, "after", "threads"),
        (zspot.denoise_file, "share_fit", "threads"),
        (zspot.denoise_many, "threads", "second"),
    ],
)
def test_options_are_listed_and_others_refused(function, known, foreign):
    listed = inspect.signature(function).parameters
    assert listed["effort"].default == "balanced"
    assert known in listed
    assert foreign not in listed
    with pytest.raises(TypeError, match=rf"{function.__name__}\(\) .*{foreign}"):
        function("a", "b", **{foreign: None})
