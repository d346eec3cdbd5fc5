"""The command line as a user meets it: exit codes, one-line errors, whole files or none."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

import zspot
from tests.cli_help import TINY, folder, zspot_cli
from tests.waiting import CEILING
from zspot.algorithms import METHODS
from zspot.core.errors import (
    ClusterError,
    FileError,
    MemoryLimitError,
    MissingExtraError,
    StoppedError,
)  # fmt: skip
from zspot.frontends.cli import stopping
from zspot.recipe import Recipe

__all__ = ["folder"]


def test_denoise_writes_what_the_api_returns(folder, capsys):
    code, out, err = zspot_cli(
        capsys, "denoise", folder / "noisy.png", folder / "out.png",
        "--recipe", folder / "tiny.toml", "--seed", 7,
    )  # fmt: skip
    assert code == 0
    assert not err
    assert "out.png" in out
    expected = zspot.denoise(
        iio.imread(folder / "noisy.png"), Recipe.from_toml(TINY), channel_axis=-1, seed=7
    )
    assert np.array_equal(iio.imread(folder / "out.png"), expected)


def test_a_saved_recipe_reruns_exactly(folder, capsys):
    common = ("denoise", folder / "noisy.png")
    first = (folder / "a.png", "--recipe", folder / "tiny.toml")
    assert zspot_cli(capsys, *common, *first, "--save-recipe", folder / "r.toml")[0] == 0
    assert Recipe.load(folder / "r.toml") == Recipe.from_toml(TINY)
    again = (folder / "b.png", "--recipe", folder / "r.toml")
    assert zspot_cli(capsys, *common, *again)[0] == 0
    assert (folder / "a.png").read_bytes() == (folder / "b.png").read_bytes()


def test_quiet_prints_nothing(folder, capsys):
    arguments = (folder / "noisy.png", folder / "o.png", "--recipe", folder / "tiny.toml")
    assert zspot_cli(capsys, "denoise", *arguments, "--quiet") == (0, "", "")


def test_methods_and_version(capsys):
    code, out, _ = zspot_cli(capsys, "methods")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "non-commercial" in out
    papers = zspot_cli(capsys, "methods", "--verbose")[1]
    for method in METHODS.values():
        assert method.name in out
        assert method.citation[:12] in papers
    assert zspot_cli(capsys, "--version") == (0, f"zspot {zspot.__version__}\n", "")


def test_noise_reports_in_words_as_json_and_as_a_picture(folder, capsys):
    code, out, _ = zspot_cli(capsys, "noise", folder / "noisy.png")
    assert code == 0
    assert "noise" in out
    code, out, _ = zspot_cli(
        capsys, "noise", folder / "noisy.png", "--json", "--plot", folder / "plot.png"
    )
    assert code == 0
    report = json.loads(out)
    assert len(report["level"]) == 3
    assert iio.imread(folder / "plot.png").ndim == 3
    again = zspot_cli(capsys, "noise", folder / "noisy.png", "--plot", folder / "plot.png")
    assert again[0] == 2
    assert "exists" in again[2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["denoise"], "INPUT"),
        (["noise", "nope.png"], "nope.png"),
        (["denoise", "nope.png", "o.png"], "nope.png"),
        (["denoise", "noisy.png", "o.xyz"], ".tif"),
        (["denoise", "noisy.png", "no/such/o.png"], "no/such"),
        (["denoise", "noisy.png", "noisy.png"], "exists"),
        (["denoise", "noisy.png", "o.png", "--method", "magic"], "bsn-ins"),
        (["denoise", "noisy.png", "o.png", "--effort", "magic"], "balanced"),
        (["denoise", "noisy.png", "o.png", "--device", "magic"], "auto"),
        (["denoise", "noisy.png", "o.png", "--seed", "-1"], "seed"),
        (["denoise", "noisy.png", "o.png", "--seed", "9" * 400], "seed"),
        (["denoise", "noisy.png", "o.png", "--seed", "9" * 10**5], "seed"),
        (["denoise", "noisy.png", "o.png", "--threads", "0"], "threads"),
        (["denoise", "noisy.png", "o.png", "--threads", "100000"], "threads"),
        (["denoise", ".", "out", "--threads", "100000"], "threads"),
        (["denoise", ".", "out", "--workers", "100000"], "workers"),
        (["web", "--jobs", "100000"], "jobs"),
        (["denoise", "noisy.png", "o.png", "--recipe", "noisy.png"], "UTF-8"),
        (["denoise", "noisy.png", "o.png", "--recipe", "nope.toml"], "nope.toml"),
        (
            ["denoise", "noisy.png", "o.png", "--recipe", "tiny.toml", "--effort", "best"],
            "--effort",
        ),
        (["denoise", "tiny.toml", "o.png"], "tiny.toml"),
        (["denoise", "noisy.png", "o.png", "--what"], "--what"),
        (["what"], "what"),
    ],
)
def test_bad_use_is_one_line_and_exit_code_2(folder, capsys, monkeypatch, arguments, says):
    monkeypatch.chdir(folder)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    code, out, err = zspot_cli(capsys, *arguments)
    assert code == 2
    assert not out
    assert says in err
    assert err.count("\n") == 1
    assert len(err) < 1000
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_an_existing_file_is_replaced_only_when_asked(folder, capsys):
    target = folder / "o.png"
    target.write_bytes(b"precious")
    arguments = ("denoise", folder / "noisy.png", target, "--recipe", folder / "tiny.toml")
    assert zspot_cli(capsys, *arguments)[0] == 2
    assert target.read_bytes() == b"precious"
    assert zspot_cli(capsys, *arguments, "--overwrite")[0] == 0
    assert iio.imread(target).shape == (30, 40, 3)


INTERRUPTED = """
import os, signal, sys

