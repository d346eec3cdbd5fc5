"""TIFF: sources and results go through tifffile and Pillow, and are compared tag by tag."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from zspot.io import FileError, ImageFile, read, write

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TYPES = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]
# Where the pixels lie and how long their compressed form is: the only tags that may change.
PLACES = {273, 279, 324, 325}


def noise(shape, kind="u2", seed=0):
    values = np.random.default_rng(seed).random(shape) * 200
    return values.astype(kind)


def opened(path):
    return Image.open(io.BytesIO(path.read_bytes()))


def tags_of(path, allowed=PLACES):
    """All tags of all pages, as their types and values."""
    with tifffile.TiffFile(path) as tif:
        return [
            {t.code: (t.dtype, t.count, repr(t.value)) for t in page.tags if t.code not in allowed}
            for page in tif.pages
            if isinstance(page, tifffile.TiffPage)
        ]


def copy_with_new_pixels(tmp_path, source, seed=1):
    """Read, replace the pixels by noise, write; return record, new pixels, and target."""
    image = read(source)
    new = noise(image.data.shape, image.data.dtype, seed)
    target = tmp_path / f"target{source.suffix}"
    write(target, image.replace(new), overwrite=True)
    return image, new, target


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize("layout", ["strips", "tiles"])
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize("flavour", [("<", False), (">", True)])
def test_everything_is_kept(tmp_path, compression, layout, kind, flavour):
    shape = (45, 70, 3)
    source = tmp_path / "a.tif"
    options = {"tile": (16, 32)} if layout == "tiles" else {"rowsperstrip": 7}
    predicted = compression in ("lzw", "zlib", "zstd")
    tifffile.imwrite(
        source, np.zeros(shape, kind), photometric="rgb", byteorder=flavour[0], bigtiff=flavour[1],
        compression=compression, predictor=predicted or None, metadata=None,
        description="a noisy image", software="microscope 3", datetime="2024:02:29 01:02:03",
        resolution=(3937.5, 1200), resolutionunit="CENTIMETER",
        extratags=[
            (315, 2, 0, "artist", True), (700, 1, 12, b"<x:xmpmeta/>", True), (274, 3, 1, 6, True),
            (34675, 7, len(ICC), ICC, True), (65000, 7, 5, b"hello", True),
        ],
        **options,
    )  # fmt: skip
    image, new, target = copy_with_new_pixels(tmp_path, source)
    assert image.axes == "YXS"
    assert image.notes == ()
    assert image.metadata["icc"] == ICC
    assert image.metadata["xmp"] == b"<x:xmpmeta/>"
    assert image.metadata["description"] == "a noisy image"
    assert image.metadata["resolution"] == (3937.5, 1200, "cm")
    with tifffile.TiffFile(target) as tif:
        assert tif.byteorder == flavour[0]
        assert tif.is_bigtiff == flavour[1]
        np.testing.assert_array_equal(tif.asarray(), new)
        assert tif.asarray().dtype == kind
    assert tags_of(target) == tags_of(source)
    # The same pixels again give the same values; nothing accumulates in the file.
    first = target.stat().st_size
    write(target, read(target), overwrite=True)
    np.testing.assert_array_equal(tifffile.imread(target), new)
    assert target.stat().st_size == first


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 3, 4, 5]),
    st.sampled_from(TYPES), st.sampled_from([None, "zlib", "lzw"]), st.booleans(),
    st.sampled_from("<>"), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_any_shape(tmp_path_factory, height, width, count, kind, compression, tiled, order, seed):
    folder = tmp_path_factory.mktemp("tiff")
    size = np.dtype(kind).itemsize
    bits = np.random.default_rng(seed).integers(0, 256, (height, width, count, size))
    pixels = np.ascontiguousarray(bits.astype(np.uint8).view(kind)[..., 0])
    if count == 1:
        pixels = pixels[..., 0]
    alpha = count in (2, 4)
    tifffile.imwrite(
        folder / "a.tif", np.zeros_like(pixels), metadata=None, byteorder=order,
        photometric="rgb" if count > 2 else "minisblack",
        planarconfig="contig" if count > 1 else None, compression=compression,
        extrasamples=["unassalpha"] if alpha else (["unspecified"] * 2 if count == 5 else None),
        tile=(16, 16) if tiled else None, predictor=(compression == "zlib") or None,
    )  # fmt: skip
    image = read(folder / "a.tif")
    assert (image.alpha is not None) == alpha
    colours = pixels[..., :-1] if alpha else pixels
    new = np.ascontiguousarray(colours.reshape(image.data.shape))
    write(folder / "b.tif", image.replace(new))
    result = tifffile.imread(folder / "b.tif")
    expected = np.concatenate([colours, np.zeros_like(colours[..., :1])], -1) if alpha else colours
    assert result.dtype == kind
    assert result.tobytes() == expected.astype(kind).tobytes()
    assert tags_of(folder / "b.tif") == tags_of(folder / "a.tif")


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("premultiplied", [False, True])
def test_alpha_is_kept(tmp_path, planar, premultiplied):
    shape = (20, 30, 4) if planar == "contig" else (4, 20, 30)
    pixels = noise(shape)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", planarconfig=planar, metadata=None,
        extrasamples=["assocalpha" if premultiplied else "unassalpha"],
    )  # fmt: skip
    image, new, target = copy_with_new_pixels(tmp_path, tmp_path / "a.tif")
    assert image.axes == ("YXS" if planar == "contig" else "SYX")
    assert image.channel_axis == (2 if planar == "contig" else 0)
    old_alpha = pixels[..., 3] if planar == "contig" else pixels[3]
    np.testing.assert_array_equal(image.alpha, old_alpha)
    axis = -1 if planar == "contig" else 0
    expected = np.concatenate([new, np.expand_dims(old_alpha, axis)], axis)
    np.testing.assert_array_equal(tifffile.imread(target), expected)
    assert tags_of(target, set()) == tags_of(tmp_path / "a.tif", set())


def test_imagej_hyperstack(tmp_path):
    shape, source = (2, 3, 2, 20, 30), tmp_path / "a.tif"
    lut = np.zeros((3, 256), np.uint8)
    lut[0] = np.arange(256)
    metadata = {
        "axes": "TZCYX", "spacing": 0.35, "unit": "um", "finterval": 1.5, "fps": 0.67,
        "Ranges": (0.0, 180.0, 5.0, 150.0), "LUTs": [lut, lut[::-1]], "mode": "composite",
        "Labels": [f"plane {i}" for i in range(12)], "Info": "objective = 63x\n",
        "loop": False,
    }  # fmt: skip
    tifffile.imwrite(
        source, noise(shape), imagej=True, resolution=(9.6, 9.7), metadata=metadata,
        description=None,
    )  # fmt: skip
    image, new, target = copy_with_new_pixels(tmp_path, source)
    assert image.axes == "TZCYX"
    assert image.channel_axis == 2
    assert image.metadata["imagej"]["spacing"] == 0.35
    with tifffile.TiffFile(source) as a, tifffile.TiffFile(target) as b:
        assert b.is_imagej
        assert b.series[0].axes == "TZCYX"
        np.testing.assert_array_equal(b.asarray(), new)
        left, right = a.imagej_metadata, b.imagej_metadata
        assert left is not None
        assert right is not None
        for key in metadata.keys() - {"axes", "LUTs"}:
            assert right[key] == left[key]
        np.testing.assert_array_equal(right["LUTs"], left["LUTs"])
    assert tags_of(target, set()) == tags_of(source, set())


def test_imagej_display_colours_and_truncated_directory(tmp_path):
    colours = np.zeros((3, 256), np.uint16)
    colours[0] = np.arange(256) * 257
    tifffile.imwrite(tmp_path / "a.tif", noise((20, 30), "u1"), imagej=True, colormap=colours)
    image, new, target = copy_with_new_pixels(tmp_path, tmp_path / "a.tif")
    np.testing.assert_array_equal(tifffile.imread(target), new)
    assert tags_of(target, set()) == tags_of(tmp_path / "a.tif", set())
    # ImageJ writes one directory for all planes of a stack over 4 GB.
    with tifffile.TiffWriter(tmp_path / "b.tif", imagej=True) as writer:
        writer.write(noise((5, 20, 30)), metadata={"axes": "ZYX"}, truncate=True)
    image, new, target = copy_with_new_pixels(tmp_path, tmp_path / "b.tif")
    assert image.axes == "ZYX"
    with tifffile.TiffFile(target) as tif:
        assert len(tif.pages) == 1
        np.testing.assert_array_equal(tif.asarray(), new)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_ome(tmp_path, compression):
    source = tmp_path / "a.ome.tif"
    metadata = {
        "axes": "TCZYX", "PhysicalSizeX": 0.104, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.105,
        "PhysicalSizeYUnit": "µm", "PhysicalSizeZ": 0.3, "PhysicalSizeZUnit": "µm",
        "TimeIncrement": 2.5, "TimeIncrementUnit": "s", "Channel": {"Name": ["DAPI", "GFP"]},
        "Plane": {"PositionX": [0.5] * 12, "PositionXUnit": ["µm"] * 12},
    }  # fmt: skip
    tifffile.imwrite(
        source, np.zeros((2, 2, 3, 33, 40), "u2"), metadata=metadata, compression=compression,
        tile=(16, 16), photometric="minisblack",
    )  # fmt: skip
    image, new, target = copy_with_new_pixels(tmp_path, source)
    assert image.axes == "TCZYX"
    with tifffile.TiffFile(source) as a, tifffile.TiffFile(target) as b:
        assert b.ome_metadata == a.ome_metadata == image.metadata["ome_xml"]
        assert b.ome_metadata is not None
        for text in ('PhysicalSizeX="0.104"', 'PhysicalSizeZ="0.3"', 'Name="GFP"', "PositionX"):
            assert text in b.ome_metadata
        assert b.series[0].axes == "TCZYX"
        np.testing.assert_array_equal(b.asarray(), new)
    assert tags_of(target) == tags_of(source)


def test_pages_and_their_descriptions(tmp_path):
    source = tmp_path / "a.tif"
    with tifffile.TiffWriter(source) as writer:
        for i in range(3):
            writer.write(noise((20, 30), seed=i), metadata=None, description=f"page {i}")
    image, new, target = copy_with_new_pixels(tmp_path, source)
    assert image.axes == "QYX"
    assert image.channel_axis is None
    np.testing.assert_array_equal(tifffile.imread(target), new)
    assert [tags[270][2] for tags in tags_of(target)] == ["'page 0'", "'page 1'", "'page 2'"]


def test_other_images_keep_their_pixels(tmp_path):
    source = tmp_path / "a.tif"
    big, small = noise((64, 96)), noise((32, 48))
    with tifffile.TiffWriter(source) as writer:
        writer.write(big, metadata=None, subifds=1, compression="zlib")
        writer.write(small, metadata=None, subfiletype=1, compression="zlib")
        writer.write(noise((5, 6), "u1"), metadata=None)
    image, new, target = copy_with_new_pixels(tmp_path, source)
    assert "pyramid" in image.notes[0]
    assert "1 more images" in image.notes[1]
    with tifffile.TiffFile(target) as tif:
        np.testing.assert_array_equal(tif.series[0].levels[0].asarray(), new)
        np.testing.assert_array_equal(tif.series[0].levels[1].asarray(), small)
        np.testing.assert_array_equal(tif.series[1].asarray(), noise((5, 6), "u1"))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", None])
def test_written_by_libtiff_with_exif(tmp_path, compression):
    source = tmp_path / "a.tif"
    exif = Image.Exif()
    exif[271], exif[274] = "maker", 8
    if compression is None:  # Pillow cannot pass EXIF directories to libtiff
        exif.get_ifd(34665)[33434] = 0.005
        exif.get_ifd(34665)[36867] = "2024:02:29 01:02:03"
    picture = Image.fromarray(noise((100, 80, 3), "u1"))
    block = exif.tobytes()
    picture.save(source, compression=compression, exif=block, dpi=(300, 300), icc_profile=ICC)
    _, new, target = copy_with_new_pixels(tmp_path, source)
    np.testing.assert_array_equal(tifffile.imread(target), new)
    result = opened(target)
    assert result.info["compression"] == opened(source).info["compression"]
    assert result.info["dpi"] == (300, 300)
    assert result.info["icc_profile"] == ICC
    assert result.getexif()[274] == 8
    assert dict(result.getexif().get_ifd(34665)) == dict(opened(source).getexif().get_ifd(34665))
    assert len(result.getexif().get_ifd(34665)) == (2 if compression is None else 0)
    # Pillow, like every viewer, rotates by the tag when it decodes.
    np.testing.assert_array_equal(np.asarray(result), np.rot90(new))


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("tiled", [False, True])
def test_jpeg_inside_becomes_deflate(tmp_path, grey, tiled):
    source = tmp_path / "a.tif"
    shape = (64, 96) if grey else (64, 96, 3)
    tifffile.imwrite(
        source, noise(shape, "u1"), compression="jpeg", metadata=None,
        extratags=[(34675, 7, len(ICC), ICC, True)],
        photometric="minisblack" if grey else "rgb", tile=(32, 32) if tiled else None,
        compressionargs={"level": 90}, software="microscope 3",
    )  # fmt: skip
    image, new, target = copy_with_new_pixels(tmp_path, source)
    np.testing.assert_array_equal(image.data, tifffile.imread(source))
    assert image.notes == ("JPEG compression is replaced by lossless deflate; the file may grow.",)
    with tifffile.TiffFile(target) as tif:
        page = tif.pages.first
        assert page.compression == 8
        assert page.photometric == (1 if grey else 2)
        assert page.tags[34675].value == ICC
        assert page.software == "microscope 3"
        assert page.is_tiled == tiled
        np.testing.assert_array_equal(tif.asarray(), new)
    np.testing.assert_array_equal(np.asarray(opened(target)), new)


def test_libtiff_jpeg_with_tables(tmp_path):
    picture = Image.fromarray(noise((64, 96, 3), "u1"))
    picture.save(tmp_path / "a.tif", compression="jpeg", quality=90)
    _, new, target = copy_with_new_pixels(tmp_path, tmp_path / "a.tif")
    assert 347 in tags_of(tmp_path / "a.tif")[0]
    assert 347 not in tags_of(target)[0]
    np.testing.assert_array_equal(np.asarray(opened(target)), new)


@pytest.mark.parametrize("bits", [10, 12])
def test_packed_bits_stay_packed(tmp_path, bits):
    pixels = noise((20, 31))
    tifffile.imwrite(tmp_path / "a.tif", pixels, bitspersample=bits, metadata=None)
    image, new, target = copy_with_new_pixels(tmp_path, tmp_path / "a.tif")
    np.testing.assert_array_equal(image.data, pixels)
    np.testing.assert_array_equal(tifffile.imread(target), new)
    assert tags_of(target, set()) == tags_of(tmp_path / "a.tif", set())


def test_white_is_zero_is_left_alone(tmp_path):
    pixels = noise((20, 31), "u1")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite", metadata=None)
    _, new, target = copy_with_new_pixels(tmp_path, tmp_path / "a.tif")
    np.testing.assert_array_equal(tifffile.imread(target), new)
    assert tags_of(target) == tags_of(tmp_path / "a.tif")


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
    pixels = np.stack([noise((20, 30))] * 2)
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
    tifffile.imwrite(source, noise((20, 30)), metadata=None, compression="zlib", rowsperstrip=5)
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
        "1-bit": {"data": noise((8, 8)) > 9},
        "4-bit": {"data": noise((8, 8), "u1") % 16, "bitspersample": 4},
        "complex64": {"data": noise((8, 8), "c8")},
        "uint64": {"data": noise((8, 8), "u8")},
        "sensor": {"data": noise((8, 8)), "photometric": "cfa"},
        "rare colour": {"data": noise((8, 8, 3), "u1"), "photometric": "cielab"},
    }
    for words, options in cases.items():
        tifffile.imwrite(path, options.pop("data"), metadata=None, **options)
        with pytest.raises(FileError, match=words) as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_damage_is_reported(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((64, 64)), metadata=None, compression="zlib")
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
    tifffile.imwrite(path, noise((20, 30)), metadata=None, tile=(16, 16), compression="zlib")
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
    tifffile.imwrite(path, noise((16, 16)), metadata=None)
    content = path.read_bytes()
    (count,) = struct.unpack("<H", content[8:10])
    following = 10 + 12 * count
    path.write_bytes(content[:following] + struct.pack("<I", 8) + content[following + 4 :])
    with contextlib.suppress(FileError):  # some versions of tifffile refuse
        np.testing.assert_array_equal(read(path).data, noise((16, 16)))


def test_part_of_a_set_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", noise((2, 16, 16)), metadata={"axes": "ZYX"})
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
        writer.write(noise((2, 16, 16)), metadata=None, description=text.encode())
    with pytest.raises(FileError, match="join them"):
        read(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("order", ["<", ">"])
def test_converted_from_png_with_exif(tmp_path, order):
    exif = Image.Exif()
    exif.endian = order
    exif[271], exif[274] = "a maker with a long name", 6
    exif.get_ifd(34665)[33434] = 0.005
    exif.get_ifd(34665)[37500] = b"maker note with offsets"
    exif.get_ifd(34853)[1] = "N"
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    metadata = {"exif": block, "icc": ICC, "resolution": (118, 59, "cm"), "xmp": b"<x:xmpmeta/>"}
    data = noise((20, 30, 3))
    alpha = noise((20, 30), seed=5)
    image = ImageFile(data, "YXS", alpha, "png", metadata)
    write(tmp_path / "a.tif", image)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        np.testing.assert_array_equal(tif.asarray(), np.dstack([data, alpha]))
        tags = tif.pages.first.tags
        assert tags[338].value == (2,)
        assert tags[34675].value == ICC
        assert tags[700].value == b"<x:xmpmeta/>"
        assert tags[34665].value["ExposureTime"] == 0.005
        assert "MakerNote" not in tags[34665].value
        assert tags[34853].value["GPSLatitudeRef"] == "N"
        assert tags[271].value == "a maker with a long name"
        assert tags[274].value == 6
        x, y = tags[282].value, tags[283].value
        assert (x[0] / x[1], y[0] / y[1], tags[296].value) == (118, 59, 3)
    again = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(again.data, data)
    np.testing.assert_array_equal(again.alpha, alpha)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 20), min_size=2, max_size=3), st.sampled_from(TYPES),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_converted_from_npy(tmp_path_factory, shape, kind, seed):
    folder = tmp_path_factory.mktemp("convert")
    pixels = noise(shape, kind, seed)
    np.save(folder / "a.npy", pixels)
    write(folder / "a.tif", read(folder / "a.npy"))
    result = read(folder / "a.tif")
    assert result.data.dtype == kind
    assert result.data.size == pixels.size
    np.testing.assert_array_equal(result.data.ravel(), pixels.ravel())
