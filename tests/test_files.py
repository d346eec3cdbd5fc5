"""Files through the whole program: same kind of file, every plane denoised, alpha untouched."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

import zspot
from zspot.files import denoise_file
from zspot.recipe import Fit, Predict, Recipe, UNet

RECIPE = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(2), predict=Predict(2))


def noise(shape, dtype) -> np.ndarray:
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return rng.normal(5, 2, shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


@pytest.mark.parametrize(
    ("shape", "dtype", "axes", "channel_axis"),
    [
        ((20, 30), "uint8", "YX", None),
        ((20, 30), "float32", "YX", None),
        ((3, 20, 30), "uint16", "CYX", 0),
        ((2, 20, 30), "uint16", "ZYX", None),
        ((2, 3, 20, 30), "uint16", "ZCYX", 0),
        ((6, 16, 20), "float32", "CYX", None),
    ],
)
def test_every_plane_is_denoised_as_the_api_does(tmp_path, shape, dtype, axes, channel_axis):
    image = noise(shape, dtype)
    tifffile.imwrite(tmp_path / "a.ome.tif", image, metadata={"axes": axes})
    seen = []
    denoise_file(tmp_path / "a.ome.tif", tmp_path / "b.ome.tif", RECIPE, progress=seen.append)
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as tif:
        out = tif.series[0].asarray()
        assert tif.series[0].axes == axes
    assert out.shape == image.shape
    assert out.dtype == image.dtype
    planes = image.ndim - 2 - (channel_axis is not None)
    flat = image.reshape(-1, *shape[planes:])
    expected = [zspot.denoise(p, RECIPE, channel_axis=channel_axis) for p in flat]
    assert np.array_equal(out.reshape(flat.shape), np.stack(expected))
    assert seen[-1].done == pytest.approx(seen[-1].total)
    assert [p.done for p in seen] == sorted(p.done for p in seen)


def test_alpha_is_untouched_and_does_not_count_as_a_colour(tmp_path):
    rgba = noise((20, 24, 4), "uint8")
    iio.imwrite(tmp_path / "a.png", rgba)
    denoise_file(tmp_path / "a.png", tmp_path / "b.png", RECIPE)
    out = iio.imread(tmp_path / "b.png")
    assert np.array_equal(out[..., 3], rgba[..., 3])
    expected = zspot.denoise(rgba[..., :3], RECIPE, channel_axis=-1)
    assert np.array_equal(out[..., :3], expected)


def test_one_image_of_each_development_set(data, tmp_path):
    """`zspot denoise` takes every kind of file that the sets hold."""
    for folder in sorted(p for p in data.iterdir() if p.is_dir()):
        role = "noisy" if (folder / "noisy").is_dir() else "clean"
        source = sorted((folder / role).iterdir())[0]
        target = tmp_path / f"{folder.name}{source.suffix}"
        quick = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(1), predict=Predict(1))
        denoise_file(source, target, quick)
        before, after = iio.imread(source), iio.imread(target)
        assert before.shape == after.shape, source
        assert before.dtype == after.dtype, source
