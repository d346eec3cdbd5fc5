"""Stacks of any axes, and planes that help each other: gain where they agree, no harm elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import shift

import zspot
from tests.images import psnr
from zspot.core.errors import ImageError, OptionError
from zspot.io import ImageFile, read, write
from zspot.recipe import Fit, Predict, Recipe, UNet

SIDE, SIGMA = 96, 0.1
QUICK = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(1), predict=Predict(1))


def scene(seed: int = 0) -> np.ndarray:
    """Blobs, bars and fine texture, (H, W) in [0, 1], larger than what is cut from it."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((SIDE + 40, SIDE + 40))
    out = 0.4 + 0.1 * np.sin(rows / 3.0) * (columns > SIDE / 2)
    for _ in range(25):
        y, x, r = *rng.uniform(0, SIDE + 40, 2).tolist(), rng.uniform(3, 12)
        out[(rows - y) ** 2 + (columns - x) ** 2 < r**2] += rng.uniform(-0.3, 0.3)
    return np.clip(out, 0.05, 0.95)


def cut(picture: np.ndarray) -> np.ndarray:
    return picture[20 : 20 + SIDE, 20 : 20 + SIDE]


def noisy(planes: list[np.ndarray], sigma: float = SIGMA) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.stack([p + rng.normal(0, sigma, p.shape) for p in planes]).astype(np.float32)


def gain(planes: list[np.ndarray]) -> float:
    """By how much the middle plane is better with two planes to each side than alone."""
    stack, middle = noisy(planes), len(planes) // 2
    alone = zspot.denoise(stack[middle], effort="fast")
    helped = zspot.denoise(stack, axes="TYX", neighbours=2, effort="fast")[middle]
    return psnr(planes[middle], helped) - psnr(planes[middle], alone)


def test_planes_that_show_the_same_are_worth_more_than_a_better_method():
    assert gain([cut(scene())] * 5) > 2.5


@pytest.mark.parametrize("step", [0.4, 3.0])
def test_what_moves_is_followed(step):
    moved = [shift(scene(), (step * at, -step * at), order=3) for at in range(-2, 3)]
    assert gain([cut(p) for p in moved]) > 1.0


@pytest.mark.parametrize("step", [0.0, 1.0])
def test_noise_that_stays_in_its_place_does_no_harm_and_is_told(step):
    moved = [cut(shift(scene(), (step * at, step * at), order=3)) for at in range(-2, 3)]
    fixed = np.random.default_rng(5).normal(0, 0.95 * SIGMA, moved[0].shape)
    stack = (noisy(moved, 0.3 * SIGMA) + fixed).astype(np.float32)
    alone = zspot.denoise(stack[2], effort="fast")
    result = zspot.run(stack, axes="TYX", neighbours=2, effort="fast")
    assert psnr(moved[2], result.image[2]) > psnr(moved[2], alone) - 0.05
    assert step or "of the noise repeats from plane to plane" in result.told[-1]


def test_a_picture_of_its_own_is_no_worse_than_alone():
    seed = 5
    other, own = cut(scene(seed))[::-1], cut(scene())
    assert gain([other, other, own, other, other]) > -0.05
    texture = np.random.default_rng(seed).uniform(0, 1, own.shape)  # in which nothing is found
    stack = noisy([texture, own, texture])
    helped = zspot.run(stack, axes="TYX", neighbours=1, effort="fast")
    assert np.array_equal(helped.image[1], zspot.denoise(stack[1], effort="fast"))


def test_what_blinks_stays_and_flicker_is_not_smoothed_away():
    own = cut(scene())
    lit = own.copy()
    lit[40:46, 40:46] += 0.4
    brightness = [1.0, 0.9, 1.0, 1.1, 1.0]
    stack = noisy([b * p for b, p in zip(brightness, [own, own, lit, own, own], strict=True)])
    alone = np.stack([zspot.denoise(plane, effort="fast") for plane in stack])
    helped = zspot.denoise(stack, axes="ZYX", neighbours=2, effort="fast")
    spot = np.s_[2, 41:45, 41:45]
    assert abs(helped[spot].mean() - lit[41:45, 41:45].mean()) < 0.05
    assert abs(helped[1, 40:46, 40:46].mean() - 0.9 * own[40:46, 40:46].mean()) < 0.05  # no ghost
    assert np.abs(helped.mean((1, 2)) - alone.mean((1, 2))).max() < 0.002


