"""Frames in files of their own: a sequence is one stack, a burst becomes one picture."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter

import zspot
from tests.images import psnr
from zspot.core.errors import FileError, OptionError
from zspot.files import denoise_burst, denoise_sequence
from zspot.frontends import cli
from zspot.io import read
from zspot.recipe import Fit, Predict, Recipe, UNet

RECIPE = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(1), predict=Predict(1))
RNG = np.random.default_rng(3)
STACK = (100 + 30 * RNG.normal(size=(12, 24, 28))).astype(np.uint16)


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, plane in enumerate(STACK[:11]):
        tifffile.imwrite(folder / f"f{number}.tif", plane, metadata=None)
    return folder


def made(out) -> np.ndarray:
    return np.stack([tifffile.imread(out / f"f{number}.tif") for number in range(11)])


def states(summary) -> list[str]:
    return [outcome.state for outcome in summary.outcomes]


def test_a_sequence_in_natural_order_is_the_stack(frames, tmp_path):
    expected = zspot.denoise(STACK[:11], RECIPE, axes="TYX", neighbours=1)
    out = tmp_path / "out"
    seen = []
    summary = denoise_sequence(frames, out, RECIPE, neighbours=1, progress=seen.append)
    assert states(summary) == ["done"] * 11
    assert np.array_equal(made(out), expected)
    assert seen[-1].done == pytest.approx(seen[-1].total)
    # a rerun does what is left, and what a changed neighbour concerns
    assert states(denoise_sequence(frames, out, RECIPE, neighbours=1)) == ["skipped"] * 11
    (out / "f4.tif").unlink()
    tifffile.imwrite(frames / "f10.tif", STACK[11], metadata=None)
    again = denoise_sequence(frames, out, RECIPE, neighbours=1)
    assert [n for n, state in enumerate(states(again)) if state == "done"] == [4, 9, 10]
    changed = np.concatenate([STACK[:10], STACK[11:]])
    expected = zspot.denoise(changed, RECIPE, axes="TYX", neighbours=1)
    assert np.array_equal(made(out), expected)


def test_a_frame_that_is_none_is_told_and_the_rest_is_a_stack(frames, tmp_path, capsys):
    (frames / "f3.tif").write_bytes(b"no image")
    tifffile.imwrite(frames / "f7.tif", STACK[0, :20], metadata=None)
    (tmp_path / "tiny.toml").write_text(RECIPE.to_toml())
    out = tmp_path / "out"
    command = ["denoise", frames, out, "--sequence", "--recipe", tmp_path / "tiny.toml"]
    with pytest.raises(SystemExit) as ended:
        cli.main([*map(str, command), "--threads", "1"])
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert "9 denoised, 2 failed" in said.out
    assert "f3.tif" in said.err
    assert "20 x 28" in said.err
    good = [n for n in range(11) if n not in (3, 7)]
    expected = zspot.denoise(STACK[good], RECIPE, axes="TYX", neighbours="auto")
    assert np.array_equal(np.stack([tifffile.imread(out / f"f{n}.tif") for n in good]), expected)
    lines = (out / "zspot-journal.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["job"]["neighbours"] == "auto"


def burst(folder, count: int = 5) -> np.ndarray:
    """Shots from an unsteady hand, 8-bit; return the middle one without noise."""
    rng = np.random.default_rng(0)
    scene = 128 + 400 * gaussian_filter(rng.normal(size=(200, 200, 3)), (3, 3, 0))
    clean = None
    for number in range(count):
        y, x = 40 + 6 * (number - count // 2), 40 - 4 * (number - count // 2)
        view = np.clip(scene[y : y + 96, x : x + 112], 10, 245)
        clean = view if number == count // 2 else clean
        noisy = np.clip(np.rint(view + rng.normal(0, 20, view.shape)), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"shot{number + 8}.png", dpi=(240, 240))
    assert clean is not None
    return clean


def test_a_burst_is_better_than_its_best_shot(tmp_path, capsys):
    clean = burst(tmp_path)
    shots = [str(path) for path in tmp_path.glob("shot*.png")]
    target = tmp_path / "one.png"
    with pytest.raises(SystemExit) as ended:
        cli.main(["denoise", *shots, str(target), "--burst", "--effort", "fast"])
    assert ended.value.code in (0, None)
    said = capsys.readouterr()
    assert "The picture is shot10.png" in said.err
    out, middle = read(target).data, read(tmp_path / "shot10.png").data
    alone = zspot.denoise(middle, channel_axis=-1, effort="fast")
    assert psnr(clean / 255, out / 255) > psnr(clean / 255, alone / 255) + 1
    with Image.open(target) as written:
        assert written.info["dpi"] == pytest.approx((240, 240), abs=0.1)
    with pytest.raises(FileError, match="exists"):
        denoise_burst(shots, target, RECIPE)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--burst",), "name it after the frames"),
        (("out", "--burst", "--sequence"), "give one of them"),
        (("out", "--sequence", "--workers", "2"), "in one process"),
    ],
)
def test_what_does_not_go_together_is_one_line(frames, capsys, options, says):
    with pytest.raises(SystemExit) as ended:
        cli.main(["denoise", str(frames), *options])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_one_frame_is_no_sequence(frames, tmp_path):
    with pytest.raises(OptionError, match="two frames"):
        denoise_sequence([frames / "f1.tif"], tmp_path / "out", RECIPE)
    stack = tmp_path / "stack.tif"
    tifffile.imwrite(stack, STACK, metadata=None, photometric="minisblack")
    with pytest.raises(OptionError, match="several planes"):
        denoise_burst([frames / "f1.tif", stack], tmp_path / "out.tif", RECIPE)


def test_fractions_of_counts_in_frames(tmp_path):
    folder = tmp_path / "counts"
    folder.mkdir()
    for number, plane in enumerate(STACK[:3].astype(np.uint8)):
        tifffile.imwrite(folder / f"{number}.tif", plane)
    summary = denoise_sequence(folder, tmp_path / "out", RECIPE, dtype="float32")
    assert summary.count("done") == 3
    assert tifffile.imread(tmp_path / "out" / "1.tif").dtype == np.float32
    denoise_burst(folder, tmp_path / "one.tif", RECIPE, dtype="float32")
    assert tifffile.imread(tmp_path / "one.tif").dtype == np.float32
