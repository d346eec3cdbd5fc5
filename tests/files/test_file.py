"""Files through the whole program: same kind of file, every plane denoised, alpha untouched."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

import zspot
from zspot.core.errors import OptionError
from zspot.files import denoise_file
from zspot.io import read
from zspot.recipe import Constant, Fit, NoMask, Predict, Recipe, Second, UNet

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
        ((3, 20, 30), "uint16", "CYX", None),
        ((2, 20, 30), "uint16", "ZYX", None),
        ((2, 3, 20, 30), "uint16", "ZCYX", None),
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
    seen = rgba[..., 3] > 0
    expected = zspot.denoise(rgba[..., :3], RECIPE, channel_axis=-1, mask=seen)
    assert np.array_equal(out[..., :3], expected)
    assert np.array_equal(out[~seen], rgba[~seen])  # colours that nobody sees stay, too


@pytest.mark.slow
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


def _pillow_source(path, image, **extra):
    """A file with EXIF (orientation 6, artist), an ICC profile and a resolution."""
    from PIL import Image, ImageCms

    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "someone"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(image).save(path, exif=exif, icc_profile=profile, dpi=(150, 150), **extra)


def _tiff_source(path, image, **extra):
    tifffile.imwrite(
        path, image, resolution=(5000, 5000), resolutionunit="CENTIMETER", software="scope",
        description="cells at 37 C", metadata=None, photometric="minisblack", **extra,
    )  # fmt: skip


SOURCES = {
    "rgb.png": lambda path: _pillow_source(path, noise((21, 17, 3), "uint8")),
    "grey.png": lambda path: _pillow_source(path, noise((21, 17), "uint8")),
    "grey16.png": lambda path: iio.imwrite(path, noise((21, 17), "uint16")),
    "photo.jpg": lambda path: _pillow_source(path, noise((21, 17, 3), "uint8"), quality=92),
    "photo.webp": lambda path: _pillow_source(path, noise((21, 17, 4), "uint8"), lossless=True),
    "scan.bmp": lambda path: iio.imwrite(path, noise((21, 17, 3), "uint8")),
    "float.tif": lambda path: _tiff_source(path, noise((21, 17), "float32")),
    "sixteen.tif": lambda path: _tiff_source(path, noise((21, 17), "uint16"), compression="zlib"),
    "imagej.tif": lambda path: tifffile.imwrite(
        path, noise((2, 3, 21, 17), "uint16"), imagej=True, resolution=(4, 4),
        metadata={"axes": "ZCYX", "spacing": 0.5, "unit": "um"},
    ),
    "array.npy": lambda path: np.save(path, noise((21, 17), "float64")),
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_the_same_file_comes_back_only_denoised(tmp_path, name):
    source, target = tmp_path / name, tmp_path / f"out-{name}"
    SOURCES[name](source)
    denoise_file(source, target, RECIPE)
    before, after = read(source), read(target)
    assert after.format == before.format
    assert after.axes == before.axes
    assert after.data.dtype == before.data.dtype
    assert after.data.shape == before.data.shape
    assert (after.data != before.data).mean() > 0.5
    assert np.array_equal(after.alpha, before.alpha)
    for key in {*before.metadata, *after.metadata} - {before.format}:
        assert after.metadata[key] == before.metadata[key], key
    if before.format != "jpeg" and before.data.ndim < 4:
        seen = None if before.alpha is None else before.alpha > 0
        expected = zspot.denoise(before.data, RECIPE, channel_axis=before.channel_axis, mask=seen)
        assert np.array_equal(after.data, expected)
    if name in ("rgb.png", "photo.jpg", "photo.webp"):
        from PIL import Image

        with Image.open(target) as opened:
            assert opened.size == (17, 21)  # stored as it was: a viewer turns it, once
            assert opened.getexif()[0x0112] == 6
            assert opened.info["icc_profile"]


def test_a_second_file_of_the_scene_is_learned_from(tmp_path):
    rng = np.random.default_rng(0)
    clean = np.linspace(40, 200, 40 * 36).reshape(40, 36)
    paths = [tmp_path / f"{name}.npy" for name in ("first", "second")]
    for path in paths:
        np.save(path, (clean + rng.normal(0, 20, clean.shape)).astype(np.float32))
    small = Recipe(
        "n2n",
        mask=NoMask(),
        fill=Constant(),
        target=Second(),
        network=UNet(4, 1, 0.0),
        fit=Fit(3),
        predict=Predict(1),
    )
    result, _ = denoise_file(paths[0], tmp_path / "out.npy", small, second=paths[1])
    again = zspot.run(np.load(paths[0]), small, second=np.load(paths[1]))
    assert np.array_equal(np.load(tmp_path / "out.npy"), again.image)
    assert result.recipe == small
    np.save(paths[1], np.zeros((40, 35), np.float32))
    with pytest.raises(zspot.io.FileError, match="same scene"):
        denoise_file(paths[0], tmp_path / "other.npy", small, second=paths[1])
    assert not (tmp_path / "other.npy").exists()


def test_neighbours_do_not_go_with_a_second_file(tmp_path):
    for seed, name in enumerate(("first", "second")):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(seed).normal(size=(3, 24, 24)))
    paths = tmp_path / "first.npy", tmp_path / "out.npy"
    other = {"second": tmp_path / "second.npy", "neighbours": 1, "axes": "ZYX"}
    with pytest.raises(OptionError, match="neighbours do not go with a second image"):
        denoise_file(*paths, "n2n", effort="fast", **other)
    assert not paths[1].exists()
