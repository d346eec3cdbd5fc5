"""TIFF files of unusual layout, damaged, or refused."""

import contextlib
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.io_help import copy_with_new_pixels, noise, opened
from zspot.core.errors import FileError
from zspot.io import open_stack, read, write
from zspot.io.tiff.ifd import TOO_LARGE, Flavour


def test_short_byte_counts_grow(tmp_path):
    """Byte counts may be stored as 16-bit numbers; a strip that outgrows them must still fit."""
    height, width = 400, 400
    raw = zlib.compress(bytes(height * width))
    entries = [
        (256, 3, width), (257, 3, height), (258, 3, 8), (259, 3, 8), (262, 3, 1),
        (273, 4, 8), (277, 3, 1), (278, 3, height), (279, 3, len(raw)),
    ]  # fmt: skip
    place = 8 + len(raw) + len(raw) % 2
    packed = struct.pack("<H", len(entries))
    for code, kind, value in entries:
        packed += struct.pack("<HHII", code, kind, 1, value)
    content = struct.pack("<2sHI", b"II", 42, place) + raw.ljust(place - 8, b"\0") + packed
    (tmp_path / "a.tif").write_bytes(content + bytes(4))
    _, new, target = copy_with_new_pixels(tmp_path, tmp_path / "a.tif")
    assert target.stat().st_size > 70000
    np.testing.assert_array_equal(tifffile.imread(target), new)
    np.testing.assert_array_equal(np.asarray(opened(target)), new)


