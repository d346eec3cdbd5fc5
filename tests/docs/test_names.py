"""Modules, functions and files that the pages name are there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import zspot
from tests.docs_help import NAMES, ROOT, tokens
from zspot.io import SUFFIXES

ROOMS = {path.parent.name for path in Path(zspot.__file__).parent.glob("*/__init__.py")}
FILE = re.compile(r"(?:src|tests|benchmarks|training|docs)/[\w./-]+")
MODULE = re.compile(r"python -m (benchmarks[\w.]*)")


def spans(page: Path) -> list[str]:
    """Return what stands in backticks on a page, outside of code blocks."""
    inner = [child for token in tokens(page) for child in token.children or []]
    return [child.content for child in inner if child.type == "code_inline"]


def there(dotted: str) -> bool:
    """Whether a dotted name is a module, or what is in one."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            # a field of a dataclass without a default is an annotation only
            known = getattr(found, "__annotations__", {})
            found = getattr(found, name, known.get(name))
        return found is not None
    return False


@pytest.mark.parametrize("name", [name for name in NAMES if "/tuning" not in name])
def test_what_a_page_names_is_there(name):
    for text in spans(ROOT / name):
        for path in FILE.findall(text):
            assert (ROOT / path).exists() or "noise2self" in path, f"{name}: {path}"
        for module in MODULE.findall(text):
            assert there(module), f"{name}: {module}"
        if re.fullmatch(r"zspot(\.\w+)+", text):
            assert there(text), f"{name}: {text}"


def test_every_format_is_told():
    told = {word.strip("`()") for word in (ROOT / "docs" / "files.md").read_text().split()}
    assert SUFFIXES - told == set()


def test_the_way_through_the_rooms_names_real_functions():
    named = [text for text in spans(ROOT / "docs" / "architecture.md") if "." in text]
    dotted = [text for text in named if text.split(".")[0] in ROOMS and "/" not in text]
    assert len(dotted) > 20
    assert [text for text in dotted if not there(f"zspot.{text}")] == []


def test_the_changelog_says_where_things_went():
    rows = (ROOT / "CHANGELOG.md").read_text().partition("### Moved")[2].splitlines()
    new = [
        name for row in rows for name in re.findall(r"`(zspot[\w.]+)`", row.rpartition(" | ")[2])
    ]
    assert len(new) > 60
    assert [name for name in new if not there(name)] == []


def test_the_drawing_has_every_room_above_what_it_imports(monkeypatch):
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    rooms = importlib.import_module("rooms")
    found = rooms.rooms(rooms.PACKAGE)
    floor = rooms.floors(found)
    assert {*floor} == ROOMS
    assert all(floor[room] > floor[other] for room in found for other in found[room])
    drawing = rooms.drawn(found, rooms.lines(rooms.PACKAGE))
    assert all(f">{room}</text>" in drawing for room in ROOMS)
    assert drawing.count("<circle") == sum(map(len, found.values()))
