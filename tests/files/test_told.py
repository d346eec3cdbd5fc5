"""What a file says of itself counts, and what does not fit or is lost is said."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import zspot
from tests.cli_help import zspot_cli
from zspot.core.errors import FileError, OptionError
from zspot.files import denoise_file
from zspot.files.frames import denoise_sequence
from zspot.io import ImageFile, read, write
from zspot.recipe import Constant, Fit, NoMask, Recipe, Second, UNet

NODATA = [(42113, "s", 0, "-9999", True)]
HOLE = np.s_[8:20, 30:44]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def scene(seed: int, shape=(48, 64)) -> np.ndarray:
    bright = np.linspace(120, 152, shape[0])[:, None]
    return bright + np.random.default_rng(seed).normal(0, 12, shape)


def fast(source: str, target: str, method="auto", **options):
    return denoise_file(
        Path(source), Path(target), method, effort="fast", overwrite=True, **options
    )


def mark(values: np.ndarray, place=HOLE) -> np.ndarray:
    values = values.astype(np.float32)
    values[place] = -9999
    return values


def test_a_second_image_must_be_another_one_on_the_same_scale_with_the_same_picture(here):
    np.save("a.npy", scene(0).astype(np.uint8))
    np.save("wide.npy", (2 * scene(1)).astype(np.uint16))
    with pytest.raises(FileError, match=r"wide\.npy: holds uint16 .* one scale"):
        fast("a.npy", "o.npy", "n2n", second=Path("wide.npy"))
    with pytest.raises(FileError, match=r"the same pixels as a\.npy: give another shot"):
        fast("a.npy", "o.npy", "n2n", second=Path("a.npy"))
    tifffile.imwrite("whole.tif", scene(0).astype(np.float32))
    tifffile.imwrite("holed.tif", mark(scene(1)), extratags=NODATA)
    with pytest.raises(FileError, match=r"holed\.tif lacks picture where whole\.tif has some"):
        fast("whole.tif", "o.tif", "n2n", second=Path("holed.tif"))
    tifffile.imwrite("alike.tif", mark(scene(2)), extratags=NODATA)
    small = Recipe("n2n", NoMask(), Constant(), Second(), UNet(width=4), fit=Fit(2))
    fast("alike.tif", "o.tif", small, second=Path("holed.tif"))
    assert (tifffile.imread("o.tif")[HOLE] == -9999).all()


@pytest.mark.parametrize("kind", ["alpha", "NaN", "nodata"])
def test_what_a_mask_says_of_itself_is_no_picture_either(here, kind):
    np.save("a.npy", scene(0).astype(np.float32))
    white = np.full((48, 64), 255, np.float32)
    if kind == "alpha":
        opaque = np.full((48, 64), 255, np.uint8)
        opaque[HOLE] = 0
        Image.fromarray(np.dstack([white.astype(np.uint8), opaque]), "LA").save("m.png")
    elif kind == "NaN":
        white[HOLE] = np.nan
        tifffile.imwrite("m.tif", white)
    else:
        tifffile.imwrite("m.tif", mark(white), extratags=NODATA)
    result, _ = fast("a.npy", "o.npy", mask=Path("m.png" if kind == "alpha" else "m.tif"))
    assert any("outside the mask" in said for said in result.told)
    assert np.array_equal(np.load("o.npy")[HOLE], np.load("a.npy")[HOLE])


def test_a_mask_is_one_grey_plane_of_the_size_in_previews_too(here, capsys):
    Image.fromarray(scene(0).astype(np.uint8)).save("a.png")
    Image.fromarray(np.full((58, 74), 255, np.uint8)).save("large.png")
    Image.fromarray(np.full((48, 64, 3), 255, np.uint8)).save("colour.png")
    with pytest.raises(OptionError, match=r"colour\.png has axes YXS: a mask is one grey plane"):
        fast("a.png", "o.png", mask=Path("colour.png"))
    for more, says in (
        (["--mask", "large.png"], "mask has shape (58, 74): it must be (48, 64)"),
        (["--mask", "colour.png"], "a mask is one grey plane"),
    ):
        code, _, err = zspot_cli(capsys, "denoise", "a.png", "--preview", "0,0,32,32", *more)
        assert code == 2
        assert says in err
    assert not Path("a-preview.png").exists()
    np.save("s.npy", np.stack([scene(k) for k in range(3)]).astype(np.uint8))
    words = ("--axes", "ZYX", "--neighbours", "1", "--effort", "fast", "--preview", "0,0,32,32")
    code, _, err = zspot_cli(capsys, "denoise", "s.npy", *words)
    assert (code, "without its neighbours" in err) == (0, True)


def test_each_frame_of_a_sequence_says_where_it_has_no_picture(here):
    Path("in").mkdir()
    tifffile.imwrite("in/0.tif", scene(0).astype(np.float32))
    for k in (1, 2):
        tifffile.imwrite(f"in/{k}.tif", mark(scene(k)), extratags=NODATA, description="frame")
    denoise_sequence("in", "out", effort="fast", neighbours=1)
    for k in (1, 2):
        made = tifffile.imread(f"out/{k}.tif")
        assert (made[HOLE] == -9999).all()
        assert (made == -9999).sum() == (tifffile.imread(f"in/{k}.tif") == -9999).sum()
        assert np.abs(made[made != -9999] - 136).max() < 60
    summary = denoise_sequence("in", "floats", effort="fast", dtype="float32", neighbours=1)
    notes = [note for outcome in summary.outcomes for note in outcome.notes]
    assert any("the description" in note and "Not kept" in note for note in notes)


def test_fill_values_of_zarr_arrays_and_of_dataarrays_are_no_picture(here):
    zarr = pytest.importorskip("zarr")
    values = mark(scene(0))
    values[::7, ::5] = -9999
    stored = zarr.create_array("a.zarr", data=values, chunks=(48, 64))
    stored.attrs["_FillValue"] = -9999.0
    fast("a.zarr", "b.zarr")
    made = zarr.open_array("b.zarr")[:]
    assert np.array_equal(made == -9999, values == -9999)
    assert np.abs(made[made != -9999] - 136).max() < 60
    xarray = pytest.importorskip("xarray")
    named = xarray.DataArray(values, dims=("y", "x"), attrs={"_FillValue": -9999})
    assert np.array_equal(zspot.denoise(named, effort="fast"), made)
    with pytest.raises(zspot.ImageError, match="name the axes"):
        zspot.denoise(xarray.DataArray(np.zeros((9, 9, 4)), dims=("lat", "lon", "time")))


def test_pages_that_ome_xml_does_not_list_are_told(here):
    stack = np.stack([scene(k) for k in range(5)]).astype(np.uint16)
    tifffile.imwrite("full.ome.tif", stack, metadata={"axes": "ZYX"})
    with tifffile.TiffFile("full.ome.tif") as tif:
        xml = tif.ome_metadata.replace('SizeZ="5"', 'SizeZ="2"')
    xml = xml.replace('PlaneCount="5"', 'PlaneCount="2"')
    with tifffile.TiffWriter("few.ome.tif") as made:
        for number, plane in enumerate(stack):
            said = {} if number else {"description": xml}
            made.write(plane, metadata=None, contiguous=False, **said)
    _, notes = fast("few.ome.tif", "o.ome.tif")
    assert "Pages that the OME-XML does not list keep their old pixels: 3." in notes
    assert not [n for n in fast("full.ome.tif", "o.ome.tif")[1] if "does not list" in n]


def test_exif_of_a_tiff_goes_along_and_other_images_that_do_not_are_told(here):
    exif = Image.Exif()
    exif[270], exif[271], exif[315] = "what it shows", "a maker", "somebody"
    exif.get_ifd(34665)[33434] = (1, 125)
    Image.fromarray(scene(0).astype(np.uint8)).save("a.jpg", exif=exif, quality=98)
    fast("a.jpg", "a.tif")
    notes = fast("a.tif", "b.jpg")[1]
    assert notes == ("Not kept in the JPEG file: what only TIFF files have.",)
    with Image.open("b.jpg") as made:
        said = [made.getexif()[code] for code in (270, 271, 315)]
        assert said == ["what it shows", "a maker", "somebody"]
        assert made.getexif().get_ifd(34665)[33434] == (1, 125)
    with tifffile.TiffWriter("two.tif") as made:
        made.write(scene(0).astype(np.uint8))
        made.write(scene(1)[:20, :30].astype(np.uint8))
    assert "Other images in the TIFF file are not kept: 1." in fast("two.tif", "o.png")[1]
    assert "Other images in the TIFF file keep their old pixels: 1." in fast("two.tif", "o.tif")[1]


def test_orientations_between_jpeg_and_jpeg_xl_are_told_or_not_told_twice(here):
    exif = Image.Exif()
    exif[274], exif[271] = 6, "a maker"
    Image.fromarray(scene(0).astype(np.uint8)).save("a.jpg", exif=exif, quality=98)
    notes = fast("a.jpg", "a.jxl")[1]  # whose viewers look at the orientation of the image only
    assert any("its orientation is 6" in note for note in notes)
    fast("a.jxl", "b.jpg")
    with Image.open("b.jpg") as made:
        assert made.getexif().get(274, 1) == 1
        assert made.getexif()[271] == "a maker"
    assert read(Path("a.jxl")).data.shape == (48, 64)


def test_float32_that_rounds_what_the_file_holds_is_told(here):
    np.save("a.npy", (scene(0) + 3e9).astype(np.uint32))
    assert any("float32 rounds the values" in n for n in fast("a.npy", "o.npy", dtype="float32")[1])
    np.save("b.npy", scene(0))
    assert not [n for n in fast("b.npy", "o.npy", dtype="float32")[1] if "rounds" in n]


def test_channels_alone_and_pages_with_transparency_have_alpha_as_their_last(here, capsys):
    rgba = np.dstack([scene(k) for k in range(4)]).astype(np.uint8)
    Image.fromarray(rgba).save("rgba.png")
    for axes in ("YXC", "YXQ"):
        fast("rgba.png", "o.png", axes=axes)
        assert np.asarray(Image.open("o.png")).shape == rgba.shape
        words = ("denoise", "rgba.png", "p.png", "--preview", "0,8,32,32", "--axes", axes)
        assert zspot_cli(capsys, *words, "--effort", "fast", "--overwrite")[0] == 0


def test_bursts_and_several_folders_refuse_what_they_would_not_do(here, capsys):
    for folder in ("in", "other"):
        Path(folder).mkdir()
        for k in range(3):
            tifffile.imwrite(f"{folder}/{k}.tif", scene(k).astype(np.uint8))
    for more in (["--compare", "c.png"], ["--save-recipe", "r.toml"], ["--second", "in/0.tif"],
                 ["--preview", "0,0,16,16"]):  # fmt: skip
        code, _, err = zspot_cli(capsys, "denoise", "in", "o.tif", "--burst", *more)
        assert code == 2
        assert more[0] in err
    code, _, err = zspot_cli(capsys, "denoise", "in", "other", "out", "--effort", "fast")
    assert (code, err.strip()) == (2, "zspot: one folder or pattern at a time")
    assert {path.name for path in here.iterdir()} == {"in", "other"}


def test_a_cloud_optimised_file_says_that_its_tiles_lie_elsewhere_now(here):
    pixels = scene(0).astype(np.uint8)
    said = b"LAYOUT=IFDS_BEFORE_DATA\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
    said += bytes(len(said) % 2)
    where = 8 + len(said)
    values = {256: 64, 257: 48, 258: 8, 259: 1, 262: 1, 273: where + 114, 277: 1, 278: 48}
    values[279] = pixels.size
    entries = b"".join(struct.pack("<HHII", code, 4, 1, n) for code, n in values.items())
    directory = struct.pack("<H", len(values)) + entries + bytes(4)
    assert len(directory) == 114
    head = b"II*\0" + struct.pack("<I", where) + said + directory
    Path("a.tif").write_bytes(head + pixels.tobytes())
    fast("a.tif", "b.tif")
    made = Path("b.tif").read_bytes()
    assert made[: len(head)] == head.replace(b"=NO\n ", b"=YES\n")
    assert np.abs(tifffile.imread("b.tif").astype(float) - pixels).std() > 4


def test_damaged_exif_is_no_reason_to_refuse_a_picture(here):
    entries = struct.pack("<HHIHHHHII", 274, 3, 1, 6, 0, 34665, 4, 1, 9999)
    torn = b"II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)
    pixels = scene(0).astype(np.uint8)
    write(Path("a.jxl"), ImageFile(pixels, "YX", metadata={"exif": torn}))
    assert np.array_equal(read(Path("a.jxl")).data, pixels)