@pytest.mark.parametrize("order", ["pixels first", "tags first"])
def test_compressed_files_do_not_grow(tmp_path, order):
    pixels = noise((5, 256, 300), "u1")
    if order == "tags first":
        tifffile.imwrite(
            tmp_path / "a.tif", pixels, compression="zlib", rowsperstrip=8, metadata=None,
            photometric="minisblack",
        )  # fmt: skip
    else:
        first, *rest = [Image.fromarray(page) for page in pixels]
        first.save(
            tmp_path / "a.tif", save_all=True, append_images=rest, compression="tiff_adobe_deflate"
        )
    old = (tmp_path / "a.tif").stat().st_size
    image, target = read(tmp_path / "a.tif"), tmp_path / "b.tif"
    # As a denoiser does: less noise, so that every strip becomes shorter.
    write(target, image.replace(image.data // 2))
    assert target.stat().st_size <= old
    np.testing.assert_array_equal(tifffile.imread(target), pixels // 2)
    write(target, image.replace(np.zeros_like(image.data)), overwrite=True)
    assert target.stat().st_size <= old
    np.testing.assert_array_equal(tifffile.imread(target), 0 * pixels)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_that_share_their_pixels_are_separated(tmp_path, compression):
    source = tmp_path / "a.tif"
    pixels = np.stack([noise((20, 30), "u2")] * 2)
    # The rows of a strip differ in size from page to page, so that the pages are not one run.
    with tifffile.TiffWriter(source) as writer:
        for page in pixels:
            writer.write(page, metadata=None, compression=compression, rowsperstrip=7)
    with tifffile.TiffFile(source) as tif:
        pages = [page for page in tif.pages if isinstance(page, tifffile.TiffPage)]
        first, second = (page.tags[273] for page in pages)
    content = bytearray(source.read_bytes())
    content[second.valueoffset : second.valueoffset + 12] = struct.pack("<3I", *first.value)
    source.write_bytes(content)
    image, new, target = copy_with_new_pixels(tmp_path, source)
    np.testing.assert_array_equal(image.data, pixels)
    assert not np.array_equal(new[0], new[1])
    np.testing.assert_array_equal(tifffile.imread(target), new)


def test_sparse_strips_are_filled(tmp_path):
    """GDAL writes no strip for a region of zeros: offset and byte count are zero."""
    source = tmp_path / "a.tif"
    tifffile.imwrite(
        source, noise((20, 30), "u2"), metadata=None, compression="zlib", rowsperstrip=5
    )
    content = bytearray(source.read_bytes())
    with tifffile.TiffFile(source) as tif:
        for code in (273, 279):
            tag = tif.pages.first.tags[code]
            size = 2 if int(tag.dtype) == 3 else 4
            content[tag.valueoffset + size : tag.valueoffset + 2 * size] = bytes(size)
    source.write_bytes(content)
    image, new, target = copy_with_new_pixels(tmp_path, source)
    assert not image.data[5:10].any()
    np.testing.assert_array_equal(tifffile.imread(target), new)


def test_refused(tmp_path):
    path = tmp_path / "a.tif"
    cases = {
        "palette": {"data": noise((8, 8), "u1"), "colormap": np.zeros((3, 256), np.uint16)},
        "CMYK": {"data": noise((8, 8, 4), "u1"), "photometric": "separated"},
        "1-bit": {"data": noise((8, 8), "u2") > 9},
        "4-bit": {"data": noise((8, 8), "u1") % 16, "bitspersample": 4},
        "complex64": {"data": noise((8, 8), "c8")},
        "uint64": {"data": noise((8, 8), "u8")},
        "sensor": {"data": noise((8, 8), "u2"), "photometric": "cfa"},
        "rare colour": {"data": noise((8, 8, 3), "u1"), "photometric": "cielab"},
    }
    for words, options in cases.items():
        tifffile.imwrite(path, options.pop("data"), metadata=None, **options)
        with pytest.raises(FileError, match=words) as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_a_file_that_would_outgrow_its_kind_is_named(tmp_path, monkeypatch):
    source, target = tmp_path / "a.tif", tmp_path / "b.tif"
    tifffile.imwrite(source, noise((5, 64, 64), "u2"), compression="zlib", rowsperstrip=8)

    def past_the_end(flavour, offset):  # as at 4 GB, where offsets end
        raise FileError(TOO_LARGE)

    monkeypatch.setattr(Flavour, "pointer", past_the_end)
    with open_stack(source, target) as stack:
        planes = map(stack.read, range(5))
        with pytest.raises(FileError, match="4 GB") as caught:
            stack.write(target, planes, overwrite=False)
    assert str(caught.value).startswith(str(target))
    assert not target.exists()


def test_damage_is_reported(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((64, 64), "u2"), metadata=None, compression="zlib")
    content = path.read_bytes()
    with tifffile.TiffFile(path) as tif:
        width = tif.pages.first.tags[256].valueoffset
        data = tif.pages.first.dataoffsets[0]
    huge = content[:width] + b"\xff\xff\xff\x7f" + content[width + 4 :]
    zero = content[:width] + bytes(4) + content[width + 4 :]
    lost = content[:4] + struct.pack("<I", len(content) - 300) + content[8:]
    broken = content[: data + 9] + bytes(200) + content[data + 209 :]
    cases = [
        (content[:-300], "truncated"), (content[:9], "a.tif"), (zero, "a.tif"), (lost, "a.tif"),
        (huge, "more than the limit"), (broken, "decoded"),
    ]  # fmt: skip
    for bad, words in cases:
        path.write_bytes(bad)
        with pytest.raises(FileError, match=words) as caught:
            read(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(content)
    with pytest.raises(FileError, match="64 x 64 values, more than the limit of 4095"):
        read(path, max_pixels=4095)


def test_crafted_layouts(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((20, 30), "u2"), metadata=None, tile=(16, 16), compression="zlib")
    content = path.read_bytes()
    with tifffile.TiffFile(path) as tif:
        width = tif.pages.first.tags[322].valueoffset
        places = tif.pages.first.tags[324].valueoffset
    wide = content[:width] + struct.pack("<H", 65520) + content[width + 2 :]
    inside = content[:places] + struct.pack("<I", 1) + content[places + 4 :]
    path.write_bytes(wide)
    with pytest.raises(FileError, match="16 x 65520 x 1 values, more than the limit"):
        read(path, max_pixels=10**6)
    path.write_bytes(inside)
    with pytest.raises(FileError, match="header"):
        read(path)


def test_endless_directories_end(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((16, 16), "u2"), metadata=None)
    content = path.read_bytes()
    (count,) = struct.unpack("<H", content[8:10])
    following = 10 + 12 * count
    path.write_bytes(content[:following] + struct.pack("<I", 8) + content[following + 4 :])
    with contextlib.suppress(FileError):  # some versions of tifffile refuse
        np.testing.assert_array_equal(read(path).data, noise((16, 16), "u2"))


def test_part_of_a_set_is_read_alone(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", noise((2, 16, 16), "u2"), metadata={"axes": "ZYX"})
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tif:
        text = tif.ome_metadata
    assert text is not None
    text = text.replace('SizeZ="2"', 'SizeZ="3"')
    elsewhere = (
        '<TiffData IFD="0" FirstZ="2"><UUID FileName="b.ome.tif">'
        "urn:uuid:00000000-0000-0000-0000-000000000000</UUID></TiffData>"
    )
    text = text.replace("<TiffData", elsewhere + "<TiffData", 1)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=False) as writer:
        writer.write(noise((2, 16, 16), "u2"), metadata=None, description=text.encode())
    image = read(tmp_path / "a.ome.tif")
    assert image.data.shape == (2, 16, 16)
    assert "only this one is read" in image.notes[0]