@settings(max_examples=6, deadline=None)
@given(
    letters=st.permutations("TZYX").filter(lambda found: found.index("Y") < found.index("X")),
    colours=st.booleans(),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    neighbours=st.sampled_from([0, 1, "auto"]),
)
def test_any_order_of_axes_gives_the_same_planes(letters, colours, dtype, neighbours):
    axes = "".join(letters) + ("S" if colours else "")
    sizes = {"T": 3, "Z": 2, "Y": 17, "X": 21, "S": 3}
    usual = "TZYX" + ("S" if colours else "")
    data = np.random.default_rng(2).integers(0, 200, [sizes[x] for x in usual]).astype(dtype)
    turned = np.ascontiguousarray(data.transpose([usual.index(x) for x in axes]))
    out = zspot.denoise(turned, QUICK, axes=axes, neighbours=neighbours)
    straight = zspot.denoise(data, QUICK, axes=usual, neighbours=neighbours)
    assert out.dtype == dtype
    assert np.array_equal(out.transpose([axes.index(x) for x in usual]), straight)
    if neighbours == 0:
        plane = zspot.denoise(data[1, 1], QUICK, channel_axis=-1 if colours else None)
        assert np.array_equal(straight[1, 1], plane)


def test_all_kinds_of_arrays_give_the_same_and_lazy_ones_stay_lazy():
    dask = pytest.importorskip("dask.array")
    xarray = pytest.importorskip("xarray")
    stack = noisy([cut(scene())[:40, :40]] * 20)
    expected = zspot.denoise(stack, QUICK, axes="TYX", neighbours=1)
    lazy = zspot.denoise(dask.from_array(stack, (3, 20, 20)), QUICK, axes="TYX", neighbours=1)
    assert isinstance(lazy, dask.Array)
    assert np.array_equal(lazy.compute(), expected)
    named = xarray.DataArray(stack, dims=("time", "y", "x"), name="cells")
    out = zspot.denoise(named, QUICK, neighbours=1)
    assert (out.name, out.dims) == ("cells", named.dims)
    assert np.array_equal(out, expected)
    tensor = zspot.denoise(torch.from_numpy(stack), QUICK, axes="TYX", neighbours=1)
    assert np.array_equal(tensor.numpy(), expected)


def test_of_the_names_of_axes_s_alone_means_colours():
    xarray = pytest.importorskip("xarray")
    slices = noisy([cut(scene())[:40, :40]] * 3)
    apart = np.stack([zspot.denoise(plane, QUICK) for plane in slices])
    together = zspot.denoise(slices, QUICK, channel_axis=0)
    assert not np.array_equal(apart, together)
    for dim, expected in (("slice", apart), ("series", apart), ("s", together), ("S", together)):
        named = xarray.DataArray(slices, dims=(dim, "y", "x"))
        assert np.array_equal(zspot.denoise(named, QUICK), expected), dim


@pytest.mark.parametrize("keep", [False, True])
def test_outliers_stay_or_go_as_without_neighbours(keep, tmp_path):
    stack = noisy([cut(scene())] * 3, 0.02)
    hot = [(0, 30, 40), (1, 50, 60), (1, 51, 20), (2, 50, 60)]
    for place in hot:
        stack[place] = 1.8
    options = {"effort": "fast", "keep_outliers": keep}
    alone = np.stack([zspot.denoise(plane, **options) for plane in stack])
    helped = zspot.denoise(stack, axes="TYX", neighbours=1, **options)
    write(tmp_path / "a.tif", ImageFile(stack, "ZYX"))
    target = tmp_path / "b.tif"
    zspot.denoise_file(tmp_path / "a.tif", target, neighbours=1, **options)
    assert np.array_equal(read(target).data, helped)
    assert not np.array_equal(helped, alone)
    for place in hot:
        assert (helped[place] > 1.2) == (alone[place] > 1.2) == keep
        assert not keep or helped[place] == alone[place]
    assert abs(helped[1, 30, 40] - cut(scene())[30, 40]) < 0.1  # what is hot beside it is not there


