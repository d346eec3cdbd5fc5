"""JPEG: sources made by Pillow plus segments spliced in by hand; results read by Pillow."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin
from skimage import data as samples

from tests.io_help import ICC, opened
from zspot.core.errors import FileError
from zspot.io import read, write

COFFEE = samples.coffee()[100:164, 200:280]
GREY = samples.camera()[200:261, 200:277]


def segment(marker, payload):
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


def headers_of(content):
    """APPn and COM segments before the first scan."""
    found, position = [], 2
    while content[position + 1] != 0xDA:
        size = int.from_bytes(content[position + 2 : position + 4], "big")
        if 0xE0 <= content[position + 1] <= 0xEF or content[position + 1] == 0xFE:
            found.append(content[position : position + 2 + size])
        position += 2 + size
    return found


def encoded(pixels, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def full_exif():
    exif = Image.Exif()
    exif[274], exif[271], exif[306] = 6, "maker", "2024:02:29 01:02:03"
    exif.get_ifd(34665)[33434] = 0.005
    return exif.tobytes()


def psnr(a, b):
    return 10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("pixels", [COFFEE, GREY], ids=["rgb", "grey"])
def test_everything_is_kept(tmp_path, pixels, subsampling, progressive):
    exif = full_exif()
    content = encoded(
        pixels, quality=87, subsampling=subsampling, progressive=progressive, exif=exif,
        icc_profile=ICC * 30, dpi=(300, 150), comment=b"a comment",
    )  # fmt: skip
    iptc = segment(0xED, b"Photoshop 3.0\0" + bytes(range(256)))
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>")
    content = content[:2] + segment(0xE5, b"private") + iptc + xmp + content[2:]
    source, target = tmp_path / "a.jpg", tmp_path / "b.jpeg"
    source.write_bytes(content)

    image = read(source)
    np.testing.assert_array_equal(image.data, np.asarray(opened(source)))
    assert image.axes == ("YXS" if pixels.ndim == 3 else "YX")
    assert image.alpha is None
    assert image.notes == ()
    assert image.metadata["icc"] == ICC * 30
    assert image.metadata["exif"] == exif.removeprefix(b"Exif\0\0")
    assert image.metadata["xmp"] == b"<x:xmpmeta/>"
    assert image.metadata["resolution"] == (300, 150, "inch")
    assert image.metadata["description"] == "a comment"

    new = np.clip(image.data.astype(int) + 8, 0, 255).astype(np.uint8)
    write(target, image.replace(new))
    # Not rotated although the orientation tag says so.
    before, after = opened(source), opened(target)
    assert isinstance(before, JpegImagePlugin.JpegImageFile)
    assert isinstance(after, JpegImagePlugin.JpegImageFile)
    assert after.size == before.size
    assert after.getexif()[274] == 6
    assert after.info["exif"] == before.info["exif"] == exif
    assert after.info["icc_profile"] == ICC * 30
    assert after.info["dpi"] == (300, 150)
    assert after.info["comment"] == b"a comment"
    assert after.quantization == before.quantization
    assert ("progressive" in after.info) == progressive
    if pixels.ndim == 3:
        assert JpegImagePlugin.get_sampling(after) == subsampling
    assert headers_of(target.read_bytes()) == headers_of(content)
    assert psnr(np.asarray(after), new) > (33 if subsampling else 36)


def test_unchanged_pixels_lose_next_to_nothing(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(COFFEE, quality=75))
    image = read(tmp_path / "a.jpg")
    write(tmp_path / "b.jpg", image)
    again = np.asarray(opened(tmp_path / "b.jpg"))
    first_loss = psnr(image.data, COFFEE)
    assert psnr(again, image.data) > first_loss + 6


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]),
    st.sampled_from([0, 1, 2]), st.sampled_from([1, 50, 95, 100]), st.booleans(),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_any_size_and_quality(
    tmp_path_factory, height, width, count, sub, quality, progressive, seed
):
    folder = tmp_path_factory.mktemp("jpeg")
    shape = (height, width, 3)[: 3 if count == 3 else 2]
    pixels = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    content = encoded(pixels, quality=quality, subsampling=sub, progressive=progressive)
    (folder / "a.jpg").write_bytes(content)
    image = read(folder / "a.jpg")
    write(folder / "b.jpg", image)
    before, after = opened(folder / "a.jpg"), opened(folder / "b.jpg")
    assert after.size == before.size
    assert after.mode == before.mode
    assert getattr(after, "quantization", 0) == getattr(before, "quantization", 1)


def test_progressive_noise_at_full_quality(tmp_path):
    # More than two bytes a pixel: the case in which Pillow's own buffer used to be too small.
    pixels = np.random.default_rng(0).integers(0, 256, (400, 400, 3)).astype(np.uint8)
    content = encoded(pixels, quality=100, subsampling=0)
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    image = read(path)
    own = dict(image.metadata["jpeg"])
    own["coding"] = own["coding"] | {"progressive": True}
    image = type(image)(image.data, image.axes, None, "jpeg", dict(image.metadata) | {"jpeg": own})
    write(tmp_path / "b.jpg", image)
    assert psnr(np.asarray(opened(tmp_path / "b.jpg")), image.data) > 40


def test_stored_rgb_stays_rgb(tmp_path):
    content = encoded(COFFEE, quality=95, keep_rgb=True)
    (tmp_path / "a.jpg").write_bytes(content)
    image = read(tmp_path / "a.jpg")
    write(tmp_path / "b.jpg", image)
    after = opened(tmp_path / "b.jpg")
    assert after.info["adobe_transform"] == 0
    assert psnr(np.asarray(after), image.data) > 40
    # Without the Adobe segment the component names R, G, B say the same.
    bare = b"".join([content[:2], content[2 + len(headers_of(content)[0]) :]])
    assert not headers_of(bare)
    (tmp_path / "c.jpg").write_bytes(bare)
    image = read(tmp_path / "c.jpg")
    assert psnr(image.data, COFFEE) > 30
    write(tmp_path / "d.jpg", image)
    assert psnr(np.asarray(opened(tmp_path / "d.jpg")), image.data) > 40


def test_three_tables_are_kept(tmp_path):
    tables = [[value] * 64 for value in (3, 5, 9)]
    (tmp_path / "a.jpg").write_bytes(encoded(COFFEE, qtables=tables))
    write(tmp_path / "b.jpg", read(tmp_path / "a.jpg"))
    after = opened(tmp_path / "b.jpg")
    assert isinstance(after, JpegImagePlugin.JpegImageFile)
    assert list(after.quantization.values()) == tables


def test_appended_images_are_dropped_with_a_note(tmp_path):
    content = encoded(COFFEE, quality=90)
    index = segment(0xE2, b"MPF\0" + bytes(40))
    (tmp_path / "a.jpg").write_bytes(content[:2] + index + content[2:] + content)
    image = read(tmp_path / "a.jpg")
    assert f"{len(content)} bytes" in image.notes[0]
    write(tmp_path / "b.jpg", image)
    assert b"MPF\0" not in (tmp_path / "b.jpg").read_bytes()


def test_refused(tmp_path):
    path = tmp_path / "a.jpg"
    good = encoded(COFFEE, quality=90)
    buffer = io.BytesIO()
    Image.fromarray(COFFEE).convert("CMYK").save(buffer, "JPEG")
    frame = good.index(b"\xff\xc0")
    huge = good[: frame + 5] + b"\xff\xff\xff\xff" + good[frame + 9 :]
    zero = good[: frame + 5] + b"\0\0\0\0" + good[frame + 9 :]
    arithmetic = good[:frame] + b"\xff\xc9" + good[frame + 2 :]
    garbage = b"\xff\xd8\xff" + bytes(range(1, 250))
    cases = {
        "CMYK": buffer.getvalue(), "truncated": good[:-40], "no pixels": zero,
        "rare": arithmetic, "a.jpg": garbage,
    }  # fmt: skip
    for words, content in cases.items():
        path.write_bytes(content)
        with pytest.raises(FileError, match=words) as caught:
            read(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(huge)
    with pytest.raises(FileError, match="65535 x 65535 x 3 values, more than the limit"):
        read(path)
