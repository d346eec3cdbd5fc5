"""What the command line writes: no file twice, no recipe that is not true, names on one line."""

from __future__ import annotations

import shutil

import numpy as np

from tests.cli_help import folder, zspot_cli

__all__ = ["folder"]


def test_no_file_is_written_twice_or_over_an_input(folder, capsys):
    (folder / "x").mkdir()
    shutil.copy(folder / "noisy.png", folder / "x" / "noisy.png")
    one, other = folder / "noisy.png", folder / "x" / "noisy.png"
    before, tiny = one.read_bytes(), ("--recipe", folder / "tiny.toml", "--overwrite")
    for words in (
        (one, other, folder / "x", "more", folder / "out"),  # more is no file
        (one, other, folder / "out.d"),
        (one, folder / "o.png", "--compare", folder / "o.png"),
        (one, folder / "o.png", "--compare", one),
        (one, folder / "o.png", "--save-recipe", folder / "tiny.toml"),
    ):
        code, _, err = zspot_cli(capsys, "denoise", *words, *tiny)
        assert code == 2
        assert len(err.splitlines()) == 1
    assert "would be written twice, or over an input" in err
    assert one.read_bytes() == before
    assert not (folder / "o.png").exists()
    same = zspot_cli(capsys, "denoise", other, other, "--compare", folder / "c.png", *tiny)
    assert same[0] == 0
    assert other.read_bytes() != before


def test_no_recipe_is_saved_of_bins(folder, capsys):
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.where(np.mgrid[:96, :96][0] > 48, 0.4, 0.05)).astype(np.float32)
    np.save(folder / "few.npy", counts)
    words = (folder / "few.npy", folder / "o.npy", "--effort", "fast", "--save-recipe")
    code, _, err = zspot_cli(capsys, "denoise", *words, folder / "r.toml")
    assert code == 2
    assert "no recipe says what ran" in " ".join(err.split())
    assert (folder / "o.npy").exists()
    assert not (folder / "r.toml").exists()


def test_names_with_line_ends_are_one_line(folder, capsys):
    name = folder / "a\nb.png"
    shutil.copy(folder / "noisy.png", name)
    target = folder / "c\nd.png"
    _, out, _ = zspot_cli(capsys, "denoise", name, target, "--recipe", folder / "tiny.toml")
    assert "c\\x0ad.png" in "".join(out.split("\n"))
