"""FITS."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io_help import refused
from zspot.core.errors import FileError
from zspot.files import denoise_file
from zspot.io import ImageFile, read, write

fits = pytest.importorskip("astropy.io.fits")


def values(shape, kind, seed=0):
    spread = np.random.default_rng(seed).random(shape) * 120
    return (spread + (40000 if kind == "u2" else 0)).astype(kind)


def contents(path):
    with fits.open(path, memmap=False) as units:
        return [
            (unit.header.copy(), None if unit.data is None else np.array(unit.data))
            for unit in units
        ]


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 20), min_size=2, max_size=4),
    st.sampled_from(["u1", "i1", "i2", "u2", "i4", "u4", "f4", "f8"]), st.booleans(), st.booleans(),
)  # fmt: skip
def test_round_trips(tmp_path, shape, kind, extension, others):
    pixels = values(shape, kind)
    image = fits.ImageHDU(pixels, name="SCI") if extension else fits.PrimaryHDU(pixels)
    image.header["OBJECT"], image.header["EXPTIME"] = "M31", (30.5, "seconds")
    image.header.add_history("flat")
    units = [fits.PrimaryHDU(), image] if extension else [image]
    if others:
        units.append(fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.arange(5.0))]))
        units.append(fits.ImageHDU(values((3, 4), "f4"), name="ERR"))
    fits.HDUList(units).writeto(tmp_path / "a.fits", overwrite=True)
    record = read(tmp_path / "a.fits")
    assert record.axes == "Q" * (len(shape) - 2) + "YX"
    assert record.data.dtype == np.dtype(kind)
    np.testing.assert_array_equal(record.data, pixels)
    assert any("keep their old pixels: 1" in note for note in record.notes) == others
    write(tmp_path / "b.fits", record, overwrite=True)
    assert (tmp_path / "b.fits").read_bytes() == (tmp_path / "a.fits").read_bytes()
    new = values(shape, kind, 1)
    write(tmp_path / "b.fits", record.replace(new), overwrite=True)
    before, after = contents(tmp_path / "a.fits"), contents(tmp_path / "b.fits")
    assert [repr(head) for head, _ in before] == [repr(head) for head, _ in after]
    np.testing.assert_array_equal(after[extension][1], new)
    assert after[extension][1].dtype.newbyteorder("=") == np.dtype(kind)
    write(tmp_path / "c.fits", ImageFile(new, record.axes), overwrite=True)
    np.testing.assert_array_equal(read(tmp_path / "c.fits").data, new)


def test_blank_and_nan_are_left_as_they_are(tmp_path):
    pixels = values((30, 40), "i2")
    pixels[4:9, 5:20] = -32768
    unit = fits.PrimaryHDU(pixels)
    unit.header["BLANK"] = -32768
    unit.writeto(tmp_path / "a.fits")
    _, notes = denoise_file(tmp_path / "a.fits", tmp_path / "b.fits", "zs-n2n", effort="fast")
    image = read(tmp_path / "b.fits")
    assert image.metadata["nodata"] == -32768
    np.testing.assert_array_equal(image.data == -32768, pixels == -32768)
    assert not notes
    holes = values((3, 30, 40), "f4")
    holes[1, 4:9, 5:20] = np.nan
    fits.PrimaryHDU(holes).writeto(tmp_path / "c.fits")
    denoise_file(tmp_path / "c.fits", tmp_path / "d.fits", "zs-n2n", effort="fast")
    after = read(tmp_path / "d.fits").data
    np.testing.assert_array_equal(np.isnan(after), np.isnan(holes))
    assert all(np.nanstd(new) < np.nanstd(old) for new, old in zip(after, holes, strict=True))


def test_scaled_integers_keep_their_scale(tmp_path):
    unit = fits.PrimaryHDU(values((30, 40), "i2"))
    unit.header["BSCALE"], unit.header["BZERO"] = 0.5, 3.0
    unit.writeto(tmp_path / "a.fits")
    denoise_file(tmp_path / "a.fits", tmp_path / "b.fits", "zs-n2n", effort="fast")
    (_, before), (_, after) = contents(tmp_path / "a.fits")[0], contents(tmp_path / "b.fits")[0]
    assert after.mean() == pytest.approx(before.mean(), rel=0.05)
    assert after.std() < before.std()
    with fits.open(tmp_path / "b.fits", do_not_scale_image_data=True) as units:
        assert (units[0].header["BSCALE"], units[0].header["BZERO"]) == (0.5, 3.0)


def test_checksums_and_compressed_images(tmp_path):
    unit = fits.PrimaryHDU(values((30, 40), "i2"))
    unit.writeto(tmp_path / "a.fits", checksum=True)
    image = read(tmp_path / "a.fits")
    assert "checksum" in image.notes[0]
    write(tmp_path / "b.fits", image.replace(image.data + 1))
    assert "DATASUM" not in contents(tmp_path / "b.fits")[0][0]
    unit = fits.CompImageHDU(values((30, 40), "i2"))
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(tmp_path / "c.fits")
    with pytest.raises(FileError, match="holds a compressed image"):
        read(tmp_path / "c.fits")


def test_refused(tmp_path):
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(values((70, 60), "i2")).writeto(path)
    refused(path, 1000, (20, 1000, 4000))
    fits.PrimaryHDU(np.zeros((5, 5), "i8")).writeto(path, overwrite=True)
    with pytest.raises(FileError, match="int64"):
        read(path)
    fits.PrimaryHDU().writeto(path, overwrite=True)
    with pytest.raises(FileError, match="holds no image"):
        read(path)
    alpha = ImageFile(np.zeros((3, 4), np.uint8), "YX", np.zeros((3, 4), np.uint8))
    for image in (alpha, ImageFile(np.zeros((3, 4), np.float16), "YX")):
        with pytest.raises(FileError, match="FITS cannot"):
            write(tmp_path / "b.fits", image)