# A background job of a shell without job control inherits an ignored SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
number, when, source = signal.Signals[sys.argv[1]], sys.argv[2], sys.argv[3]

def stop(event, arguments):
    if event == "import" and arguments[0] == when:
        os.kill(os.getpid(), number)

sys.addaudithook(stop)
if when == "fit":
    import zspot.core.progress
    real, ticks = zspot.core.progress.Clock.tick, []

    def tick(self, stage):
        real(self, stage)
        ticks.append(stage)
        if len(ticks) == 2:  # into the fit, as if the user pressed Ctrl-C now
            os.kill(os.getpid(), number)

    zspot.core.progress.Clock.tick = tick

from zspot.frontends import cli
target = f"o{os.path.splitext(source)[1]}"
cli.main(["denoise", source, target, "--method", "bsn-ins", "--effort", "best"])
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("when", "source"),
    [
        *((module, "big.png") for module in ("typer", "rich.console", "numpy.linalg", "torch.nn")),
        *(("fit", source) for source in ("big.png", "big.tif", "big.zarr")),
    ],
)
def test_ctrl_c_and_sigterm_stop_at_once_and_leave_nothing(folder, name, when, source):
    """Interrupt a run that would take minutes, and what comes before it."""
    big = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    if source == "big.zarr":
        zarr = pytest.importorskip("zarr")
        zarr.create_array(folder / source, data=big, chunks=(32, 64, 3))
    elif source == "big.tif":
        tifffile.imwrite(folder / source, np.stack([big, big]), photometric="rgb")
    else:
        iio.imwrite(folder / source, big)
    before = sorted(p.name for p in folder.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, name, when, source],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=CEILING,
        check=False,
    )
    assert done.stderr.splitlines()[-1] == "zspot: cancelled: nothing was written"
    assert done.returncode == 128 + signal.Signals[name]
    assert sorted(p.name for p in folder.iterdir()) == before


@pytest.mark.parametrize(
    "code",
    [
        "import zspot; assert zspot.methods()",
        "from zspot.frontends.cli.program import run; assert run(['--help']) == 0",
        "from zspot.frontends.cli.program import run; assert run(['--version']) == 0",
        "from zspot.frontends.cli.program import run; assert run(['methods']) == 0",
        "from zspot.frontends.cli.program import run; assert run(['denoise', '--help']) == 0",
        "from zspot.frontends.cli.program import run; assert run(['denoise', '--what']) == 2",
    ],
)
def test_what_needs_no_torch_does_not_load_it(code):
    said = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print('torch' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (FileError("a.png is\nempty"), 2, "zspot: a.png is empty\n"),
        (MemoryLimitError("a tile needs 3 GB"), 2, "zspot: a tile needs 3 GB\n"),
        (ClusterError("nobody answers"), 1, "zspot: nobody answers\n"),
        (MissingExtraError("pictures need matplotlib"), 2, "zspot: pictures need matplotlib\n"),
        (StoppedError("cancelled: 2 files"), stopping.INTERRUPTED, "zspot: cancelled: 2 files\n"),
        (MemoryError(), 1, "zspot: not enough memory\n"),
        (RuntimeError("odd\nthing"), 1, r"zspot: unexpected failure \(.*, line \d+\): odd thing\n"),
        (AssertionError(), 1, r"zspot: unexpected failure \(.*\): no reason was given\n"),
    ],
)
def test_any_error_is_one_plain_line(capsys, monkeypatch, error, code, says):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr("zspot.io.read", broken)
    ended, _, said = zspot_cli(capsys, "noise", "a.png")
    assert ended == code
    assert re.fullmatch(says, said)


