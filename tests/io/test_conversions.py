"""From one format to another: what goes, and what makes the picture look otherwise, is told."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.images import tiny
from tests.io_help import ICC, noise
from zspot.algorithms import bsn_ins
from zspot.files import denoise_file
from zspot.io import ImageFile, read, write
from zspot.io.open import notes_on

RECIPE = tiny(bsn_ins.recipe("fast"), steps=1)
GREY, COLOUR = noise((24, 30), "u1"), noise((24, 30, 3), "u1")


def notes(source, target, **options) -> str:
    return " ".join(denoise_file(source, target, RECIPE, overwrite=True, **options)[1])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"photometric": "miniswhite"}, "the other way round"),
        ({"extratags": [(274, "H", 1, 6, True)]}, "its orientation is 6"),
        ({}, ""),
    ],
)
def test_what_tiff_shows_otherwise_than_it_is_stored(tmp_path, options, says):
    tifffile.imwrite(tmp_path / "a.tif", GREY, **options)
    for target, more in (("a.png", {}), ("b.tif", {"dtype": "float32"})):
        told = notes(tmp_path / "a.tif", tmp_path / target, **more)
        assert "Not kept" in told
        assert says in told
        assert ("looks otherwise" in told) == bool(says)
    assert "Not kept" not in notes(tmp_path / "a.tif", tmp_path / "c.tif")


def test_alpha_that_multiplies_the_colours(tmp_path):
    pixels = np.dstack([COLOUR, GREY])
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["assocalpha"])
    assert "multiplied by alpha" in notes(tmp_path / "a.tif", tmp_path / "a.png")


def test_a_turned_photograph_loses_its_exif(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(COLOUR).save(tmp_path / "a.jpg", exif=exif)
    assert "its orientation is 6" in notes(tmp_path / "a.jpg", tmp_path / "a.bmp")
    assert "looks otherwise" not in notes(tmp_path / "a.jpg", tmp_path / "a.png")  # has EXIF


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp", "jxl", "avif", "jp2"])
def test_what_is_said_to_be_kept_is_there(tmp_path, suffix):
    exif = Image.Exif()
    exif[271] = "Maker"
    source = tmp_path / "a.png"
    Image.fromarray(COLOUR).save(source, icc_profile=ICC, exif=exif, dpi=(300, 300))
    image, target = read(source), tmp_path / f"b.{suffix}"
    write(target, image)
    lost = " ".join(notes_on(image, target))
    again = read(target).metadata if suffix != "tif" else {**read(target).metadata, "exif": 1}
    for key, said in {"icc": "colour profile", "exif": "EXIF", "resolution": "resolution"}.items():
        assert (said in lost) == (key not in again) or suffix == "png", (suffix, key, lost)


def test_notes_on_what_only_the_source_format_has_are_left_out(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY, photometric="minisblack")
        file.write(GREY[:9, :9], photometric="minisblack")
    image = read(tmp_path / "a.tif")
    assert "keep their old pixels: 1" in " ".join(notes_on(image, "b.tif"))
    assert "old pixels" not in " ".join(notes_on(image, "b.png"))
    assert notes_on(ImageFile(GREY, "YX"), "b.png") == ()


def test_alpha_before_another_sample_is_refused(tmp_path):
    pixels = np.dstack([GREY, GREY, GREY])
    options = {"photometric": "minisblack", "extrasamples": ["unassalpha", "unspecified"]}
    tifffile.imwrite(tmp_path / "a.tif", pixels, planarconfig="contig", **options)
    with pytest.raises(Exception, match="transparency before its last sample"):
        read(tmp_path / "a.tif")
