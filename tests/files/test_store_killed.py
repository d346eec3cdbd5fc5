"""Zarr folders whose run is killed, or around which something changes meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("zarr")

import zspot.files.store
from tests.store_help import RECIPE, noise, ome, tree
from zspot.core.errors import FileError
from zspot.files import denoise_file, planes

KILLED = """
import os, sys
from pathlib import Path
from zspot.files import denoise_file
from tests.store_help import RECIPE

left = int(sys.argv[1])

def watched(event, arguments):
    # what changes names and files of the two folders, one after the other
    global left
    if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "open") and (
        "b.zarr" in (name := str(arguments[0])) and name.endswith(sys.argv[2])
    ):
        left -= 1
        if left == 0:
            os._exit(9)

sys.addaudithook(watched)
denoise_file(Path("a.zarr"), Path("b.zarr"), RECIPE, overwrite=True)
"""


def _killed_at(folder: Path, step: int, ending: str = "") -> bool:
    """Run in a process of its own that dies before a step of such files; say whether it did."""
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    command = [sys.executable, "-c", KILLED, str(step), ending]
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode == 9


@pytest.mark.slow  # a process for each step
def test_an_overwrite_killed_anywhere_loses_nothing_and_goes_on(tmp_path):
    source, target = tmp_path / "a.zarr", tmp_path / "b.zarr"
    ome(source, 3, noise(1, 2, 20, 24), (1, 1, 20, 24), levels=1)
    denoise_file(source, tmp_path / "whole.zarr", RECIPE)
    new, step, dead = tree(tmp_path / "whole.zarr"), 1, True
    while dead:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        (target / "precious").write_text("x")
        dead = _killed_at(tmp_path, step)
        kept = [tree(p) for p in (target, tmp_path / ".b.zarr.zspot/old") if p.is_dir()]
        assert new in kept or {"precious": b"x"} in kept, step
        denoise_file(source, target, RECIPE, overwrite=True)
        assert tree(target) == new, step
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "b.zarr", "whole.zarr"]
        step += 7
    assert step > 50


def test_a_chunk_half_written_by_a_killed_run_is_not_in_the_result(tmp_path):
    source, target = tmp_path / "a.zarr", tmp_path / "b.zarr"
    ome(source, 3, noise(1, 2, 20, 24), (1, 1, 20, 24), levels=1)
    denoise_file(source, tmp_path / "whole.zarr", RECIPE)
    assert _killed_at(tmp_path, 4, ".partial")  # opened and renamed: the second chunk
    assert list(tmp_path.glob(".b.zarr.zspot/store/**/*.partial"))
    denoise_file(source, target, RECIPE)
    assert tree(target) == tree(tmp_path / "whole.zarr")


@pytest.mark.parametrize("overwrite", [False, True])
def test_killed_after_the_store_took_its_name(tmp_path, monkeypatch, overwrite):
    source, target = tmp_path / "a.zarr", tmp_path / "b.zarr"
    ome(source, 3, noise(1, 2, 20, 24), (1, 1, 20, 24), levels=1)
    if overwrite:
        target.mkdir()
        (target / "old").write_text("x")
    monkeypatch.setattr(zspot.files.store, "sync_folder", _kill)
    monkeypatch.setattr(zspot.files.store, "_clear", lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        denoise_file(source, target, RECIPE, overwrite=overwrite)
    monkeypatch.undo()
    new = tree(target)
    assert "zarr.json" in new
    monkeypatch.setattr(planes, "run", _kill)  # nothing is left to run
    if overwrite:
        denoise_file(source, target, RECIPE, overwrite=True)
    else:
        with pytest.raises(FileError, match="exists"):
            denoise_file(source, target, RECIPE)
    assert tree(target) == new
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "b.zarr"]


def _kill(*_, **__):
    raise KeyboardInterrupt


def _meanwhile(monkeypatch, act):
    """Do something while the second plane is denoised."""
    real, calls = planes.run, []

    def run(*arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            act()
        return real(*arguments, **options)

    monkeypatch.setattr(planes, "run", run)


def test_a_folder_that_appears_meanwhile_is_kept(tmp_path, monkeypatch):
    ome(tmp_path / "a.zarr", 2, noise(1, 3, 20, 24), (1, 1, 20, 24), levels=1)
    target = tmp_path / "b.zarr"

    def appear():
        target.mkdir()
        (target / "precious").write_text("x")

    _meanwhile(monkeypatch, appear)
    with pytest.raises(FileError, match="exists; choose another name or pass --overwrite"):
        denoise_file(tmp_path / "a.zarr", target, RECIPE)
    assert tree(target) == {"precious": b"x"}
    monkeypatch.setattr(planes, "run", _kill)  # what was done is not done again
    denoise_file(tmp_path / "a.zarr", target, RECIPE, overwrite=True)
    assert set(tree(target)) == set(tree(tmp_path / "a.zarr"))


@pytest.mark.parametrize("name", ["0/0.2.0.0", "0/0.0.0.0", ".zattrs"])
def test_what_vanishes_or_changes_during_a_run_is_an_error(tmp_path, monkeypatch, name):
    ome(tmp_path / "a.zarr", 2, noise(1, 3, 20, 24), (1, 1, 20, 24), levels=1)
    _meanwhile(monkeypatch, lambda: (tmp_path / "a.zarr" / name).rename(tmp_path / "gone"))
    says = r"0\.2\.0\.0 vanished" if "2" in name else "changed while it was read"
    with pytest.raises(FileError, match=says):
        denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE)
    assert not (tmp_path / "b.zarr").exists()