def test_without_a_name_the_output_lies_beside_the_input(folder, capsys):
    recipe = ("--recipe", folder / "tiny.toml")
    assert zspot_cli(capsys, "denoise", folder / "noisy.png", *recipe)[0] == 0
    assert zspot_cli(capsys, "denoise", folder / "noisy.png", folder / "b.png", *recipe)[0] == 0
    made = folder / "noisy-denoised.png"
    assert made.read_bytes() == (folder / "b.png").read_bytes()
    code, _, err = zspot_cli(capsys, "denoise", folder / "noisy.png", *recipe)
    assert code == 2
    assert err == f"zspot: {made} exists; choose another name or pass --overwrite\n"
    assert zspot_cli(capsys, "denoise", folder / "noisy.png", *recipe, "--overwrite")[0] == 0
    code, _, err = zspot_cli(capsys, "denoise", folder, *recipe)
    assert (code, "need a folder as OUTPUT" in err) == (2, True)


@pytest.mark.parametrize("target", ["there.png", "none/out.png", "a.xyz"])
@pytest.mark.parametrize("content", [None, b"", b"no image", b"\x89PNG\r\n\x1a\nbroken"])
def test_a_bad_input_is_named_before_the_output(folder, capsys, target, content):
    (folder / "there.png").write_bytes(b"")
    if content is not None:
        (folder / "bad.png").write_bytes(content)
    code, _, err = zspot_cli(capsys, "denoise", folder / "bad.png", folder / target)
    assert code == 2
    assert err.startswith(f"zspot: {folder / 'bad.png'}")


def test_a_run_is_told_in_one_plain_sentence_and_details_when_asked(folder, capsys):
    arguments = ("denoise", folder / "noisy.png", "--recipe", folder / "tiny.toml", "--overwrite")
    _, out, err = zspot_cli(capsys, *arguments)
    assert err == ""
    said = re.fullmatch(r"\S*noisy-denoised.png: (.*) \(\d+\.\d s on cpu\)\n", out)
    assert said
    assert len(said[1].split()) <= 25
    assert "of 255" in said[1]
    assert "emoved" in said[1]
    _, more, _ = zspot_cli(capsys, *arguments, "--verbose")
    assert more.splitlines()[1] == "the recipe was given"


def test_what_was_repaired_or_left_out_is_said_apart(folder, capsys):
    x = np.mgrid[:64, :64][1]
    noisy = np.rint(100 + 40 * np.sin(x / 9) + np.random.default_rng(0).normal(0, 3, x.shape))
    noisy[20, 30] = 255
    noisy[:, 56:] = 0
    iio.imwrite(folder / "hot.png", noisy.astype(np.uint8))
    _, _, err = zspot_cli(
        capsys, "denoise", folder / "hot.png", "--recipe", folder / "tiny.toml"
    )  # fmt: skip
    assert [line.split(":")[1] for line in err.splitlines()] == [
        " left as it was", " isolated outliers repaired",
    ]  # fmt: skip
    flat = folder / "flat.png"
    iio.imwrite(flat, np.full((20, 20), 7, np.uint8))
    _, out, err = zspot_cli(capsys, "denoise", flat)
    assert "nothing varies" in err
    assert "Nothing was removed" in out


