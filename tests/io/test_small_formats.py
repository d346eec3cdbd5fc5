"""WebP, BMP, NPY and camera RAW."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from benchmarks.dng import write_dng
from tests.io_help import ICC, TYPES, opened
from zspot.core.errors import FileError
from zspot.io import ImageFile, read, write
from zspot.io.tiff.ifd import attach_exif


def noise(shape, seed=0):
    """Bytes of the whole range."""
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("lossless", [True, False])
def test_webp(tmp_path, samples, lossless):
    pixels = noise((11, 17, samples))
    exif = Image.Exif()
    exif[274] = 8
    options = {"icc_profile": ICC, "exif": exif.tobytes(), "xmp": b"<x:xmpmeta/>"}
    Image.fromarray(pixels).save(tmp_path / "a.webp", lossless=lossless, exact=True, **options)
    image = read(tmp_path / "a.webp")
    source = opened(tmp_path / "a.webp")
    np.testing.assert_array_equal(image.data, np.asarray(source)[..., :3])
    assert image.axes == "YXS"
    assert image.metadata["icc"] == ICC
    assert image.metadata["xmp"] == b"<x:xmpmeta/>"
    assert bool(image.notes) != lossless
    new = 255 - image.data
    write(tmp_path / "b.webp", image.replace(new))
    result = opened(tmp_path / "b.webp")
    np.testing.assert_array_equal(np.asarray(result)[..., :3], new)
    if samples == 4:
        np.testing.assert_array_equal(image.alpha, pixels[..., 3])
        np.testing.assert_array_equal(np.asarray(result)[..., 3], pixels[..., 3])
    assert result.info["icc_profile"] == ICC
    assert result.info["exif"] == source.info["exif"]
    assert result.getexif()[274] == 8
    assert result.info["xmp"] == b"<x:xmpmeta/>"


def test_chunks_of_webp_that_are_dropped_are_named(tmp_path):
    path = tmp_path / "a.webp"
    write(path, ImageFile(np.arange(768, dtype=np.uint8).reshape(24, 32), "YX"))
    content = path.read_bytes() + b"C2PA" + (6).to_bytes(4, "little") + b"signed"
    path.write_bytes(b"RIFF" + (len(content) - 8).to_bytes(4, "little") + content[8:])
    assert "Chunks that are not kept: C2PA." in read(path).notes


def test_webp_refused(tmp_path):
    path = tmp_path / "a.webp"
    frames = [Image.fromarray(noise((8, 8, 3), i)) for i in range(2)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(FileError, match="animated"):
        read(path)
    frames[0].save(path, lossless=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    with pytest.raises(FileError, match="truncated"):
        read(path)
    place = content.index(b"VP8X") + 12
    path.write_bytes(content[:place] + b"\xff" * 6 + content[place + 6 :])
    with pytest.raises(FileError, match="cannot be decoded"):
        read(path)


@pytest.mark.parametrize("shape", [(11, 17), (11, 17, 3), (11, 17, 4)])
def test_bmp(tmp_path, shape):
    pixels = noise(shape)
    Image.fromarray(pixels).save(tmp_path / "a.bmp", dpi=(300, 150))
    image = read(tmp_path / "a.bmp")
    if shape[-1] == 4:
        # Pillow marks no alpha mask, so that these are 32-bit RGB for every reader.
        assert image.axes == "YXS"
    np.testing.assert_array_equal(image.data, pixels[..., :3] if len(shape) == 3 else pixels)
    new = 255 - image.data
    write(tmp_path / "b.bmp", image.replace(new))
    result = opened(tmp_path / "b.bmp")
    stored = np.asarray(result)
    np.testing.assert_array_equal(stored[..., :3] if len(shape) == 3 else stored, new)
    assert result.info["dpi"] == opened(tmp_path / "a.bmp").info["dpi"]
    if image.alpha is not None:
        np.testing.assert_array_equal(stored[..., 3], pixels[..., 3])


def test_bmp_palette_and_refusals(tmp_path):
    path = tmp_path / "a.bmp"
    picture = Image.fromarray(noise((5, 6)) % 2).convert("P")
    picture.putpalette([1, 2, 3, 200, 100, 50])
    picture.save(path)
    image = read(path)
    np.testing.assert_array_equal(image.data, np.asarray(picture.convert("RGB")))
    assert "palette" in image.notes[0]
    Image.fromarray(noise((5, 6)) > 99).save(path)
    with pytest.raises(FileError, match="1-bit"):
        read(path)
    Image.fromarray(noise((5, 6, 3))).save(path)
    content = path.read_bytes()
    cases = {
        "decoded": content[:-20],
        "more than the limit": content[:18] + struct.pack("<ii", 2**30, 2**30) + content[26:],
        "cannot be decoded": content[:18] + struct.pack("<ii", 0, 5) + content[26:],
    }
    for words, bad in cases.items():
        path.write_bytes(bad)
        with pytest.raises(FileError, match=words):
            read(path)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=3), st.sampled_from(TYPES),
    st.sampled_from("<>"), st.sampled_from("CF"), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_npy(tmp_path_factory, shape, kind, order, memory, seed):
    folder = tmp_path_factory.mktemp("npy")
    bits = np.random.default_rng(seed).integers(0, 256, (*shape, np.dtype(kind).itemsize))
    pixels = bits.astype(np.uint8).view(order + kind)[..., 0]
    np.save(folder / "a.npy", np.asarray(pixels, order=memory))
    image = read(folder / "a.npy")
    assert image.axes == ("YX" if len(shape) == 2 else ("YXS" if shape[2] <= 4 else "QYX"))
    assert image.data.dtype == np.dtype(kind)
    write(folder / "b.npy", image)
    assert (folder / "b.npy").read_bytes() == (folder / "a.npy").read_bytes()


def test_npy_refused(tmp_path):
    path = tmp_path / "a.npy"
    trap = np.empty((2, 2), object)
    trap[:] = subprocess.run
    np.save(path, trap, allow_pickle=True)
    with pytest.raises(FileError, match="pickled objects"):
        read(path)
    for array, words in [
        (np.zeros((3, 3), complex), "complex128"), (np.zeros((3, 3), bool), "bool"),
        (np.zeros((3, 3), "u8"), "uint64"), (np.zeros(5), "dimensions"),
        (np.zeros((2, 2, 5, 5)), "dimensions"), (np.zeros((0, 5)), "no pixels"),
        (np.zeros((3, 3), [("x", "u1")]), "not supported"),
    ]:  # fmt: skip
        np.save(path, array)
        with pytest.raises(FileError, match=words):
            read(path)
    np.save(path, np.zeros((9, 9)))
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(FileError, match="truncated"):
        read(path)
    path.write_bytes(content.replace(b"(9, 9), }        ", b"(900000, 900000)}"))
    with pytest.raises(FileError, match="900000 x 900000 values, more than the limit"):
        read(path)
    path.write_bytes(content[:40])
    with pytest.raises(FileError, match="decoded"):
        read(path)


def make_dng(path, height=64, width=96):
    """Write a minimal DNG: a Bayer mosaic of a grey ramp."""
    ramp = np.linspace(2000, 50000, width)
    mosaic = np.broadcast_to(ramp, (height, width)).astype(np.uint16)
    write_dng(path, mosaic)
    return mosaic


def test_raw_is_developed_and_written_as_tiff(tmp_path):
    pytest.importorskip("rawpy")
    make_dng(tmp_path / "a.dng")
    exif = Image.Exif()
    exif.endian = "<"
    exif.get_ifd(34665)[33434] = 0.005
    with (tmp_path / "a.dng").open("rb+") as handle:
        attach_exif(handle, io.BytesIO(exif.tobytes().removeprefix(b"Exif\0\0")))
    image = read(tmp_path / "a.dng")
    assert image.format == "raw"
    assert image.axes == "YXS"
    assert image.data.dtype == np.uint16
    assert image.data.shape == (64, 96, 3)
    assert np.all(np.diff(image.data[30, 4:-4, 1].astype(int)) >= 0)
    assert "16-bit sRGB" in image.notes[0]
    write(tmp_path / "a.tif", image)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        np.testing.assert_array_equal(tif.asarray(), image.data)
        assert tif.pages[0].photometric == 2
        icc = tif.pages[0].tags[34675].value
        assert tif.pages[0].tags[34665].value == {"ExposureTime": 0.005}
        assert tif.pages[0].tags[271].value == "zspot"
        assert 274 not in tif.pages[0].tags
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.getOpenProfile(io.BytesIO(icc)))
    write(tmp_path / "a.png", image)
    assert opened(tmp_path / "a.png").getexif().get_ifd(34665) == {33434: 0.005}
    with pytest.raises(FileError, match=r"write b\.tif instead"):
        write(tmp_path / "b.dng", image)


def test_raw_without_rawpy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    make_dng(tmp_path / "a.dng")
    with pytest.raises(FileError, match=r'pip install "rawpy'):
        read(tmp_path / "a.dng")


def test_raw_damaged(tmp_path):
    pytest.importorskip("rawpy")
    (tmp_path / "a.cr2").write_bytes(b"II*\0" + bytes(100))
    with pytest.raises(FileError, match=r"a\.cr2 cannot be"):
        read(tmp_path / "a.cr2")
    make_dng(tmp_path / "a.dng")
    with pytest.raises(FileError, match="more than the limit"):
        read(tmp_path / "a.dng", max_pixels=1000)


def test_record_is_checked():
    with pytest.raises(ValueError, match="axes"):
        ImageFile(np.zeros((3, 3)), "YXS")
    assert ImageFile(np.zeros((3, 3, 3, 3)), "CYXS").axes == "QYXS"
    with pytest.raises(ValueError, match="alpha"):
        ImageFile(np.zeros((3, 3, 3)), "YXS", alpha=np.zeros((3, 4)))
    image = ImageFile(np.zeros((2, 3, 4), np.uint8), "CYX")
    assert image.channel_axis == 0
    for other in (np.zeros((2, 3, 4), np.uint16), np.zeros((2, 3, 5), np.uint8)):
        with pytest.raises(ValueError, match="new pixels"):
            image.replace(other)
    with pytest.raises(TypeError):
        image.metadata["x"] = 1  # pyright: ignore[reportIndexIssue]


@pytest.mark.parametrize("rest", [b"the film of a moving photograph", bytes(4096)])
@pytest.mark.parametrize(
    "suffix", [".png", ".webp", ".jpg", ".bmp", ".jxl", ".avif", ".jp2", ".j2k", ".npy"]
)
def test_what_follows_the_image_is_told(tmp_path, suffix, rest):
    path, pixels = tmp_path / f"a{suffix}", np.random.default_rng(0).integers(0, 255, (24, 32, 3))
    write(path, ImageFile(pixels.astype(np.uint8), "YXS"))
    before, content = read(path), path.read_bytes()
    path.write_bytes(content + rest)
    after = read(path)
    told = {f"The {len(rest)} bytes after the image are not kept."}
    assert set(after.notes) - set(before.notes) == told
    assert np.array_equal(after.data, before.data)
    write(tmp_path / f"b{suffix}", after)
    assert suffix == ".jpg" or np.array_equal(read(tmp_path / f"b{suffix}").data, before.data)
    assert rest not in (tmp_path / f"b{suffix}").read_bytes()


def test_a_bare_jpeg_2000_without_an_end_is_refused(tmp_path):
    path = tmp_path / "a.j2k"
    write(path, ImageFile(np.arange(768, dtype=np.uint16).reshape(24, 32), "YX"))
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(FileError, match="damaged"):
        read(path)
