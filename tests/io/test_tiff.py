"""TIFF: sources and results go through tifffile and Pillow, and are compared tag by tag."""

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.io_help import ICC, TYPES, copy_with_new_pixels, noise, opened, tags_of
from zspot.io import ImageFile, read, write


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
    pixels = noise(shape, "u2")
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
        source, noise(shape, "u2"), imagej=True, resolution=(9.6, 9.7), metadata=metadata,
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
        writer.write(noise((5, 20, 30), "u2"), metadata={"axes": "ZYX"}, truncate=True)
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
            writer.write(noise((20, 30), "u2", seed=i), metadata=None, description=f"page {i}")
    image, new, target = copy_with_new_pixels(tmp_path, source)
    assert image.axes == "QYX"
    assert image.channel_axis is None
    np.testing.assert_array_equal(tifffile.imread(target), new)
    assert [tags[270][2] for tags in tags_of(target)] == ["'page 0'", "'page 1'", "'page 2'"]


def test_other_images_keep_their_pixels(tmp_path):
    source = tmp_path / "a.tif"
    big, small = noise((64, 96), "u2"), noise((32, 48), "u2")
    with tifffile.TiffWriter(source) as writer:
        writer.write(big, metadata=None, subifds=1, compression="zlib")
        writer.write(small, metadata=None, subfiletype=1, compression="zlib")
        writer.write(noise((5, 6), "u1"), metadata=None)
    image, new, target = copy_with_new_pixels(tmp_path, source)
    assert "pyramid" in image.notes[0]
    assert "keep their old pixels: 1" in image.notes[1]
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
    pixels = noise((20, 31), "u2")
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
    data = noise((20, 30, 3), "u2")
    alpha = noise((20, 30), "u2", seed=5)
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
