"""No link of README and docs is dead, and what a page includes is there."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from tests.docs_help import NAMES, ROOT, blocks, tokens


def slug(heading: str) -> str:
    """Return the anchor that GitHub and the site give a heading."""
    plain = re.sub(r"[`*\[\]]|\(.*?\.md.*?\)", "", heading)
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    pairs = itertools.pairwise(tokens(page))
    return {slug(text.content) for token, text in pairs if token.type == "heading_open"}


def source(path: Path) -> Path:
    """Return what a page of the gallery is made from; any other path as it is."""
    if path.parent.name != "auto_gallery":
        return path
    gallery = path.parent.with_name("gallery")
    return gallery / ("README.txt" if path.stem == "index" else f"{path.stem}.py")


@pytest.mark.parametrize("name", NAMES)
def test_no_link_is_dead(name):
    page = ROOT / name
    for token in tokens(page):
        for inner in token.children or []:
            link = str(inner.attrs.get("href") or inner.attrs.get("src") or "")
            if not link or re.match(r"[a-z]+:", link):
                continue
            place, _, anchor = link.partition("#")
            target = source((page.parent / place).resolve()) if place else page
            assert target.exists(), f"{name}: {link} leads nowhere"
            if anchor and target.suffix == ".md":
                assert anchor in anchors(target), f"{name}: {link} has no such heading"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_page_includes_is_there(name):
    page = ROOT / name
    for block in blocks(page):
        found = re.match(r"\{(include|literalinclude|measured)\}\s+(\S+)", block.language)
        if found is None:
            continue
        folder = ROOT / "docs" / "results" if found[1] == "measured" else page.parent
        text = (folder / found[2]).read_text(encoding="utf-8")
        for option in ("start-after", "end-before"):
            mark = re.search(rf':{option}: "(.*)"', block.text)
            if mark:
                assert mark[1] in text, f"{name}: {found[2]} has no {mark[1]!r}"
                text = text.partition(mark[1])[2] if option == "start-after" else text


def test_every_figure_is_shown_and_there():
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in NAMES)
    shown = {*re.findall(r"^\.\. plot:: figures/(\w+)\.py$", text, re.M)}
    there = {path.stem for path in (ROOT / "docs" / "figures").glob("*.py")}
    assert shown == there - {"pictures"}  # what they share
