"""Less than the full result, asked for before the run: files, stacks, stores and folders."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

import zspot
from zspot import io
from zspot.core.errors import OptionError
from zspot.files import Options, denoise_file, planes
from zspot.files.journal import NAME
from zspot.frontends import cli
from zspot.recipe import Fit, Predict, Recipe, UNet

RECIPE = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(4), predict=Predict(2))
LESS = ("--strength", "0.7", "--keep-detail", "0.3")


def picture(*shape: int) -> np.ndarray:
    """Noise and a few lines, so that there is detail to put back."""
    values = np.random.default_rng(0).normal(1000, 100, shape)
    values[..., 12:16:2] += 1500
    return values.astype(np.uint16)


def blended(planes: np.ndarray, strength: float, keep: float) -> np.ndarray:
    return np.stack([zspot.run(plane, RECIPE).blend(strength, keep) for plane in planes])


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("r.toml").write_text(RECIPE.to_toml())
    np.save("a.npy", picture(24, 30))
    tifffile.imwrite("stack.tif", picture(3, 24, 30), photometric="minisblack")
    return tmp_path


@pytest.fixture(scope="module")
def scheduler():
    pytest.importorskip("distributed")
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


def denoise(capsys, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["denoise", *words])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), " ".join(out.split()), err


def test_a_file_is_what_blend_returns_and_the_last_line_says_it(folder, capsys):
    code, out, err = denoise(capsys, "a.npy", "b.npy", "--recipe", "r.toml", *LESS)
    assert (code, err) == (0, "")
    assert out.endswith("; strength 0.7, keep detail 0.3)")
    result = zspot.run(np.load("a.npy"), RECIPE)
    assert np.array_equal(np.load("b.npy"), result.blend(0.7, 0.3))
    assert not np.array_equal(result.blend(0.7, 0.3), result.blend(0.7, 0))


def test_colours_and_the_default_method(folder, capsys):
    noisy = np.stack([picture(24, 30) // 16] * 3, -1).clip(0, 255).astype(np.uint8)
    noisy[..., 1] //= 2
    io.write("c.png", io.ImageFile(noisy, "YXS"))
    assert denoise(capsys, "c.png", "d.png", "--effort", "fast", *LESS)[0] == 0
    expected = zspot.run(noisy, effort="fast", channel_axis=-1).blend(0.7, 0.3)
    assert np.array_equal(io.read("d.png").data, expected)


def test_the_ends_are_the_input_and_the_file_as_without(folder, capsys):
    for name in ("a.npy", "stack.tif"):
        noisy = io.read(name).data
        zero, full, plain = (f"{end}-{name}" for end in ("zero", "full", "plain"))
        common = ("--recipe", "r.toml")
        out = denoise(capsys, name, zero, *common, "--strength", "0", "--keep-detail", "1")[1]
        assert "strength 0, keep detail 1" in out
        assert np.array_equal(io.read(zero).data, noisy)
        out = denoise(capsys, name, full, *common, "--strength", "1", "--keep-detail", "0")[1]
        assert "strength" not in out
        assert denoise(capsys, name, plain, *common)[0] == 0
        assert Path(full).read_bytes() == Path(plain).read_bytes()
        assert not np.array_equal(io.read(plain).data, noisy)


def test_every_plane_of_a_stack_and_two_shots(folder, capsys):
    stack = tifffile.imread("stack.tif")
    assert denoise(capsys, "stack.tif", "b.tif", "--recipe", "r.toml", *LESS)[0] == 0
    assert np.array_equal(tifffile.imread("b.tif"), blended(stack, 0.7, 0.3))
    first, second = stack[0], stack[1]
    np.save("second.npy", second)
    np.save("first.npy", first)
    n2n = replace(zspot.methods()["n2n"].make("fast"), network=UNet(width=4), fit=Fit(2))
    result, _ = denoise_file(
        Path("first.npy"), Path("out.npy"), n2n, second=Path("second.npy"), strength=0.5
    )
    expected = zspot.run(first, n2n, second=second)
    assert np.array_equal(np.load("out.npy"), expected.blend(0.5))
    assert result.reason == f"{expected.reason}; strength 0.5, keep detail 0"
    assert np.array_equal(result.image, expected.image)


def test_the_fit_that_planes_share_is_that_of_the_full_result(folder, capsys):
    stack = tifffile.imread("stack.tif")
    words = ("--recipe", "r.toml", "--share-fit", *LESS)
    assert denoise(capsys, "stack.tif", "b.tif", *words)[0] == 0
    first = zspot.run(stack[0], RECIPE)
    rest = [zspot.run(plane, RECIPE, after=first) for plane in stack[1:]]
    expected = [result.blend(0.7, 0.3) for result in (first, *rest)]
    assert np.array_equal(tifffile.imread("b.tif"), np.stack(expected))


def test_a_saved_recipe_does_not_hold_it_and_this_is_said(folder, capsys):
    words = ("a.npy", "b.npy", "--recipe", "r.toml", "--save-recipe")
    code, _, err = denoise(capsys, *words, "used.toml", *LESS)
    assert code == 0
    assert err.startswith("note: used.toml does not hold strength 0.7, keep detail 0.3")
    assert Recipe.load(Path("used.toml")) == RECIPE
    assert denoise(capsys, *words, "again.toml", "--overwrite")[2] == ""


@pytest.mark.parametrize("source", ["a.npy", "stack.tif", "in", "in/*.npy"])
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--strength", "1.5"), "zspot: --strength 1.5: must be from 0 to 1\n"),
        (("--strength", "-0.1"), "zspot: --strength -0.1: must be from 0 to 1\n"),
        (("--strength", "nan"), "zspot: --strength nan: must be from 0 to 1\n"),
        (("--keep-detail", "2"), "zspot: --keep-detail 2.0: must be from 0 to 1\n"),
        (("--keep-detail", "much"), "'--keep-detail'"),
    ],
)
def test_a_bad_value_is_one_line_before_any_work(folder, capsys, monkeypatch, source, words, says):
    def never(*_, **__):
        raise AssertionError("something was run")

    monkeypatch.setattr(planes, "run", never)
    Path("in").mkdir()
    for name in ("0.npy", "1.npy"):
        np.save(f"in/{name}", picture(24, 30))
    target = "out" if source.startswith("in") else f"out{Path(source).suffix}"
    code, out, err = denoise(capsys, source, target, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err
    assert not Path(target).exists()


def test_values_out_of_range_are_refused_in_python():
    for wrong in ({"strength": 1.5}, {"strength": -1}, {"keep_detail": float("nan")}):
        name = next(iter(wrong)).replace("_", "-")
        with pytest.raises(OptionError, match=f"--{name} .*: must be from 0 to 1"):
            denoise_file(Path("missing.npy"), Path("out.npy"), **wrong)
    full = Options(strength=1, keep_detail=0).to_job()  # the default, whatever kind of number
    assert full == Options().to_job()
    assert not {"strength", "keep_detail"} & {*full}
    less = Options(strength=np.float32(0.5), keep_detail=1).to_job()
    assert less == {**full, "strength": 0.5, "keep_detail": 1.0}


@pytest.mark.parametrize(
    "options", [Options(), Options(RECIPE, axes="ZYX", threads=2, share_fit=True, strength=0.5)]
)
def test_options_come_to_a_worker_and_into_a_journal_as_they_are(options):
    assert pickle.loads(pickle.dumps(options)) == options
    assert json.loads(json.dumps(options.to_job())) == options.to_job()


def test_a_folder_redoes_when_it_changes_and_skips_when_not(folder, capsys, scheduler, one_thread):
    Path("in").mkdir()
    np.save("in/a.npy", picture(24, 30))
    tifffile.imwrite("in/b.tif", picture(2, 24, 30), photometric="minisblack")

    def go(*words: str) -> str:
        common = ("in", "out", "--recipe", "r.toml", "--scheduler", scheduler)
        code, out, err = denoise(capsys, *common, *words)
        assert (code, err) == (0, "")
        return out

    def kept() -> list[dict]:
        lines = map(json.loads, Path("out", NAME).read_text().splitlines())
        return [line["job"] for line in lines if line["state"] == "done"]

    assert go(*LESS).endswith("2 denoised, strength 0.7, keep detail 0.3")
    assert np.array_equal(np.load("out/a.npy"), blended(picture(1, 24, 30), 0.7, 0.3)[0])
    assert np.array_equal(tifffile.imread("out/b.tif"), blended(picture(2, 24, 30), 0.7, 0.3))
    assert all((job["strength"], job["keep_detail"]) == (0.7, 0.3) for job in kept())
    assert go(*LESS).endswith("2 were done already, strength 0.7, keep detail 0.3")
    assert "2 denoised" in go(*LESS[:2])  # keep detail 0
    assert "2 were done already" in go("--strength", "0.70", "--keep-detail", "0")
    assert go().endswith("2 denoised")
    assert np.array_equal(np.load("out/a.npy"), blended(picture(1, 24, 30), 1, 0)[0])
    # What earlier versions wrote: no key. It is the default's, and skipped.
    old = {"method", "effort", "recipe", "seed", "device", "axes", "threads", "share_fit"}
    assert [{*job} for job in kept()[-2:]] == [old, old]
    assert "2 were done already" in go()
    assert "2 were done already" in go("--strength", "1", "--keep-detail", "0")
    assert "2 denoised" in go("--strength", "0")
    assert np.array_equal(np.load("out/a.npy"), np.load("in/a.npy"))


@pytest.mark.parametrize(
    ("before", "after", "again"),
    [
        ({}, {}, 2),  # what earlier versions left has no key, as here
        ({}, {"strength": 1, "keep_detail": 0.0}, 2),
        ({"strength": 0.5}, {"strength": 0.5}, 2),
        ({"strength": 0.5}, {}, 3),
        ({}, {"strength": 0.5}, 3),
        ({"strength": 0.5}, {"strength": 0.5, "keep_detail": 0.5}, 3),
    ],
)
def test_a_store_goes_on_only_at_the_same_strength(folder, monkeypatch, before, after, again):
    zarr = pytest.importorskip("zarr")
    data = picture(3, 24, 30)
    zarr.create_array("a.zarr", data=data, chunks=(1, 24, 30))
    real, calls = planes.run, []

    def stopped(plane, *arguments, **options):
        if len(calls) == 1:
            raise KeyboardInterrupt
        calls.append(plane)
        return real(plane, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(planes, "run", stopped)
        with pytest.raises(KeyboardInterrupt):
            denoise_file(Path("a.zarr"), Path("b.zarr"), RECIPE, **before)
    head = json.loads(Path(".b.zarr.zspot/blocks.jsonl").read_text().splitlines()[0])
    assert {"zspot", "input", "recipe", "seed", *before} <= {*head}
    calls.clear()
    monkeypatch.setattr(planes, "run", lambda p, *a, **o: calls.append(p) or real(p, *a, **o))
    result, _ = denoise_file(Path("a.zarr"), Path("b.zarr"), RECIPE, **after)
    assert len(calls) == again
    wanted = (after.get("strength", 1), after.get("keep_detail", 0))
    assert np.array_equal(zarr.open_array("b.zarr", mode="r")[:], blended(data, *wanted))
    assert ("strength" in result.reason) == (wanted != (1, 0))


def test_a_mask_of_other_content_is_another_job(tmp_path):
    mask = tmp_path / "mask.npy"
    jobs = []
    for value in (0, 1):
        np.save(mask, np.full((4, 4), value))
        jobs.append(Options(mask=mask).to_job())
    assert jobs[0] != jobs[1]
    assert Options(mask=mask).to_job() == jobs[1]
