"""The table of the README has the figures of the stored rows and of the papers."""

from __future__ import annotations

import re

import pytest

from tests.docs_help import ROOT

pytest.importorskip("pandas", reason="the extra bench is not installed")

from benchmarks.datasets import Entry
from benchmarks.store import read_rows
from benchmarks.tables import PUBLISHED
from benchmarks.variants import weights

SETS = ("sidd_val", "fmdd", "polyu", "cc", "set9+white:25", "bsd68+white:25")
NAMES = {"BSN-INS, as published": "bsn-ins", "Self2Self, as published": "self2self"}


def table() -> dict[str, list[str]]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| (.*) \|$", text.partition("| method | trained weights |")[2], re.M)
    cells = [[cell.strip() for cell in line.split(" |")] for line in lines]
    return {first.replace("`", "").strip("| "): rest for first, *rest in cells}


def test_the_table_of_the_readme_is_that_of_the_rows():
    shown = table()
    rows = read_rows(ROOT / "docs" / "results" / "auto.csv")
    for place, text in enumerate(SETS, 1):
        entry = Entry.parse(text)
        mine = rows[(rows["set"] == entry.set) & (rows["noise"] == entry.noise)]
        of = mine.groupby(["method", "effort"])
        means, seconds = of["psnr"].mean(), of["cpu_seconds"].median()
        assert shown["noisy input"][place] == f"{means['noisy'].iloc[0]:.2f}"
        assert shown["auto"][place] == f"{means['auto', 'balanced']:.2f}"
        assert shown["auto, effort fast"][place] == f"{means['auto', 'fast']:.2f}"
        assert shown["seconds of auto"][place] == f"{seconds['auto', 'balanced']:.0f}"
        for name, method in NAMES.items():
            assert shown[name][place] == PUBLISHED[text][method].split(" ")[0]
    assert shown["auto"][0] == weights("auto") == "yes"
    assert {shown[name][0] for name in NAMES} == {weights("bsn-ins")} == {"no"}


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_rows_without_trained_weights_are_those_that_were_stored():
    shown = table()
    rows = read_rows(ROOT / "docs" / "results" / "scratch.csv")
    names = {"auto-scratch, your image alone": "auto-scratch"}
    names["BM3D, told zspot's noise level"] = "bm3d"
    for name, method in names.items():
        mine = rows[rows["method"] == method]
        for place, text in enumerate(SETS, 1):
            entry = Entry.parse(text)
            found = mine[(mine["set"] == entry.set) & (mine["noise"] == entry.noise)]
            assert shown[name][place] == ("" if found.empty else f"{found['psnr'].mean():.2f}")
