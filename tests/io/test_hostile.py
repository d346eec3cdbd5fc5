"""Files that promise more than they hold, are torn, or name other files: a line or a note."""

import contextlib
import io
import os
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.io_help import noise, one_line
from zspot.core.errors import FileError
from zspot.files import denoise_file
from zspot.io import open_stack, read
from zspot.recipe import Fit, Predict, Recipe, UNet

RECIPE = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(1), predict=Predict(1))
SMOOTH = np.add.outer(np.arange(96), np.arange(130)).astype(np.uint8)
PICTURE = (np.dstack([SMOOTH] * 3) // 2 + noise((96, 130, 3)) // 4).astype(np.uint8)


def refusal(path, **options):
    with pytest.raises(FileError) as caught:
        read(path, **options)
    one_line(caught, str(path))
    return str(caught.value)


def coded(form, **options):
    buffer = io.BytesIO()
    Image.fromarray(PICTURE).save(buffer, form, **options)
    return buffer.getvalue()


def webp_size(content, side):
    """A lossless WebP that says it is `side` x `side`."""
    place = content.index(b"VP8L") + 9
    bits = int.from_bytes(content[place : place + 4], "little") >> 28 << 28
    size = (side - 1) | (side - 1) << 14
    return content[:place] + (bits | size).to_bytes(4, "little") + content[place + 4 :]


def vast_jpeg():
    content = coded("JPEG")
    place = content.index(b"\xff\xc0") + 5
    return content[:place] + struct.pack(">HH", 26000, 26000) + content[place + 4 :]


def vast_bmp():
    """Run-length coded, of jumps alone."""
    rows = b"\0\2\xff\xff" * 300 + b"\0\1"
    head = struct.pack("<IiiHHIIiiII", 40, 30000, 30000, 1, 8, 1, len(rows), 0, 0, 256, 0)
    body = head + bytes(1024) + rows
    return struct.pack("<2sIHHI", b"BM", 14 + len(body), 0, 0, 14 + 40 + 1024) + body


def vast_jp2():
    content = bytes(imagecodecs.jpeg2k_encode(PICTURE, level=0))
    place = content.index(b"\xff\x51") + 6
    return content[:place] + struct.pack(">II", 20000, 20000) + content[place + 8 :]


VAST = {
    "a.jpg": vast_jpeg,
    "a.bmp": vast_bmp,
    "a.webp": lambda: webp_size(bytes(imagecodecs.webp_encode(PICTURE, lossless=True)), 16383),
    "a.jp2": vast_jp2,
}


@pytest.mark.parametrize("name", VAST)
def test_a_size_that_the_bytes_cannot_hold_is_refused_before_decoding(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(VAST[name]())
    assert "bytes can hold" in refusal(path)


@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd", "lzma", None])
def test_a_tiff_larger_than_its_bytes_is_refused_in_every_coding(tmp_path, compression):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((20, 24)), compression=compression, metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        for code in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            tif.pages.first.tags[code].overwrite(30_000)
    assert "bytes can hold" in refusal(path)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
def test_max_memory_holds_while_a_file_is_read(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    image = np.tile(noise((50, 5000, 3)), (100, 1, 1))
    if suffix == ".npy":
        np.save(path, image)
    elif suffix == ".tif":
        tifffile.imwrite(path, image, photometric="rgb")
    else:
        path.write_bytes(imagecodecs.png_encode(image, level=1))
    assert "raise max_memory" in refusal(path, max_memory="100MB")
    with pytest.raises(FileError, match="raise max_memory"):
        denoise_file(path, tmp_path / f"b{suffix}", RECIPE, max_memory="100MB")


def zeroed(content, start, count):
    return content[:start] + bytes(count) + content[start + count :]


def torn_jpegs():
    for options in ({}, {"progressive": True}, {"subsampling": 2}):
        whole = coded("JPEG", quality=90, **options)
        half, frame = len(whole) // 2, max(whole.find(b"\xff\xc0"), whole.find(b"\xff\xc2"))
        for share in (0.1, 0.5, 0.95):
            yield whole[: int(len(whole) * share)] + b"\xff\xd9"
        yield whole[:half] + whole[half + 300 :]
        yield zeroed(whole, half, 400)
        for rows in (64, 140):
            yield whole[: frame + 5] + rows.to_bytes(2, "big") + whole[frame + 7 :]


@pytest.mark.parametrize("content", list(torn_jpegs()), ids=lambda content: str(len(content)))
def test_a_torn_jpeg_with_an_end_is_refused(tmp_path, content):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    refusal(path)


def test_a_few_bytes_too_many_in_a_jpeg_are_noted(tmp_path):
    whole = coded("JPEG")
    path = tmp_path / "a.jpg"
    path.write_bytes(whole)
    good = read(path)
    path.write_bytes(whole[:-2] + b"\x15" * 9 + whole[-2:])
    image = read(path)
    np.testing.assert_array_equal(image.data, good.data)
    assert any("look at the result" in note for note in image.notes)
    assert not good.notes


@pytest.mark.parametrize("name", ["a.webp", "lossy.webp", "a.avif", "a.jp2", "a.j2k"])
def test_zeros_in_a_coded_picture_are_told(tmp_path, name):
    path = tmp_path / name
    image = np.tile(PICTURE, (2, 2, 1))
    made = {
        "a.webp": lambda: imagecodecs.webp_encode(image, lossless=True),
        "lossy.webp": lambda: imagecodecs.webp_encode(image, level=95, lossless=False),
        "a.avif": lambda: imagecodecs.avif_encode(image, level=100, speed=10),
        "a.jp2": lambda: imagecodecs.jpeg2k_encode(image, level=0),
        "a.j2k": lambda: imagecodecs.jpeg2k_encode(image, level=0, codecformat="j2k"),
    }
    whole = bytes(made[name]())
    path.write_bytes(whole)
    assert not any("zero" in note for note in read(path).notes)
    for start, count in ((len(whole) // 2, 100), (len(whole) * 9 // 10, len(whole) // 10)):
        path.write_bytes(zeroed(whole, start, count))
        with contextlib.suppress(FileError):  # the decoder may see it, too
            assert any("zero" in note for note in read(path).notes)


@pytest.mark.parametrize("options", [{"rowsperstrip": 16}, {"tile": (32, 32)}])
def test_a_torn_jpeg_inside_a_tiff_is_refused(tmp_path, options):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PICTURE, compression="jpeg", photometric="rgb", **options)
    read(path)
    with tifffile.TiffFile(path) as tif:
        page = tif.pages.first
        start, count = page.dataoffsets[1], page.databytecounts[1]
    path.write_bytes(zeroed(path.read_bytes(), start + count - 80, 80))
    assert "JPEG" in refusal(path)


def change_strips(path, code, change):
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tag = tif.pages.first.tags[code]
        tag.overwrite(change(list(tag.value)))


def test_strips_that_overlap_share_or_lack_their_bytes_are_told(tmp_path):
    path = tmp_path / "a.tif"

    def make():
        tifffile.imwrite(path, noise((96, 40), "u2"), compression="zlib", rowsperstrip=16)

    make()
    assert not read(path).notes
    change_strips(path, 273, lambda places: [places[0], places[0], *places[2:]])
    change_strips(path, 279, lambda counts: [counts[0], counts[0], *counts[2:]])
    assert "share their bytes" in read(path).notes[0]
    make()
    change_strips(path, 273, lambda places: [places[0], places[0] + 9, *places[2:]])
    assert "overlap" in refusal(path)
    make()
    change_strips(path, 279, lambda counts: [0, *counts[1:]])
    assert "1 of 6 strips" in read(path).notes[0]
    make()
    change_strips(path, 279, lambda counts: [0] * len(counts))
    assert "lacks the pixels of most" in refusal(path)


def ome(shape, change, **options):
    """An OME-TIFF whose XML is changed."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, noise(shape, "u2"), ome=True, photometric="minisblack", **options)
    content = buffer.getvalue()
    with tifffile.TiffFile(io.BytesIO(content)) as tif:
        tag = tif.pages.first.tags[270]
        xml = change(tag.value).encode()
        assert xml != tag.value.encode()
        place = struct.pack("<II", len(content) // 2 * 2 + 2, len(xml) + 1)
        at = tag.offset
    head = content[: at + 4] + place[4:] + place[:4] + content[at + 12 :]
    return head.ljust(len(content) // 2 * 2 + 2, b"\0") + xml + b"\0"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('SizeT="3"', 'SizeT="400000000"'),
        ('PlaneCount="3"', 'PlaneCount="400000000"'),
        ('IFD="0"', 'IFD="400000000"'),
        ('SizeX="24"', 'SizeX="2400000000"'),
        ("</OME>", '<StructuredAnnotations><XMLAnnotation Namespace="openmicroscopy.org/omero/'
         'dimension/modulo" ID="1"><Value><Modulo><ModuloAlongT Type="lifetime" Start="0" '
         'End="1e12"/></Modulo></Value></XMLAnnotation></StructuredAnnotations></OME>'),
    ],
)  # fmt: skip
def test_ome_xml_of_more_planes_than_there_are_is_left_aside(tmp_path, old, new):
    path = tmp_path / "a.ome.tif"
    path.write_bytes(ome((3, 20, 24), lambda xml: xml.replace(old, new), metadata={"axes": "TYX"}))
    image = read(path)
    assert image.data.shape == (3, 20, 24)
    assert "more than the 3 planes" in image.notes[0]
    with open_stack(path, tmp_path / "b.tif") as stack:
        assert stack.notes[0] == image.notes[0]


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
@pytest.mark.parametrize("there", ["pipe", "file", "nothing"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_file_of_an_ome_set_is_read_alone_whatever_it_names(tmp_path, there, compression):
    other = tmp_path / "other.tif"
    if there == "pipe":
        os.mkfifo(other)
    elif there == "file":
        tifffile.imwrite(other, noise((60, 70), "u2", 5))

    def name_other(xml):
        uuid = f'<UUID FileName="{other}">urn:uuid:1</UUID>'
        return xml.replace("/></Pixels>", f">{uuid}</TiffData></Pixels>", 1)

    path = tmp_path / "a.ome.tif"
    path.write_bytes(ome((20, 24), name_other, compression=compression, metadata={"axes": "YX"}))
    image = read(path)
    np.testing.assert_array_equal(image.data, noise((20, 24), "u2"))
    assert "only this one is read" in image.notes[0]
    assert "other.tif" not in image.notes[0]
    target = tmp_path / "b.ome.tif"
    _, notes = denoise_file(path, target, RECIPE)
    assert notes[0] == image.notes[0]
    assert read(target).data.shape == (20, 24)


def test_a_jpeg_of_many_scans_is_refused(tmp_path):
    whole = coded("JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    path = tmp_path / "a.jpg"
    path.write_bytes(whole[:-2] + whole[last:-2] * 200 + b"\xff\xd9")
    assert "rare JPEG coding" in refusal(path)


def test_what_a_cut_file_still_tells(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((20, 24), "u2"), metadata=None, description="x" * 99)
    tifffile.tiffcomment(path, "y" * 300)  # goes to the end
    path.write_bytes(path.read_bytes()[:-100])
    assert read(path).notes == ("The TIFF file is torn: look at the result.",)
    tifffile.imwrite(path, noise((4, 20, 24), "u2"), imagej=True)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "truncated" in refusal(path)
    pytest.importorskip("astropy")
    from astropy.io import fits

    fits.PrimaryHDU(noise((20, 24), "f4")).writeto(tmp_path / "a.fits")
    content = (tmp_path / "a.fits").read_bytes()
    (tmp_path / "a.fits").write_bytes(content[:3000] + content[3100:])
    assert "look at the result" in read(tmp_path / "a.fits").notes[0]


def test_zeros_in_jpeg_and_in_jpeg_2000_strips_are_noted(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise((64, 64)), compression="jpeg2000", rowsperstrip=64)
    (tmp_path / "a.jpg").write_bytes(coded("JPEG", quality=95))
    for path, start in ((tmp_path / "a.tif", 2000), (tmp_path / "a.jpg", 4000)):
        path.write_bytes(zeroed(path.read_bytes(), start, 100))
        with contextlib.suppress(FileError):  # where the decoder sees it
            assert any("zero" in note for note in read(path).notes)


def test_zeros_are_noted_of_any_plane_of_a_stack_that_is_read_plane_by_plane(tmp_path):
    planes = noise((3, 64, 64)).astype(np.uint8)
    known = {"photometric": "minisblack", "compression": "jpeg2000", "rowsperstrip": 64}
    tifffile.imwrite(tmp_path / "a.tif", planes, **known)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        start = tif.pages[2].dataoffsets[0]
    (tmp_path / "a.tif").write_bytes(zeroed((tmp_path / "a.tif").read_bytes(), start + 2000, 100))
    with open_stack(tmp_path / "a.tif", "b.tif") as stack:
        made = (stack.read(number) for number in range(3))
        stack.write(tmp_path / "b.tif", made, overwrite=False)
        assert sum("zero" in note for note in stack.notes) == 1


def test_what_goes_wrong_with_a_plane_is_not_said_of_the_target(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise((3, 20, 20)), photometric="minisblack")

    def planes():
        yield np.zeros((20, 20), np.uint8)
        raise OSError("the camera is gone")

    with (
        open_stack(tmp_path / "a.tif", "b.tif") as stack,
        pytest.raises(OSError, match="the camera is gone"),
    ):
        stack.write(tmp_path / "b.tif", planes(), overwrite=False)
    assert not (tmp_path / "b.tif").exists()


def test_a_progressive_jpeg_that_lacks_a_scan_is_refused(tmp_path):
    whole = coded("JPEG", progressive=True)
    path = tmp_path / "a.jpg"
    path.write_bytes(whole[: whole.rindex(b"\xff\xda")] + b"\xff\xd9")
    assert "scans are missing" in refusal(path)


@pytest.mark.parametrize("compression", ["jpeg", "png", "webp", "jpeg2000", "jpegxl"])
def test_a_tile_with_a_header_of_its_own_size_is_refused_before_decoding(tmp_path, compression):
    contents = {
        "jpeg": vast_jpeg, "webp": VAST["a.webp"],
        "jpeg2000": lambda: bytes(imagecodecs.jpeg2k_encode(np.zeros((3000, 3000), np.uint8))),
        "jpegxl": lambda: bytes(imagecodecs.jpegxl_encode(np.zeros((3000, 3000), np.uint8))),
        "png": lambda: bytes(imagecodecs.png_encode(np.zeros((3000, 3000), np.uint8))),
    }  # fmt: skip
    path, content = tmp_path / "a.tif", contents[compression]()
    options = {"photometric": "rgb", "tile": (64, 64), "metadata": None}
    tifffile.imwrite(path, noise((64, 64, 3)), compression=compression, **options)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tags = tif.pages.first.tags
        tags[324].overwrite(tif.filehandle.size)
        tags[325].overwrite(len(content))
    path.write_bytes(path.read_bytes() + content)
    assert "promises" in refusal(path)


def test_a_large_dicom_file_that_is_deflated_is_refused_before_it_is_inflated(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.3"
    for side, says in ((32, None), (1200, "deflated")):
        made.set_pixel_data(noise((side, side)), "MONOCHROME2", 8, generate_instance_uid=False)
        made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
        pydicom.dcmwrite(tmp_path / "a.dcm", made, enforce_file_format=True)
        if says:
            assert says in refusal(tmp_path / "a.dcm")
        else:
            assert read(tmp_path / "a.dcm").data.shape == (side, side)
