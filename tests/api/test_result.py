"""What a result can show, say and write, and what its owner sees of it."""

from __future__ import annotations

import itertools
from importlib import resources

import numpy as np
import pytest

import zspot
from tests.images import tiny
from zspot.algorithms import bsn_ins
from zspot.api import trust
from zspot.api.trust import assess_images
from zspot.core.errors import FileError
from zspot.io import read
from zspot.noise import words

RECIPE = tiny(bsn_ins.recipe("fast"), steps=1)
RNG = np.random.default_rng(0)
GREY = (100 + 20 * RNG.normal(size=(64, 80))).astype(np.uint16)
COLOUR = RNG.integers(0, 255, (3, 48, 64)).astype(np.uint8)


@pytest.fixture(params=[(GREY, None), (COLOUR, 0)], ids=["grey", "colour"])
def result(request):
    image, axis = request.param
    return zspot.run(image, RECIPE, channel_axis=axis)


def test_it_is_shown_in_five_lines(result):
    lines = repr(result).splitlines()
    assert len(lines) <= 5
    assert max(map(len, lines)) <= 160
    assert result.trust.summary in lines[1]
    assert " x ".join(map(str, result.image.shape)) in lines[0]
    assert 'src="data:image/png;base64,' in result._repr_html_()
    flat = zspot.run(np.zeros((20, 20)))
    assert "nothing varies" in repr(flat)
    assert len(repr(flat).splitlines()) <= 5


def test_what_was_removed_and_a_picture_of_it(result):
    assert np.array_equal(result.removed, result.source.astype(float) - result.image)
    assert result.plot().width > 3 * 384


def test_it_saves_itself(result, tmp_path):
    path = tmp_path / "clean.tif"
    result.save(path)
    back = read(path)
    axis = result.channel_axis
    image = result.image if axis is None else np.moveaxis(result.image, axis, -1)
    assert np.array_equal(back.data, image)
    with pytest.raises(FileError, match="exists"):
        result.save(path)
    result.save(path, overwrite=True)


def test_large_images_are_judged_in_the_middle(monkeypatch):
    result = zspot.run(COLOUR, RECIPE, channel_axis=0)
    monkeypatch.setattr("zspot.api.result._JUDGED", 40)
    middle = (slice(None), slice(4, 44), slice(12, 52))
    expected = assess_images(COLOUR[middle], result.image[middle], channel_axis=0)
    assert result.trust == expected


def test_every_summary_is_short_and_plain():
    noise = zspot.analyze_noise(GREY)
    longest = words.briefly(noise, GREY.dtype)
    assert "e+" not in longest
    for _, sentence in trust._SAID.values():
        assert len(sentence.split()) <= 11
    for grows, scale, dtype in itertools.product((0, 1), (1, 30, 250), (np.uint8, np.float32)):
        image = 1000 * np.linspace(1, 2, 128)[None] + np.zeros((128, 1))
        spread = scale * (image / 1500) ** (4 * grows)
        image = image + spread * RNG.normal(size=image.shape)
        said = words.briefly(zspot.analyze_noise(image), np.dtype(dtype))
        assert len(said.split()) <= 14
        assert "e+" not in said


def test_strength_and_detail_are_asked_of_denoise_too():
    known = zspot.run(GREY, RECIPE)
    less = zspot.denoise(GREY, RECIPE, strength=0.5, keep_detail=0.3)
    assert np.array_equal(less, known.blend(0.5, 0.3))
    assert np.array_equal(zspot.denoise(GREY, RECIPE, strength=0), GREY)
    with pytest.raises(zspot.OptionError, match="strength: must be from 0 to 1"):
        zspot.denoise(GREY, RECIPE, strength=2)


@pytest.mark.parametrize("notebook", [False, True])
def test_progress_true_shows_a_bar(capsys, monkeypatch, notebook):
    if notebook:
        pytest.importorskip("tqdm")
        monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    else:
        monkeypatch.setenv("FORCE_COLOR", "1")
    out = zspot.denoise(GREY, RECIPE, progress=True)
    assert np.array_equal(out, zspot.denoise(GREY, RECIPE))
    assert "zspot" in capsys.readouterr().err


def test_types_are_known_to_those_who_import_it():
    assert resources.files("zspot").joinpath("py.typed").is_file()
