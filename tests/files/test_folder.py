"""Folders on Dask: what is there at the end, and what a rerun, a crash and Ctrl-C leave."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

pytest.importorskip("distributed")

import zspot.files.folder
from tests.folder_help import LONG, RECIPE, command, states, tree, wait_for
from zspot.core.errors import FileError
from zspot.files import denoise_file
from zspot.files.discovery import find, is_many
from zspot.files.folder import denoise_many
from zspot.files.journal import NAME
from zspot.frontends import cli
from zspot.recipe import Recipe

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and names")


def alone(folder: Path) -> dict[str, bytes]:
    """What each good image gives by itself."""
    out = {}
    for name in ("a.png", "b.png", "night/1/c.tif"):
        target = folder / f"alone{Path(name).suffix}"
        denoise_file(folder / "in" / name, target, RECIPE, overwrite=True)
        out[name] = target.read_bytes()
    return out


def test_a_folder_comes_back_with_its_names_and_the_bytes_of_each_image_alone(
    folder, scheduler, one_thread
):
    seen, ended = [], []
    summary = denoise_many(
        folder / "in", folder / "out", RECIPE, scheduler=scheduler, progress=seen.append,
        ended=ended.append,
    )  # fmt: skip
    assert states(summary) == {
        "a.png": "done", "b.png": "done", "bad.png": "failed", "night/1/c.tif": "done"
    }  # fmt: skip
    assert list(states(summary)) == ["a.png", "b.png", "bad.png", "night/1/c.tif"]
    assert summary.others == 1
    assert tree(folder / "out") == alone(folder)
    assert sorted(o.item.name for o in ended) == sorted(states(summary))
    assert seen[-1].done == pytest.approx(seen[-1].total)
    bad = next(o for o in summary.outcomes if o.state == "failed")
    assert str(folder / "in/bad.png") in bad.error
    lines = [json.loads(line) for line in (folder / "out" / NAME).read_text().splitlines()]
    done = [line for line in lines if line["state"] == "done"]
    assert len(done) == 3
    assert all(line["versions"]["zspot"] == zspot.__version__ for line in done)
    assert all(Recipe.from_dict(line["job"]["recipe"]) == RECIPE for line in done)


def test_a_rerun_skips_what_is_done_and_redoes_what_changed(folder, scheduler):
    def go(recipe=RECIPE, **options):
        return denoise_many(folder / "in", folder / "out", recipe, scheduler=scheduler, **options)

    first = go()
    assert states(go()) == {
        name: "skipped" if state == "done" else "failed" for name, state in states(first).items()
    }
    iio.imwrite(folder / "in/a.png", np.arange(600, dtype=np.uint8).reshape(20, 30))
    (folder / "out/b.png").unlink()
    assert states(go()) == {
        "a.png": "done", "b.png": "done", "bad.png": "failed", "night/1/c.tif": "skipped"
    }  # fmt: skip
    assert set(states(go(seed=1)).values()) == {"done", "failed"}
    (folder / "out/a.png").write_bytes(b"edited by hand")
    summary = go(seed=1)
    assert "changed since zspot wrote it" in summary.outcomes[0].error
    assert (folder / "out/a.png").read_bytes() == b"edited by hand"
    assert states(go(seed=1, overwrite=True))["a.png"] == "done"


def test_what_zspot_did_not_write_is_left_alone(folder, scheduler):
    (folder / "out").mkdir()
    (folder / "out/a.png").write_bytes(b"precious")
    for _ in range(2):
        summary = denoise_many(folder / "in", folder / "out", RECIPE, scheduler=scheduler)
        assert "zspot did not write it" in summary.outcomes[0].error
        assert (folder / "out/a.png").read_bytes() == b"precious"


def test_a_zarr_folder_is_one_file(folder, scheduler):
    zarr = pytest.importorskip("zarr")
    source = folder / "in/night/z.zarr"
    data = np.random.default_rng(0).integers(0, 99, (2, 20, 24)).astype(np.uint16)
    zarr.create_array(source, data=data, chunks=(1, 20, 24))
    pattern = str(folder / "in/night/*.zarr")
    for state in ("done", "skipped"):
        summary = denoise_many(pattern, folder / "out", RECIPE, scheduler=scheduler)
        assert states(summary) == {"z.zarr": state}
    denoise_file(source, folder / "alone.zarr", RECIPE)
    assert tree(folder / "out/z.zarr") == tree(folder / "alone.zarr")


def test_an_input_that_vanishes_or_changes_is_a_line(folder, scheduler, monkeypatch):
    real = zspot.files.folder.Run._submit

    def vanish(self, client, tag, number, mark):
        item = self.items[number]
        if item.name == "a.png":
            item.source.unlink()
        return real(self, client, tag, number, mark)

    monkeypatch.setattr(zspot.files.folder.Run, "_submit", vanish)
    summary = denoise_many(folder / "in", folder / "out", RECIPE, scheduler=scheduler)
    assert "no such file" in summary.outcomes[0].error
    assert states(summary)["b.png"] == "done"


@posix
def test_strange_names_links_and_pipes_in_a_folder(folder, scheduler):
    source = folder / "in"
    odd = os.fsdecode(b"\xff\n\x1b[31m.png")
    (source / odd).write_bytes((source / "a.png").read_bytes())
    (source / "circle.png").symlink_to("circle.png")
    (source / "again").symlink_to("..", target_is_directory=True)
    (source / "folder.png").mkdir()
    os.mkfifo(source / "pipe.tif")
    (source / ".hidden.png").write_bytes(b"")
    (source / "empty.png").write_bytes(b"")
    summary = denoise_many(source, source / "out", RECIPE, scheduler=scheduler)
    found = states(summary)
    assert found == {
        "a.png": "done", "b.png": "done", "bad.png": "failed", "circle.png": "failed",
        "empty.png": "failed", "night/1/c.tif": "done", "pipe.tif": "failed", odd: "done",
    }  # fmt: skip
    assert all("\n" not in o.error and "\x1b" not in o.error for o in summary.outcomes)
    assert states(denoise_many(source, source / "out", RECIPE, scheduler=scheduler))[odd] == (
        "skipped"
    )


def test_patterns_and_names_of_outputs(folder):
    out = folder / "out"
    (folder / "in/x.dng").write_bytes(b"")
    (folder / "in/x.tif").write_bytes(b"")
    (folder / "in/y.czi").write_bytes(b"")
    found, _ = find(str(folder / "in/*.*"), out)
    assert [item.name for item in found] == [
        "a.png", "b.png", "bad.png", "notes.txt", "x.dng", "x.tif", "y.czi"
    ]  # fmt: skip
    targets = {item.name: item.target.name for item in found}
    assert targets["x.dng"] == targets["x.tif"] == "x.tif"
    assert targets["y.czi"] == "y.ome.tif"
    assert "same output" in found[5].error
    deep, _ = find(str(folder / "in/**/*.tif"), out)
    assert [item.target for item in deep] == [out / "night/1/c.tif", out / "x.tif"]
    assert is_many(folder / "in")
    assert is_many(str(folder / "in/*.png"))
    assert not is_many(folder / "in/a.png")
    assert not is_many(folder / "missing.png")
    for source, wrong in ((folder / "in/night", "*.bmp"), (folder / "in", "")):
        with pytest.raises(FileError, match=r"there is no image|holds the inputs"):
            find(str(source / wrong), folder / "in")


@posix
@pytest.mark.parametrize(
    "name", ["SIGINT", *(pytest.param(n, marks=pytest.mark.slow) for n in ("SIGTERM", "SIGKILL"))]
)
def test_stopped_in_the_middle_then_resumed(folder, scheduler, one_thread, name):
    """Stop a local cluster of two when the first file is done; finish on another cluster."""
    source, out = folder / "many", folder / "out"
    source.mkdir()
    for i in range(4):
        (source / f"{i}.png").write_bytes((folder / "in/b.png").read_bytes())
    (folder / "long.toml").write_text(LONG.to_toml())

    def done() -> list[Path]:
        return sorted(out.glob("*.png"))

    # A background job of a shell without job control inherits an ignored SIGINT.
    run = command(
        source, out, "--recipe", folder / "long.toml", "--workers", 2,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    wait_for(done, run)
    if name == "SIGINT":
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    else:
        run.send_signal(signal.Signals[name])
    _, err = run.communicate()
    before = len(done())
    assert before < 4
    if name != "SIGKILL":
        assert run.returncode == 128 + signal.Signals[name]
        assert err.count("\n") == 1
        assert err.startswith("zspot: cancelled")
        assert {p.name for p in out.iterdir()} <= {p.name for p in done()} | {NAME}
    denoise_file(source / "0.png", folder / "alone.png", LONG)
    expected = (folder / "alone.png").read_bytes()
    assert all(path.read_bytes() == expected for path in done())
    summary = denoise_many(source, out, LONG, scheduler=scheduler)
    assert summary.count("skipped") >= before - 1  # the last may have been done, not yet booked
    assert summary.count("failed") == 0
    assert tree(out) == {f"{i}.png": expected for i in range(4)}


def test_the_command_line_reports_bad_files_and_goes_on(folder, scheduler, capsys):
    (folder / "tiny.toml").write_text(RECIPE.to_toml())
    arguments = ["denoise", folder / "in", folder / "out", "--recipe", folder / "tiny.toml"]
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(a) for a in (*arguments, "--scheduler", scheduler)])
    out, err = capsys.readouterr()
    assert stopped.value.code == 1
    assert "3 denoised, 1 failed, 1 other files left out" in out
    assert err.startswith(f"zspot: {folder / 'in/bad.png'}")
    assert err.count("\n") == 1


def test_each_file_has_a_sentence_and_what_was_repaired_in_it(folder, scheduler, capsys):
    hot = np.rint(100 + np.random.default_rng(0).normal(0, 3, (64, 64)))
    hot[20, 30] = 255
    iio.imwrite(folder / "in" / "hot.png", hot.astype(np.uint8))
    iio.imwrite(folder / "in" / "flat.png", np.full((20, 20), 7, np.uint8))
    (folder / "tiny.toml").write_text(RECIPE.to_toml())
    arguments = ["denoise", folder / "in", folder / "out", "--recipe", folder / "tiny.toml"]
    with pytest.raises(SystemExit):
        cli.main([str(a) for a in (*arguments, "--scheduler", scheduler)])
    out, err = capsys.readouterr()
    for name, said in (("flat", "Nothing was removed."), ("hot", "emoved"), ("a", "emoved")):
        line = next(line for line in out.splitlines() if f"{folder / 'out' / name}.png: " in line)
        assert said in line
        assert line.endswith(" s)")
    assert "hot.png: isolated outliers repaired" in err
    assert "flat.png: nothing varies in the picture" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["in", "in"], "holds the inputs"),
        (["in/*.bmp", "out"], "no image"),
        (["in", "out", "--save-recipe", "r.toml"], "--save-recipe"),
        (["in", "out", "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"], "--workers"),
        (["in/a.png", "o.png", "--workers", "2"], "--workers"),
        (["in", "out", "--workers", "0"], "workers"),
        (["in", "in/a.png"], "in/a.png"),
        (["in", "out", "--max-memory", "banana"], "'banana' is no size of memory"),
        (["in/*.png", "out", "--max-memory", "0"], "'0' is no size of memory"),
        (["in", "out", "--axes", "XX"], "give each axis a letter"),
        (["in", "out", "--device", "magic"], "unknown device 'magic'"),
        (["in", "out", "--device", "cuda:99"], "is not there"),
        (["in/a.png", "o.png", "--axes", "ZYX"], "2 axes"),
    ],
)
def test_bad_use_is_one_line(folder, capsys, monkeypatch, arguments, says):
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["denoise", *arguments])
    out, err = capsys.readouterr()
    assert stopped.value.code == 2
    assert not out
    assert says in err
    assert err.count("\n") == 1
    assert not (folder / "out").exists()
