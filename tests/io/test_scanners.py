"""TIFF under the names of scanners and microscopes: SVS, LSM, NDPI; previews of camera RAW."""

import struct

import numpy as np
import pytest
import tifffile

from tests.io_help import noise, tags_of
from zspot.core.errors import FileError
from zspot.files import denoise_file
from zspot.io import output_name, read, write


def make_svs(path, **options):
    """A tiled picture, its thumbnail and a reduced copy, as Aperio scanners write them."""
    text = "Aperio Image Library v11.2.1\r\n96x64 [0,0 96x64] (16x16) Q=70|AppMag = 20|MPP = 0.5"
    picture = noise((64, 96, 3))
    with tifffile.TiffWriter(path) as writer:
        common = {"photometric": "rgb", "metadata": None, **options}
        writer.write(picture, tile=(16, 16), description=text, **common)
        writer.write(picture[::4, ::4], description="Aperio thumbnail", **common)
        writer.write(picture[::2, ::2], tile=(16, 16), description="Aperio copy", **common)
    return picture


@pytest.mark.parametrize("compression", [None, "zlib", "jpeg", "jpeg2000"])
def test_svs(tmp_path, compression):
    make_svs(tmp_path / "a.svs", compression=compression)
    image = read(tmp_path / "a.svs")
    assert image.data.shape == (64, 96, 3)
    assert any("keep their old pixels" in note for note in image.notes)
    new = noise(image.data.shape, "u1", 1)
    write(tmp_path / "b.svs", image.replace(new))
    np.testing.assert_array_equal(read(tmp_path / "b.svs").data, new)
    with tifffile.TiffFile(tmp_path / "a.svs") as a, tifffile.TiffFile(tmp_path / "b.svs") as b:
        assert b.is_svs
        assert [page.description for page in b.pages] == [page.description for page in a.pages]
        for old, kept in zip(a.pages[1:], b.pages[1:], strict=True):
            np.testing.assert_array_equal(kept.asarray(), old.asarray())


def make_lsm(path, planes=3, channels=3):
    """Pages of full size with a thumbnail after each, and the table that says so."""
    dtype = np.dtype(tifffile.TIFF.CZ_LSMINFO)
    table = np.zeros(1, dtype)
    table["MagicNumber"], table["StructureSize"] = 67127628, dtype.itemsize
    table["DimensionX"], table["DimensionY"], table["DimensionZ"] = 30, 20, planes
    table["DimensionChannels"], table["DimensionTime"] = channels, 1
    tag = (34412, 1, dtype.itemsize, table.tobytes(), True)
    data = noise((planes, channels, 20, 30))
    with tifffile.TiffWriter(path) as writer:
        for number, plane in enumerate(data):
            common = {"photometric": "minisblack", "planarconfig": "separate", "metadata": None}
            writer.write(plane, extratags=[tag] if number == 0 else [], **common)
            writer.write(plane[:, ::4, ::4], subfiletype=1, **common)
    return data


def test_lsm(tmp_path):
    data = make_lsm(tmp_path / "a.lsm")
    image = read(tmp_path / "a.lsm")
    assert image.axes.endswith("ZCYX")
    np.testing.assert_array_equal(image.data.reshape(data.shape), data)
    denoise_file(tmp_path / "a.lsm", tmp_path / "b.lsm", "zs-n2n", effort="fast")
    after = read(tmp_path / "b.lsm").data.reshape(data.shape)
    assert (after.std((2, 3)) < data.std((2, 3))).all()
    assert tags_of(tmp_path / "b.lsm") == tags_of(tmp_path / "a.lsm")
    with tifffile.TiffFile(tmp_path / "a.lsm") as a, tifffile.TiffFile(tmp_path / "b.lsm") as b:
        np.testing.assert_array_equal(a.series[1].asarray(), b.series[1].asarray())


def make_ndpi(path, picture):
    """TIFF with file offsets of 64 bits, whose upper halves follow the tags."""
    rows, columns, _ = picture.shape
    values = {
        256: columns, 257: rows, 258: 8, 259: 1, 262: 2, 271: 0x6D6148, 273: 12, 277: 3,
        278: rows, 279: picture.nbytes, 65420: 1,
    }  # fmt: skip
    tags = b"".join(
        struct.pack("<HHII", code, 2 if code == 271 else 4, 4 if code == 271 else 1, value)
        for code, value in values.items()
    )
    end = struct.pack("<Q", 0) + bytes(4 * len(values))
    head = b"II*\0" + struct.pack("<Q", 12 + picture.nbytes)
    path.write_bytes(head + picture.tobytes() + struct.pack("<H", len(values)) + tags + end)


def test_ndpi_becomes_a_plain_tiff(tmp_path):
    picture = noise((64, 96, 3))
    make_ndpi(tmp_path / "a.ndpi", picture)
    assert output_name(tmp_path / "a.ndpi").name == "a.tif"
    _, notes = denoise_file(tmp_path / "a.ndpi", tmp_path / "a.tif", "zs-n2n", effort="fast")
    assert any("NDPI" in note for note in notes)
    assert read(tmp_path / "a.tif").data.shape == picture.shape


def test_previews_of_raw_files_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(noise((8, 12, 3)), photometric="rgb", subifds=1, metadata=None)
        writer.write(noise((64, 96), "u2"), photometric="cfa", metadata=None)
    with pytest.raises(FileError, match="camera suffix"):
        read(tmp_path / "a.tif")
    (tmp_path / "b.tif").write_bytes(b"II*\0\x10\0\0\0CR\2\0" + bytes(100))
    with pytest.raises(FileError, match="is not a TIFF file"):
        read(tmp_path / "b.tif")