def test_several_files_beside_themselves_or_into_a_folder(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    for name in ("a.png", "b.png"):
        shutil.copy("noisy.png", name)
    recipe = ("--recipe", "tiny.toml", "--quiet")
    names = ("noisy.png", "a.png", "b.png")
    assert zspot_cli(capsys, "denoise", *names, *recipe) == (0, "", "")
    made = Path("noisy-denoised.png").read_bytes()
    assert all(Path(f"{name[:-4]}-denoised.png").read_bytes() == made for name in names)
    Path("out").mkdir()
    code, _, err = zspot_cli(capsys, "denoise", "noisy.png", "none.png", "a.png", "out", *recipe)
    assert (code, err.count("\n"), "none.png" in err) == (1, 1, True)
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.png", "noisy.png"]
    assert Path("out/a.png").read_bytes() == made
    assert zspot_cli(capsys, "denoise", "a.png", "b.png", "new/", *recipe) == (0, "", "")
    assert sorted(path.name for path in Path("new").iterdir()) == ["a.png", "b.png"]
    code, _, err = zspot_cli(capsys, "denoise", "a.png", "b.png", "no.png", *recipe)
    assert (code, "need a folder as OUTPUT" in err) == (2, True)
    code, _, err = zspot_cli(capsys, "denoise", *names, "--compare", "c.png", *recipe)
    assert (code, "--compare goes with one file" in err) == (2, True)


def test_a_comparison_is_drawn_and_a_part_is_tried(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    recipe = ("--recipe", "tiny.toml")
    plain = zspot_cli(capsys, "denoise", "noisy.png", "a.png", *recipe)
    drawn = zspot_cli(capsys, "denoise", "noisy.png", "b.png", *recipe, "--compare", "c.png")
    assert plain[0] == drawn[0] == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    sheet = iio.imread("c.png")
    assert sheet.shape[1] > 3 * 384
    code, _, err = zspot_cli(capsys, "denoise", "noisy.png", "d.png", *recipe, "--compare", "c.png")
    assert (code, "--overwrite" in err, Path("d.png").exists()) == (2, True, False)
    code, out, err = zspot_cli(capsys, "denoise", "noisy.png", "--preview", "4,2,20,16", *recipe)
    assert (code, err, out.startswith("noisy-preview.png: ")) == (0, "", True)
    assert iio.imread("noisy-preview.png").shape[1] == sheet.shape[1]
    assert not Path("noisy-denoised.png").exists()
    for window in ("30,0,20,16", "0,0,0,0", "-1,0,4,4", "1,2,3", "a,b,c,d"):
        options = ("--preview", window, "--overwrite", *recipe)
        code, _, err = zspot_cli(capsys, "denoise", "noisy.png", *options)
        assert (code, "40 x 30 pixels" in err) == (2, True)


@pytest.mark.parametrize("letters", ["CYXS", "CSYX", "SCYX"])
def test_letters_of_colours_and_of_channels_beside_them(folder, capsys, letters):
    """The channels are then planes of colours: in a preview as in the whole file."""
    sizes = dict(zip("CYXS", (2, 24, 40, 3), strict=True))
    values = np.random.default_rng(0).normal(120, 9, [sizes[a] for a in letters])
    tifffile.imwrite(folder / "a.tif", values.astype(np.uint8), photometric="minisblack")
    more = ("--axes", letters, "--effort", "fast")
    assert zspot_cli(capsys, "denoise", folder / "a.tif", folder / "b.tif", *more)[0] == 0
    own = zspot.denoise(values.astype(np.uint8), axes=letters, effort="fast")
    assert np.array_equal(tifffile.imread(folder / "b.tif"), own)
    sheet = ("--preview", "4,2,20,16", *more)
    assert zspot_cli(capsys, "denoise", folder / "a.tif", folder / "c.png", *sheet)[::2] == (0, "")
    wide = ("--preview", "4,2,99,16", "--overwrite", *more)
    code, _, said = zspot_cli(capsys, "denoise", folder / "a.tif", folder / "c.png", *wide)
    assert (code, "a part of the 40 x 24 pixels" in said) == (2, True)


def test_noise_and_previews_leave_out_what_the_run_leaves_out(folder, capsys):
    rng = np.random.default_rng(0)
    stack = (100 + 5 * rng.normal(size=(2, 96, 96))).astype(np.float32)
    hole = rng.uniform(size=(96, 96)) < 0.1
    stack[:, hole] = -9999
    path, target, part = folder / "a.tif", folder / "b.tif", folder / "part.npy"
    options = {"extratags": [(42113, "s", 0, "-9999", False)], "photometric": "minisblack"}
    tifffile.imwrite(path, stack, metadata=None, **options)
    report = json.loads(zspot_cli(capsys, "noise", path, "--json")[1])
    assert 4 < report["level"][0] < 6
    known = ("--axes", "ZYX", "--neighbours", "1", "--effort", "fast")
    said = zspot_cli(capsys, "denoise", path, target, *known)
    tried = zspot_cli(capsys, "denoise", path, folder / "c.png", "--preview", "8,4,80,90", *known)
    assert said[0] == tried[0] == 0
    assert "nodata" in said[2]
    assert "left as it was: 10%" in tried[2]
    assert np.array_equal(tifffile.imread(target) == -9999, stack == -9999)
    # the picture, not its holes, fills the scale of the sheet
    assert 60 < iio.imread(folder / "c.png", mode="L")[20:200, 400:700].mean() < 190
    np.save(part, hole.astype(np.uint8))
    masked = ("--mask", part, "--preview", "8,4,80,90", "--overwrite", *known)
    assert zspot_cli(capsys, "denoise", path, folder / "c.png", *masked)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "command"),
    [(["denoise", "--what"], "zspot denoise"), (["noise"], "zspot noise"), (["what"], "zspot")],
)
def test_errors_end_with_the_help_that_helps(capsys, arguments, command):
    assert zspot_cli(capsys, *arguments)[2].endswith(f"(see {command} --help)\n")
