"""JPEG XL, AVIF and JPEG 2000."""

import io

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.io_help import ICC, opened, refused
from zspot.core.errors import FileError
from zspot.files import denoise_file
from zspot.io import ImageFile, read, write

MOST = {".jxl": 16, ".avif": 12, ".jp2": 16, ".jpx": 16, ".j2k": 16}
CODECS = {".jxl": "jpegxl", ".avif": "avif", ".jp2": "jpeg2k", ".jpx": "jpeg2k", ".j2k": "jpeg2k"}
OPTIONS = {
    ".jxl": {"lossless": True}, ".avif": {"level": 100},
    ".j2k": {"level": 0, "reversible": True, "codecformat": "j2k"},
}  # fmt: skip
SUFFIXES = sorted(MOST)


def values(shape, bits, seed=0):
    kind = np.uint8 if bits == 8 else np.uint16
    return np.random.default_rng(seed).integers(0, 2**bits, shape).astype(kind)


def make(path, pixels, bits=8, **options):
    encode = getattr(imagecodecs, f"{CODECS[path.suffix]}_encode")
    options = OPTIONS.get(path.suffix, {"level": 0, "reversible": True}) | options
    path.write_bytes(encode(pixels, bitspersample=bits, **options))
    return path


def decoded(path):
    return getattr(imagecodecs, f"{CODECS[path.suffix]}_decode")(path.read_bytes())


@settings(max_examples=80)
@given(
    st.sampled_from(SUFFIXES), st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 4), st.sampled_from([8, 10, 12, 16]), st.integers(0, 99),
)  # fmt: skip
def test_round_trips(tmp_path, suffix, sides, samples, bits, seed):
    if bits > MOST[suffix]:
        bits = 8
    pixels = values((*sides, samples) if samples > 1 else sides, bits, seed)
    source = make(tmp_path / f"a{suffix}", pixels, bits)
    image = read(source)
    colours = {1: 1, 2: 1, 3: 3, 4: 3}[samples]
    np.testing.assert_array_equal(
        image.data.reshape(*sides, -1), pixels.reshape(*sides, -1)[..., :colours]
    )
    assert (image.alpha is not None) == (samples in (2, 4))
    new = values(image.data.shape, bits, seed + 1)
    write(tmp_path / f"b{suffix}", image.replace(new), overwrite=True)
    result = decoded(tmp_path / f"b{suffix}").reshape(*sides, -1)
    np.testing.assert_array_equal(result[..., :colours], new.reshape(*sides, -1))
    if samples in (2, 4):
        np.testing.assert_array_equal(result[..., -1], pixels[..., -1])
    again = read(tmp_path / f"b{suffix}")
    assert again.data.dtype == image.data.dtype
    if bits in (10, 12):  # values beyond the bits of the file are cut
        write(tmp_path / f"c{suffix}", image.replace(np.full_like(new, 60000)), overwrite=True)
        assert decoded(tmp_path / f"c{suffix}")[..., :1].max() == 2**bits - 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_denoised(tmp_path, suffix):
    source = make(tmp_path / f"a{suffix}", values((24, 30, 3), 8))
    denoise_file(source, tmp_path / f"b{suffix}", "zs-n2n", effort="fast")
    assert read(tmp_path / f"b{suffix}").data.std() < read(source).data.std()
    write(tmp_path / "c.png", read(source))
    np.testing.assert_array_equal(np.asarray(opened(tmp_path / "c.png")), read(source).data)


def test_metadata_of_jpeg_2000_and_xl(tmp_path):
    exif = Image.Exif()
    exif[0x013B] = "someone"
    raw = exif.tobytes().removeprefix(b"Exif\0\0")
    source = ImageFile(
        values((9, 11, 4), 8)[..., :3], "YXS", metadata={"exif": raw, "xmp": b"<x/>"}
    )
    for suffix in (".jxl", ".jp2"):
        write(tmp_path / f"a{suffix}", source)
        first = read(tmp_path / f"a{suffix}")
        assert (first.metadata["exif"], first.metadata["xmp"]) == (raw, b"<x/>")
        write(tmp_path / f"b{suffix}", first)
        assert (tmp_path / f"b{suffix}").read_bytes() == (tmp_path / f"a{suffix}").read_bytes()
        write(tmp_path / f"{suffix}.png", first)
        assert opened(tmp_path / f"{suffix}.png").getexif()[0x013B] == "someone"