def test_pixels_without_picture_come_back_bit_for_bit_and_help_nobody():
    stack = noisy([cut(scene())] * 3)
    stack[1, :20] = np.nan
    stack[0, 50:60, 50:60] = np.nan
    out = zspot.denoise(stack, axes="TYX", neighbours=1, effort="fast")
    assert np.array_equal(np.isnan(out), np.isnan(stack))
    clean = cut(scene())[50:60, 50:60]
    assert np.sqrt(np.mean((out[1, 50:60, 50:60] - clean) ** 2)) < SIGMA / 2


@pytest.mark.parametrize(("hole", "neighbours"), [(np.inf, 0), (np.nan, 1), (-9999.0, 1)])
def test_what_is_no_picture_counts_in_nothing_that_is_said_of_a_stack(hole, neighbours, tmp_path):
    stack = noisy([cut(scene())[:64, :64]] * 3)
    stack[:, 10:30, 10:30] = hole
    stack[2] = hole  # a plane without any picture
    options = {"effort": "fast", "neighbours": neighbours, "nodata": -9999.0}
    result = zspot.run(stack, axes="TYX", **options)
    left_out = np.broadcast_to(~np.isfinite(stack) | (stack == -9999), stack.shape)
    assert result.image[left_out].tobytes() == stack[left_out].tobytes()
    assert np.array_equal(~result.valid, left_out)
    assert not result.removed[left_out].any()
    assert 0.6 * SIGMA < result.trust.noise_level < 1.5 * SIGMA
    shown = np.asarray(result.plot().convert("L"))[20:400, :380]
    assert shown.std() > 20  # the scale is that of the picture
    write(tmp_path / "a.tif", ImageFile(stack, "TYX"))
    zspot.denoise_file(tmp_path / "a.tif", tmp_path / "b.tif", axes="TYX", **options)
    assert read(tmp_path / "b.tif").data.tobytes() == result.image.tobytes()


def test_a_result_of_a_stack_tells_what_helped_and_saves_all_of_it(tmp_path):
    stack = noisy([cut(scene())] * 3)
    result = zspot.run(stack, axes="ZYX", neighbours=1, effort="fast")
    assert "neighbouring planes helped" in result.told[-1]
    assert result.image.shape == result.source.shape == stack.shape
    assert result.blend(0.0).tobytes() == stack.tobytes()
    assert result.blend(1.0, 0.5).shape == stack.shape
    assert "3 x 96 x 96" in repr(result)
    assert result.plot().width > 100
    result.save(tmp_path / "out.tif")
    assert np.array_equal(zspot.io.read(tmp_path / "out.tif").data, result.image)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({}, ImageError, r'axes="ZYX"'),
        ({"axes": "ZYXS"}, OptionError, "3 axes, of sizes 3 x 20 x 20"),
        ({"axes": "ZZX"}, OptionError, "give each axis a letter"),
        ({"neighbours": 1}, OptionError, "name its axes"),
        ({"axes": "ZYX", "neighbours": 17}, OptionError, "from 0 to 16"),
        ({"axes": "ZYX", "neighbours": "many"}, OptionError, "from 0 to 16"),
        ({"axes": "ZYX", "channel_axis": 0}, OptionError, "leave out channel_axis"),
        ({"axes": "ZYX", "neighbours": 1, "second": np.ones((3, 20, 20))}, OptionError, "second"),
    ],
)
def test_what_cannot_be_meant_is_one_line(options, error, says):
    method = "n2n" if "second" in options else "auto"
    with pytest.raises(error, match=says) as raised:
        zspot.denoise(np.ones((3, 20, 20)), method, **options)
    assert "\n" not in str(raised.value)
