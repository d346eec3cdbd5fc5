"""Files that mean something else than they say, and what is no picture in stacks and stores."""

import numpy as np
import pytest
import tifffile

import zspot
from zspot.core.errors import FileError, ImageError, OptionError
from zspot.files import denoise_file
from zspot.io import read
from zspot.recipe import Fit, Predict, Recipe, UNet

RECIPE = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(1), predict=Predict(1))


def noise(shape, kind="uint16"):
    return np.random.default_rng(0).normal(900, 90, shape).astype(kind)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize(
    ("shape", "names"), [((20, 18, 3), "YX"), ((2, 20, 18, 3), "QYX"), ((20, 18, 5), "YX")]
)
def test_rows_as_pages(tmp_path, shape, names, compression):
    pixels = noise(shape)
    source = tmp_path / "a.tif"
    tifffile.imwrite(source, pixels, photometric="minisblack", compression=compression)
    _, notes = denoise_file(source, tmp_path / "b.tif", RECIPE)
    planes = pixels.size // (18 * shape[-1])
    assert any(f"holds {planes} planes of 18 x {shape[-1]} values" in note for note in notes)
    assert any(f"--axes {names}S (colours)" in note for note in notes)
    letters = names + ("S" if shape[-1] == 3 else "C")
    _, notes = denoise_file(source, tmp_path / "c.tif", RECIPE, axes=letters)
    assert not any("planes of" in note for note in notes)
    after = read(tmp_path / "c.tif").data
    assert (after.dtype, after.shape) == (pixels.dtype, pixels.shape)
    colours = np.moveaxis(pixels, -1, 0)[:1] if letters[-1] == "C" else [pixels]
    first = colours[0] if len(shape) == 3 else colours[0][0]
    expected = zspot.denoise(first, RECIPE, channel_axis=-1 if letters[-1] == "S" else None)
    made = after[0] if len(shape) == 4 else after
    np.testing.assert_array_equal(made if letters[-1] == "S" else made[..., 0], expected)
    if shape[-1] == 5:
        with pytest.raises(ImageError, match=r"5 colours.*--axes YXC"):
            denoise_file(source, tmp_path / "d.tif", RECIPE, axes="YXS")


@pytest.mark.parametrize("kind", ["unassalpha", "unspecified"])
@pytest.mark.parametrize("pages", [1, 2])
def test_a_fourth_band(tmp_path, kind, pages):
    pixels = noise((pages, 40, 30, 4) if pages > 1 else (40, 30, 4))
    source = tmp_path / "a.tif"
    tifffile.imwrite(source, pixels, photometric="rgb", extrasamples=[kind], metadata=None)
    _, notes = denoise_file(source, tmp_path / "b.tif", RECIPE)
    alpha = kind == "unassalpha"
    after = tifffile.imread(tmp_path / "b.tif")
    assert np.array_equal(after[..., 3], pixels[..., 3]) == alpha
    if pages == 1 or not alpha:
        assert any("near infrared" in note for note in notes)
    letters = "QYXC"[pages == 1 :]
    denoise_file(source, tmp_path / "c.tif", RECIPE, axes=letters)
    after = tifffile.imread(tmp_path / "c.tif")
    assert after.shape == pixels.shape
    assert all((after[..., i] != pixels[..., i]).mean() > 0.9 for i in range(4))


def test_honest_transparency_gets_no_hint(tmp_path):
    pixels = noise((40, 30, 4))
    pixels[..., 3] = 65535
    pixels[:9, :, 3] = 0
    options = {"photometric": "rgb", "extrasamples": ["unassalpha"], "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    assert denoise_file(tmp_path / "a.tif", tmp_path / "b.tif", RECIPE)[1] == ()


@pytest.mark.parametrize("dtype", [None, "float32"])
@pytest.mark.parametrize("how", ["tag", "option", "nan", "alpha"])
def test_no_picture_in_stacks(tmp_path, how, dtype):
    pixels = noise((3, 40, 30), "float32")
    pixels[1, :, :9] = np.nan if how == "nan" else 7 + np.arange(9) * (how == "alpha")
    options = {"photometric": "minisblack", "metadata": None}
    if how == "tag":
        options["extratags"] = [(42113, 2, 0, "7", True)]
    stored = pixels
    if how == "alpha":
        seen = np.ones_like(pixels)
        seen[1, :, :9] = 0
        stored = np.stack([pixels, seen], axis=-1)
        options |= {"extrasamples": ["unassalpha"], "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "a.tif", stored, **options)
    nodata = 7 if how == "option" else None
    result, _ = denoise_file(
        tmp_path / "a.tif", tmp_path / "b.tif", RECIPE, nodata=nodata, dtype=dtype
    )
    assert result.reason
    after = read(tmp_path / "b.tif").data
    np.testing.assert_array_equal(after[1, :, :9], pixels[1, :, :9])
    assert all((after[i, :, 9:] != pixels[i, :, 9:]).mean() > 0.9 for i in range(3))


def test_no_picture_in_stores(tmp_path):
    zarr = pytest.importorskip("zarr")
    pixels = noise((3, 40, 30), "float32")
    pixels[1, :, :9], pixels[2, :9] = np.nan, 7
    store = zarr.create_array(
        tmp_path / "a.zarr", shape=pixels.shape, chunks=(1, 40, 30), dtype="float32", fill_value=0
    )
    store[:] = pixels
    denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE, nodata=7)
    after = zarr.open_array(tmp_path / "b.zarr", mode="r")[:]
    np.testing.assert_array_equal(after[1, :, :9], pixels[1, :, :9])
    np.testing.assert_array_equal(after[2, :9], pixels[2, :9])
    assert (after[0] != pixels[0]).mean() > 0.9
    with pytest.raises((OptionError, FileError), match="--dtype float32"):
        denoise_file(tmp_path / "a.zarr", tmp_path / "c.zarr", RECIPE, dtype="float32")
