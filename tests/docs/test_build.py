"""The site builds, its tables are those of the stored rows, docs/adding.md holds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from tests.docs_help import ROOT, folder
from zspot import io

__all__ = ["folder"]


class Page(HTMLParser):
    """The links of a built page, and the places in it that links can lead to."""

    def __init__(self, path: Path):
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        named = {key: value for key, value in attrs if value}
        self.places |= {named[key] for key in ("id", "name") if key in named}
        self.links += [named[key] for key in ("href", "src") if key in named]


def dead_links(site: Path) -> list[str]:
    """Return the links inside of a built site that lead to no file, or to no place in a page."""
    made = (path for path in site.rglob("*.html") if "_static" not in path.parts)
    pages = {path.resolve(): Page(path) for path in made}
    dead = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = unquote(parts.fragment) if target in pages else ""
            if not target.exists() or (place and place not in pages[target].places):
                dead.append(f"{path.relative_to(site.resolve())}: {link}")
    return dead


@pytest.fixture(scope="module")
def extended(tmp_path_factory) -> Path:
    """A copy of the project to which docs/adding.md was done: one file, one entry."""
    copy = tmp_path_factory.mktemp("copy")
    for part in ("src", "tests", "benchmarks", "pyproject.toml"):
        origin = ROOT / part
        ignore = shutil.ignore_patterns("__pycache__", "test_[!c]*", "test_cli.py")
        if origin.is_dir():
            shutil.copytree(origin, copy / part, ignore=ignore)
        else:
            shutil.copy(origin, copy / part)
    algorithms = copy / "src" / "zspot" / "algorithms"
    shutil.copy(ROOT / "docs" / "examples" / "noise2self.py", algorithms)
    page = (ROOT / "docs" / "adding.md").read_text()
    entry = re.search(r"^\[noise2self\]\n.*?^```", page, re.M | re.S)
    assert entry is not None
    catalogue = algorithms / "catalogue.toml"
    catalogue.write_text(f"{catalogue.read_text()}\n{entry[0].removesuffix('```')}")
    return copy


def in_copy(copy: Path, *arguments: str, cwd: Path) -> str:
    paths = os.pathsep.join([str(copy / "src"), str(copy)])
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_method_is_one_file_and_one_entry(extended, folder):
    assert "Batson" in in_copy(extended, "-m", "zspot", "methods", "--verbose", cwd=folder)


@pytest.mark.slow
def test_the_added_method_denoises_and_keeps_the_contracts(extended, folder):
    options = ["--method", "noise2self", "--effort", "fast"]
    in_copy(extended, "-m", "zspot", "denoise", "noisy.png", "clean.png", *options, cwd=folder)
    assert not np.array_equal(io.read("clean.png").data, io.read("noisy.png").data)
    chosen = ["tests/api/test_contracts.py", "-k", "noise2self"]
    said = in_copy(extended, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, cwd=extended)
    assert "passed" in said


@pytest.mark.parametrize(
    ("folder", "rows", "reference"),
    [
        ("quick", "quick/rows.csv", "auto"),
        ("peers", "peers/rows.csv", "auto"),
        ("zero_shot", "zero_shot.csv", "bsn-ins"),
    ],
)
def test_stored_tables_are_those_of_the_stored_rows(tmp_path, folder, rows, reference):
    pytest.importorskip("pandas", reason="the extra bench is not installed")
    from benchmarks.store import read_rows
    from benchmarks.tables import write_tables

    results = ROOT / "docs" / "results"
    write_tables(read_rows(results / rows), tmp_path, reference=reference, clock="cpu")
    stored = list((results / folder).glob("table-*.md"))
    assert stored
    for table in stored:
        assert (tmp_path / table.name).read_text() == table.read_text(), table.name


@pytest.mark.slow
def test_the_site_builds_without_warnings(tmp_path):
    """With the gallery, whose scripts run."""
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("_build"))
    # Copies: links in a page behind a symlink would be looked up where it really lies.
    for name in ("CHANGELOG.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")
    command = ["-m", "sphinx", "-b", "html", "-W", "--keep-going", "docs", "site"]
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "auto_gallery" / "10_benchmark.html").exists()
    assert dead_links(tmp_path / "site") == []
