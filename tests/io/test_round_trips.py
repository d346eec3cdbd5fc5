"""The file layer as a whole: formats, refusals, conversions, real files."""

import contextlib
import os
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import zspot.io
from tests.io_help import ICC, SUFFIXES, make, noise, one_line, opened
from zspot.core.errors import FileError
from zspot.io import ImageFile, check_target, read, write


def test_exports():
    names = {"ImageFile", "FileError", "MAX_PIXELS", "read", "write", "check_target", "Stack"}
    names |= {"SUFFIXES", "open_stack", "is_store", "output_name", "printable"}
    assert set(zspot.io.__all__) == names


def test_import_is_light():
    code = "import sys, zspot.io; print({'torch', 'tifffile', 'PIL'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_same_kind_of_file_comes_back(tmp_path, suffix):
    source = make(tmp_path / f"a{suffix}")
    image = read(str(source))
    assert image.path == source
    assert image.format == {".jpg": "jpeg", ".tif": "tiff"}.get(suffix, suffix[1:])
    assert image.data.shape == (20, 30, 3)
    assert image.axes == "YXS"
    assert image.channel_axis == 2
    assert image.data.flags.c_contiguous
    kept = image.data.copy()
    write(str(tmp_path / f"b{suffix.upper()}"), image)
    np.testing.assert_array_equal(image.data, kept)
    again = read(tmp_path / f"b{suffix.upper()}")
    error = np.abs(again.data.astype(int) - image.data)
    assert error.max() <= (60 if suffix == ".jpg" else 0)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_bad_content_is_a_one_line_error(tmp_path, suffix):
    good = make(tmp_path / f"a{suffix}").read_bytes()
    path = tmp_path / f"b{suffix}"
    with pytest.raises(FileError) as caught:
        read(path)
    one_line(caught, str(path), "no such file")
    path.write_bytes(b"")
    with pytest.raises(FileError) as caught:
        read(path)
    one_line(caught, str(path), "empty")
    path.write_bytes(os.urandom(500))
    with pytest.raises(FileError) as caught:
        read(path)
    one_line(caught, str(path), "not a")
    magic = 12 if suffix == ".webp" else 8
    for content in [good[:magic], good[:magic] + os.urandom(300), good[: len(good) // 2]]:
        path.write_bytes(content)
        with pytest.raises(FileError) as caught:
            read(path)
        one_line(caught, str(path))
    path.write_bytes(good)
    with pytest.raises(FileError) as caught:
        read(path, max_pixels=599)
    one_line(caught, str(path), "limit of 599")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SUFFIXES), st.data())
