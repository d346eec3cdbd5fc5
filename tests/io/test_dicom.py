"""DICOM."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io_help import refused
from zspot.core.errors import FileError
from zspot.files import denoise_file
from zspot.io import ImageFile, read, write

pydicom = pytest.importorskip("pydicom")
SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"
WRITTEN = {
    "SOPInstanceUID", "ImageType", "DerivationDescription", "PixelData",
    "PlanarConfiguration", "NumberOfFrames",
}  # fmt: skip


def make(path, pixels, bits=16, colour="MONOCHROME2", **tags):
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, "1.2.3.4"
    made.PatientName, made.RescaleSlope, made.RescaleIntercept = "No^One", "2", "-1024"
    made.set_pixel_data(pixels, colour, bits)
    for name, value in tags.items():
        setattr(made, name, value)
    made.save_as(path, enforce_file_format=True)
    return path


def values(shape, kind, bits, seed=0):
    low = -(2 ** (bits - 1)) if kind.startswith("i") else 0
    return np.random.default_rng(seed).integers(low, low + 2**bits, shape).astype(kind)


def dataset(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path)


@settings(max_examples=40)
@given(
    st.integers(1, 3), st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.sampled_from(["u1 8", "u2 10", "u2 12", "u2 16", "i2 12", "i2 16", "rgb 8"]),
)  # fmt: skip
def test_round_trips(tmp_path, frames, sides, kind):
    kind, bits = kind.split()[0], int(kind.split()[1])
    rgb, kind = kind == "rgb", "u1" if kind == "rgb" else kind
    shape = (*([frames] if frames > 1 else []), *sides, *([3] if rgb else []))
    pixels = values(shape, kind, bits)
    source = make(tmp_path / "a.dcm", pixels, bits, "RGB" if rgb else "MONOCHROME2")
    image = read(source)
    assert image.axes == ("Q" if frames > 1 else "") + "YX" + ("S" if rgb else "")
    np.testing.assert_array_equal(image.data, pixels)
    assert image.data.dtype == np.dtype(kind)
    new = values(shape, kind, bits, 1)
    write(tmp_path / "b.dcm", image.replace(new), overwrite=True)
    np.testing.assert_array_equal(read(tmp_path / "b.dcm").data, new)
    before, after = dataset(source), dataset(tmp_path / "b.dcm")
    names = {element.keyword for element in before} | {element.keyword for element in after}
    for name in names - WRITTEN:
        assert before[name] == after[name], name
    assert after.SOPInstanceUID not in ("1.2.3.4", "None")
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
    assert after.ImageType[:2] == ["DERIVED", "SECONDARY"]
    first = (tmp_path / "b.dcm").read_bytes()
    write(tmp_path / "b.dcm", image.replace(new), overwrite=True)
    assert (tmp_path / "b.dcm").read_bytes() == first
    high = np.full_like(new, np.iinfo(new.dtype).max)
    write(tmp_path / "b.dcm", image.replace(high), overwrite=True)
    top = 2 ** (bits - (new.dtype.kind == "i")) - 1
    assert read(tmp_path / "b.dcm").data.max() == top


@pytest.mark.parametrize("limit", [None, -1900])
def test_padding_is_left_as_it_is(tmp_path, limit):
    pixels = np.random.default_rng(0).normal(100, 20, (30, 40)).astype("i2")
    pixels[:, :9] = -2000
    pixels[:, 9:11] = np.arange(-1960, -1900).reshape(30, 2)
    tags = {"PixelPaddingValue": -2000}
    tags |= {} if limit is None else {"PixelPaddingRangeLimit": limit}
    source = make(tmp_path / "a.dcm", pixels, **tags)
    denoise_file(source, tmp_path / "b.dcm", "zs-n2n", effort="fast", keep_outliers=True)
    after = read(tmp_path / "b.dcm").data
    width = 9 if limit is None else 11
    np.testing.assert_array_equal(after[:, :width], pixels[:, :width])
    assert (after[:, width:] != pixels[:, width:]).mean() > 0.5
    assert dataset(tmp_path / "b.dcm").DerivationDescription.startswith("denoised by zspot")


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm", "J2K_pixelrep_mismatch.dcm",
        "MR_small_padded.dcm", "ExplVR_BigEnd.dcm",
    ],
)  # fmt: skip
def test_files_of_pydicom(tmp_path, name):
    source = SAMPLES / name
    if not source.exists():
        pytest.skip("this pydicom has no such sample")
    image = read(source)
    target = tmp_path / "b.dcm"
    write(target, image)
    again = read(target)
    np.testing.assert_array_equal(again.data, image.data)
    assert again.notes == ()
    syntax = dataset(source).file_meta.TransferSyntaxUID
    assert bool(image.notes) == (syntax not in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1"))
    before, after = dataset(source), dataset(target)
    left = {e.keyword for e in before} - {e.keyword for e in after} - {"PixelData"}
    assert left <= {"", "NumberOfFrames", "PlanarConfiguration", "DataSetTrailingPadding"}


def test_refused(tmp_path):
    path = make(tmp_path / "a.dcm", values((30, 40), "u2", 12), 12)
    content = refused(path, 100, (140, 300, path.stat().st_size // 2))
    (tmp_path / "scan").write_bytes(content)
    with pytest.raises(FileError, match=r"rename it to scan\.dcm"):
        read(tmp_path / "scan")
    with pytest.raises(FileError, match="from DICOM only"):
        write(tmp_path / "b.dcm", ImageFile(np.zeros((3, 4), np.uint8), "YX"))


def test_pixels_that_are_not_in_the_low_bits_are_refused(tmp_path):
    path = make(tmp_path / "a.dcm", values((16, 16), "u2", 12), 12, HighBit=15)
    with pytest.raises(FileError, match="spare bits"):
        read(path)
    path = make(tmp_path / "b.dcm", values((16, 16), "u2", 12), 12)
    source = pydicom.dcmread(path)
    source.add_new(0x60000102, "US", 15)
    source.save_as(path)
    with pytest.raises(FileError, match="spare bits"):
        read(path)


def test_a_coding_without_its_decoder_names_what_is_missing(tmp_path, monkeypatch):
    from pydicom.pixels.decoders import base
    from pydicom.uid import JPEGLosslessSV1

    path = make(tmp_path / "a.dcm", values((16, 16), "u2", 16))
    source = pydicom.dcmread(path)
    source.compress(pydicom.uid.RLELossless)
    source.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    source.save_as(path)
    monkeypatch.setattr(base.get_decoder(JPEGLosslessSV1), "_available", {})
    with pytest.raises(FileError, match="pip install what decodes it"):
        read(path)


@pytest.mark.parametrize("size", [8, 512, 4096])
def test_padding_behind_the_pixels_is_no_part_of_the_result(tmp_path, size):
    pixels = values((20, 30), "u2", 12)
    source = make(tmp_path / "a.dcm", pixels, 12)
    source.write_bytes(source.read_bytes() + bytes(size))
    image = read(source)
    np.testing.assert_array_equal(image.data, pixels)
    write(tmp_path / "b.dcm", image)
    assert dataset(tmp_path / "b.dcm").PatientName == "No^One"
    np.testing.assert_array_equal(read(tmp_path / "b.dcm").data, pixels)


@pytest.mark.parametrize(("kind", "value"), [("u2", 5000), ("i2", -3024), ("u2", 32768)])
def test_values_beyond_the_bits_that_are_named_are_refused(tmp_path, kind, value):
    pixels = values((30, 40), kind, 12)
    path = make(tmp_path / "a.dcm", pixels, 12)
    assert np.array_equal(read(path).data, pixels)
    made = pydicom.dcmread(path)
    pixels[4:9, 5:9] = value
    made.PixelData = pixels.tobytes()
    made.save_as(path)
    with pytest.raises(FileError, match="more than the 12 bits it names; convert it"):
        read(path)


def test_what_rescaling_means_is_told_where_it_is_lost(tmp_path):
    path = make(tmp_path / "a.dcm", values((30, 40), "u2", 12), 12)
    _, notes = denoise_file(path, tmp_path / "b.tif", "zs-n2n", effort="fast")
    assert any("without RescaleSlope and RescaleIntercept" in note for note in notes)


@pytest.mark.parametrize("charset", ["ISO_IR 192", "ISO_IR 100", "ISO_IR 6"])
def test_names_keep_their_bytes_whatever_charset_is_named(tmp_path, charset):
    path = make(tmp_path / "a.dcm", values((30, 40), "u2", 12), 12, SpecificCharacterSet=charset)
    written = path.read_bytes()
    path.write_bytes(written.replace(b"No^One", b"M\xfc^One"))
    denoise_file(path, tmp_path / "b.dcm", "zs-n2n", effort="fast")
    assert b"M\xfc^One" in (tmp_path / "b.dcm").read_bytes()
