"""`zspot denoise` between pipes: images through standard input and output."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from tests.cli_help import folder, zspot_cli
from tests.waiting import CEILING

__all__ = ["folder"]


def _piped(folder, *arguments, content=b""):
    command = [sys.executable, "-m", "zspot", "denoise", *arguments, "--recipe", "tiny.toml"]
    return subprocess.run(command, cwd=folder, input=content, capture_output=True, timeout=CEILING)


def test_standard_input_and_output(folder):
    content = (folder / "noisy.png").read_bytes()
    there = _piped(folder, "noisy.png", "out.png")
    assert there.stdout.startswith(b"out.png: ")
    made = (folder / "out.png").read_bytes()
    through = _piped(folder, "-", "-", content=content)
    assert through.stdout == made
    assert through.stderr.startswith(b"standard-output.png: ")
    tiff = _piped(folder, "noisy.png", "-", "--format", "tif", "--quiet")
    assert tiff.stderr == b""
    assert np.array_equal(iio.imread(tiff.stdout, extension=".tif"), iio.imread(made))
    back = _piped(folder, "-", "back.png", content=tiff.stdout)
    assert back.returncode == 0
    assert iio.imread(folder / "back.png").shape == (30, 40, 3)


@pytest.mark.parametrize(
    ("arguments", "content", "words"),
    [
        (("-", "-"), b"", b"standard input is empty"),
        (("-", "-"), b"FUJIFILMCCD-RAW 0201", b"standard input is no image"),
        (("-", "-"), b"\x89PNG\r\n\x1a\nbroken", b"zspot: standard-input.png is truncated"),
        (("noisy.png", "-", "--format", "xyz"), b"", b"zspot: standard-output.xyz: cannot tell"),
        (("noisy.png", "b.png", "--format", "tif"), b"", b"--format goes with - (standard output)"),
    ],
)
def test_what_cannot_be_piped_is_one_line(folder, arguments, content, words):
    done = _piped(folder, *arguments, content=content)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.count(b"\n") == 1
    assert words in done.stderr


def test_what_a_killed_pipe_left_is_removed_and_what_a_living_one_holds_is_not(tmp_path):
    from zspot.io.atomic import lock, temporary_folder

    prefix = f"zspot-pipe-{tmp_path.name}-"
    dead, new, held = (Path(tempfile.mkdtemp(prefix=prefix)) for _ in range(3))
    for path in (dead, held):
        (path / "standard-input.png").write_bytes(b"private")
    with lock(held / ".lock", "in use"):
        for path in (dead, held):
            os.utime(path, (0, 0))
        with temporary_folder(prefix) as made:
            assert [path.exists() for path in (dead, new, held, made)] == [False, True, True, True]
    assert not made.exists()
    for path in (new, held):
        shutil.rmtree(path)


def test_nothing_binary_on_a_terminal(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, _, err = zspot_cli(capsys, "denoise", folder / "noisy.png", "-")
    assert (code, "not written to a terminal" in err) == (2, True)