def test_damaged_bytes_never_leak_another_exception(tmp_path_factory, suffix, data):
    folder = tmp_path_factory.mktemp("damage")
    content = bytearray(make(folder / f"a{suffix}").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = folder / f"b{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(FileError):
        image = read(path, max_pixels=10**6)
        write(folder / f"c{suffix}", image)
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("claimed", [*SUFFIXES, ".dng"])
def test_mislabelled(tmp_path, suffix, claimed):
    path = make(tmp_path / f"a{suffix}").rename(tmp_path / f"photo{claimed}")
    if claimed == suffix:
        read(path)
        return
    with pytest.raises(FileError) as caught:
        read(path)
    if (suffix, claimed) == (".tif", ".dng"):  # most RAW files are TIFF files inside
        one_line(caught, str(path))
    else:
        one_line(caught, str(path), "rename it to photo" + suffix)


def test_unknown_names(tmp_path):
    for name in ("a.xyz", "a", "a.jp3"):
        (tmp_path / name).write_bytes(b"some bytes")
        with pytest.raises(FileError) as caught:
            read(tmp_path / name)
        one_line(caught, name, ".tif", ".png")
        with pytest.raises(FileError) as caught:
            write(tmp_path / name, ImageFile(noise((4, 4)), "YX"), overwrite=True)
        one_line(caught, name, ".tif", ".png")
    with pytest.raises(FileError, match="is a folder"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("suffix", "image", "words"),
    [
        (".png", ImageFile(noise((4, 4), "f4"), "YX"), "float32"),
        (".jpg", ImageFile(noise((4, 4), "u2"), "YX"), "uint16"),
        (".webp", ImageFile(noise((4, 4), "u2"), "YX"), "uint16"),
        (".bmp", ImageFile(noise((4, 4), "i2"), "YX"), "int16"),
        (".png", ImageFile(noise((5, 4, 4)), "ZYX"), "a stack"),
        (".png", ImageFile(noise((3, 4, 4)), "CYX"), "separate channels"),
        (".png", ImageFile(noise((4, 4, 2)), "YXS"), "2 samples"),
        (".jpg", ImageFile(noise((4, 4, 3)), "YXS", noise((4, 4))), "transparency"),
        (".jpg", ImageFile(noise((70000, 1)), "YX"), "65535"),
        (".webp", ImageFile(noise((1, 17000)), "YX"), "16383"),
        (".npy", ImageFile(noise((4, 4)), "YX", noise((4, 4))), "transparency"),
        (".npy", ImageFile(noise((1, 2, 4, 4)), "TZYX"), "TZYX"),
    ],
)  # fmt: skip
def test_impossible_conversions(tmp_path, suffix, image, words):
    with pytest.raises(FileError) as caught:
        check_target(tmp_path / f"a{suffix}", source=image)
    one_line(caught, words, "write a ")
    with pytest.raises(FileError) as caught:
        write(tmp_path / f"a{suffix}", image)
    one_line(caught, words, "write a ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", [".png", ".jpg", ".tif", ".webp", ".bmp"])
@pytest.mark.parametrize("source", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_conversions_carry_what_the_target_holds(tmp_path, source, target):
    exif = Image.Exif()
    exif[274], exif[271] = 6, "maker"
    pixels = noise((20, 30, 3))
    if source == ".tif":
        tifffile.imwrite(
            tmp_path / "a.tif", pixels, photometric="rgb", metadata=None,
            extratags=[(34675, 7, len(ICC), ICC, True)], resolutionunit="INCH",
            resolution=(300, 150),
        )  # fmt: skip
    else:
        options = {"lossless": True} if source == ".webp" else {"dpi": (300, 150)}
        options |= {"exif": exif.tobytes(), "icc_profile": ICC} if source != ".bmp" else {}
        Image.fromarray(pixels).save(tmp_path / f"a{source}", **options)
    image = read(tmp_path / f"a{source}")
    write(tmp_path / f"b{target}", image)
    result = opened(tmp_path / f"b{target}")
    orientation = result.getexif().get(274)
    again = read(tmp_path / f"b{target}").data
    if ".jpg" not in target:
        np.testing.assert_array_equal(again, image.data)
    else:
        assert np.abs(again.astype(int) - image.data).mean() < 12
    if ".bmp" not in (source, target):
        assert result.info["icc_profile"] == ICC
    if ".bmp" not in (source, target) and source != ".tif":
        assert orientation == 6
    if ".webp" not in (source, target):
        assert result.info["dpi"] == pytest.approx((300, 150), rel=2e-3)


def test_grey_and_planar_and_single_planes_convert(tmp_path):
    grey = noise((1, 1, 6, 7))
    write(tmp_path / "a.png", ImageFile(grey, "TZYX"))
    np.testing.assert_array_equal(np.asarray(opened(tmp_path / "a.png")), grey[0, 0])
    write(tmp_path / "a.webp", ImageFile(grey, "TZYX", alpha=grey))
    rgba = np.asarray(opened(tmp_path / "a.webp"))
    np.testing.assert_array_equal(rgba, np.dstack([grey[0, 0]] * 4))
    planar = noise((3, 6, 7), "u2")
    write(tmp_path / "b.png", ImageFile(planar, "SYX"))
    np.testing.assert_array_equal(read(tmp_path / "b.png").data, np.moveaxis(planar, 0, -1))
    write(tmp_path / "b.tif", ImageFile(planar, "SYX"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), np.moveaxis(planar, 0, -1))


@pytest.mark.parametrize("folder", ["sidd_val", "polyu", "fmdd"])
def test_real_files(tmp_path, data, folder):
    source = min((data / folder / "noisy").glob("*.*"))
    image = read(source)
    reference = np.asarray(opened(source))
    np.testing.assert_array_equal(image.data, reference)
    new = np.clip(image.data.astype(int) + 3, 0, 255).astype(np.uint8)
    target = tmp_path / f"out{source.suffix}"
    write(target, image.replace(new))
    before, after = opened(source), opened(target)
    result = np.asarray(after)
    assert after.mode == before.mode
    assert after.info == before.info
    if image.format == "jpeg":
        assert getattr(after, "quantization", 0) == getattr(before, "quantization", 1)
        assert np.abs(result.astype(int) - new).mean() < 1
    else:
        np.testing.assert_array_equal(result, new)
