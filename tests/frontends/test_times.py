"""How long a method takes, as it is said before it starts."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest

import zspot
from tests.cli_help import zspot_cli
from zspot.algorithms import METHODS


def test_the_time_of_each_method_for_an_image(tmp_path, capsys):
    small = zspot_cli(capsys, "methods")[1]
    iio.imwrite(tmp_path / "large.png", np.zeros((512, 512), np.uint8))
    large = zspot_cli(capsys, "methods", tmp_path / "large.png")[1]
    assert large.split()[:5] == small.split()[:5]
    row = next(line for line in large.splitlines() if line.startswith("dip "))
    assert "14 min 40 s" in row  # 16 times as many pixels, all of which it sees at each step
    row = next(line for line in large.splitlines() if line.startswith("n2v "))
    assert "3 min" in row  # it learns on crops


class StopError(Exception):
    """Ends a run once it has said how long it will take."""


def first_told(shape: tuple[int, ...], method: str, **options) -> zspot.Progress:
    """What a run says first."""

    def stop(news):
        seen.append(news)
        raise StopError

    seen: list[zspot.Progress] = []
    noisy = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    with pytest.raises(StopError):
        zspot.run(noisy, method, progress=stop, **options)
    return seen[0]


def test_a_run_says_first_how_long_it_takes():
    told = first_told((96, 64), "dip")
    assert told.done == 0
    assert told.seconds_left == METHODS["dip"].seconds_for(96 * 64)
    more = first_told((96, 64), "dip", effort="best").seconds_left
    assert more > 1.5 * told.seconds_left
    stack = first_told((3, 96, 64), "dip", axes="ZYX").seconds_left
    assert stack == pytest.approx(3 * told.seconds_left, rel=0.05)
    assert first_told((96, 64), METHODS["dip"].make("best")).seconds_left is None  # a recipe


@pytest.mark.parametrize(("method", "says"), [("dip", True), ("bm3d", False)])
def test_the_command_line_says_it_of_long_runs_alone(tmp_path, capsys, monkeypatch, method, says):
    def stop(*_, **__):
        raise zspot.OptionError("stopped")

    monkeypatch.setattr("zspot.api.denoising.denoise_within", stop)
    noisy = np.random.default_rng(0).integers(0, 255, (160, 160), np.uint8)
    iio.imwrite(tmp_path / "a.png", noisy)
    err = zspot_cli(capsys, "denoise", tmp_path / "a.png", "--method", method)[2]
    assert ("note: about 1 min 26 s on one core" in err) == says
    quiet = zspot_cli(capsys, "denoise", tmp_path / "a.png", "--method", method, "--quiet")[2]
    assert quiet == "zspot: stopped\n"
