"""The pages of README and docs as their tests read them: blocks, commands, headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from markdown_it import MarkdownIt
from markdown_it.token import Token

from zspot import io

ROOT = Path(__file__).parents[1]
MADE_BY_THE_BUILD = {"_build", "api", "auto_gallery"}
PAGES = [
    ROOT / "README.md",
    *sorted(
        page
        for page in (ROOT / "docs").rglob("*.md")
        if not MADE_BY_THE_BUILD & {*page.relative_to(ROOT / "docs").parts}
    ),
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
NOT_RUN = re.compile(r"<!--\s*not run:\s*(\S.*?)\s*-->", re.DOTALL)
SHELL = {"", "bash", "sh", "shell", "console"}
PROGRAMS = ("zspot", "pip", "make", "napari", "python", "python3", "dask")


@dataclass(frozen=True)
class Block:
    """A code block: its language, text, first line and why it is not run, if it is not."""

    language: str
    text: str
    line: int
    not_run: str

    @property
    def lines(self) -> list[list[str]]:
        """The commands of a shell block, split into words without comments."""
        whole = self.text.replace("\\\n", " ")
        return [words for row in whole.splitlines() if (words := shlex.split(row, comments=True))]

    @property
    def is_shell(self) -> bool:
        """Whether it holds commands, not output or a drawing."""
        starts = self.text.split()
        return self.language in SHELL and bool(starts) and starts[0] in PROGRAMS


def tokens(page: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))


def blocks(page: Path) -> list[Block]:
    found, before = [], ""
    for token in tokens(page):
        if token.type in ("fence", "code_block"):
            mark = NOT_RUN.search(before)
            language = token.info.strip()
            line = token.map[0] + 1 if token.map else 0
            found.append(Block(language, token.content, line, mark[1] if mark else ""))
        if token.type not in ("list_item_open", "ordered_list_open", "bullet_list_open"):
            before = token.content if token.type == "html_block" else ""
    return found


def words_of(page: Path) -> Iterator[list[str]]:
    """Yield every command of a page that zspot is given, in blocks and inside sentences."""
    for block in blocks(page):
        if block.is_shell:
            yield from (words for words in block.lines if words[0] == "zspot")
    for token in tokens(page):
        for inner in token.children or []:
            text = inner.content
            # Capital words stand for something, dots for anything.
            if inner.type == "code_inline" and text.startswith("zspot ") and "..." not in text:
                words = shlex.split(text)
                if not any(word.isupper() for word in words):
                    yield words


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with every file that the examples name, 24 x 24 pixels each."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    colour = rng.normal(120, 20, (24, 24, 3)).clip(0, 255).astype(np.uint8)
    stack = rng.normal(1000, 100, (2, 24, 24)).astype(np.uint16)

    def save(name: str, values: np.ndarray, axes: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        io.write(path, io.ImageFile(values, axes))

    pictures = ("noisy", "other", "first", "night/0", "night/1", "export/0", "a", "b", "c")
    pictures += tuple(f"{kind}/{number}" for kind in ("burst", "frames") for number in range(2))
    for name in (
        "photo.jpg",
        "shot1.jpg",
        "shot2.jpg",
        "picture.tif",
        *(f"{picture}.png" for picture in pictures),
    ):
        save(name, colour, "YXS")
    save("large.tif", rng.normal(1000, 100, (560, 660)).astype(np.uint16), "YX")
    for name in ("cells.tif", "stack.tif"):
        tifffile.imwrite(tmp_path / name, stack, photometric="minisblack")
    tifffile.imwrite(tmp_path / "cells.ome.tif", stack, ome=True, metadata={"axes": "CYX"})
    zarr = pytest.importorskip("zarr", reason="the extra zarr is not installed")
    zarr.save(str(tmp_path / "plate.ome.zarr"), stack)
    return tmp_path