def test_icc_of_jpeg_2000_stays(tmp_path):
    plain = bytes(imagecodecs.jpeg2k_encode(values((9, 11, 3), 8), level=0, reversible=True))
    colour = b"\0\0\0\x0fcolr\1\0\0\0\0\0\x10"
    made = (11 + len(ICC)).to_bytes(4, "big") + b"colr\2\0\0" + ICC
    grown = (45 - 15 + len(made)).to_bytes(4, "big") + b"jp2h"
    (tmp_path / "a.jp2").write_bytes(plain.replace(colour, made).replace(b"\0\0\0\x2djp2h", grown))
    image = read(tmp_path / "a.jp2")
    assert image.metadata["icc"] == ICC
    write(tmp_path / "b.jp2", image.replace(255 - image.data))
    assert made in (tmp_path / "b.jp2").read_bytes()
    np.testing.assert_array_equal(decoded(tmp_path / "b.jp2"), 255 - image.data)


def test_what_avif_loses_is_said_and_turned_pictures_are_upright(tmp_path):
    pixels, exif = values((20, 30), 8), Image.Exif()
    exif[274] = 6
    Image.fromarray(pixels).save(
        tmp_path / "a.avif", exif=exif.tobytes(), icc_profile=ICC, quality=100
    )
    image = read(tmp_path / "a.avif")
    np.testing.assert_array_equal(image.data, np.rot90(pixels, -1))
    assert image.metadata["icc"] == ICC
    assert "EXIF and the colour profile of the AVIF file are not kept." in image.notes
    assert any("lossless" in note for note in image.notes)


def test_lossy_jpeg_2000_is_said(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(values((20, 30, 3), 8)).save(buffer, "JPEG2000", irreversible=True)
    (tmp_path / "a.jp2").write_bytes(buffer.getvalue())
    assert "losslessly" in read(tmp_path / "a.jp2").notes[0]
    assert read(make(tmp_path / "b.jp2", values((20, 30, 3), 8))).notes == ()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_refused(tmp_path, suffix):
    path = make(tmp_path / f"a{suffix}", values((40, 50, 3), 8))
    refused(path, 1000, (3, 20, 60, path.stat().st_size // 2))
    for image in (
        ImageFile(np.zeros((3, 4), np.float32), "YX"),
        ImageFile(np.zeros((2, 3, 4), np.uint8), "CYX"),
    ):
        with pytest.raises(FileError, match=r"write a \.tif file"):
            write(tmp_path / f"b{suffix}", image)


def test_avif_has_no_sixteen_bits(tmp_path):
    with pytest.raises(FileError, match="more than 12 bits"):
        write(tmp_path / "a.avif", ImageFile(values((3, 4), 16), "YX"))


def test_animations_are_refused(tmp_path):
    frames = [Image.fromarray(values((8, 8, 3), 8, i)) for i in range(2)]
    frames[0].save(tmp_path / "a.avif", save_all=True, append_images=frames[1:])
    with pytest.raises(FileError, match="animated"):
        read(tmp_path / "a.avif")
    (tmp_path / "a.jxl").write_bytes(
        imagecodecs.jpegxl_encode(values((2, 8, 8, 3), 8), lossless=True)
    )
    with pytest.raises(FileError, match="animation"):
        read(tmp_path / "a.jxl")


def test_avif_keeps_its_colour_space_and_refuses_mirrors(tmp_path):
    pixels = values((24, 30, 3), 10)
    content = imagecodecs.avif_encode(pixels, level=100, bitspersample=10, primaries=9, transfer=16)
    (tmp_path / "a.avif").write_bytes(content)
    image = read(tmp_path / "a.avif")
    assert np.array_equal(image.data, pixels)
    write(tmp_path / "b.avif", image)
    assert b"nclx\0\x09\0\x10" in (tmp_path / "b.avif").read_bytes()
    assert np.array_equal(read(tmp_path / "b.avif").data, pixels)
    exif = Image.Exif()
    exif[274] = 2
    Image.fromarray(values((24, 30, 3), 8)).save(tmp_path / "c.avif", exif=exif)
    with pytest.raises(FileError, match="stored mirrored"):
        read(tmp_path / "c.avif")
