"""A drawing of the packages of `src/zspot` ("rooms"), made from the imports in their files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import groupby
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import zspot

PACKAGE = Path(zspot.__file__).parent
STEP, ROW, WIDE, HIGH, LINE = 29, 40, 148, 28, 12  # pixels; LINE: from a box's right end
Rooms = dict[str, dict[str, int]]
"""How many files of each room import each other room."""


class Drawing(SphinxDirective):
    """The rooms, each with its lines and what it imports."""

    def run(self) -> list[Any]:
        """Return the drawing."""
        for file in PACKAGE.rglob("*.py"):
            self.env.note_dependency(str(file))
        try:
            found = drawn(rooms(PACKAGE), lines(PACKAGE))
        except CycleError as error:
            raise self.error(f"rooms import in a circle: {', '.join(error.args[1])}") from None
        return [nodes.raw("", found, format="html")]


def rooms(package: Path) -> Rooms:
    """Return what the rooms of a package import of each other."""
    names = sorted(path.parent.name for path in package.glob("*/__init__.py"))
    found: Rooms = {name: {} for name in names}
    for name in names:
        for file in (package / name).rglob("*.py"):
            modules = _imports(ast.parse(file.read_text(encoding="utf-8")), package.name)
            for other in {module.split(".")[1] for module in modules} & {*names} - {name}:
                found[name][other] = found[name].get(other, 0) + 1
    return found


def lines(package: Path) -> dict[str, int]:
    """Return the lines of each room's files; of all files under the package's own name."""
    counts = {package.name: 0}
    for file in package.rglob("*.py"):
        count = len(file.read_text(encoding="utf-8").splitlines())
        for place in (package.name, file.relative_to(package).parts[0]):
            counts[place] = counts.get(place, 0) + count
    return counts


def floors(found: Rooms) -> dict[str, int]:
    """Return the floor of each room, from the top: one above the highest that it imports."""
    floor: dict[str, int] = {}
    for room in TopologicalSorter(found).static_order():
        floor[room] = 1 + max((floor[other] for other in found[room]), default=-1)
    return dict(sorted(floor.items(), key=lambda item: (-item[1], item[0])))


def _imports(node: ast.AST, package: str) -> Iterator[str]:
    """Yield what is imported of the package, except for type checkers only."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    names = [name.name for name in getattr(node, "names", []) if isinstance(name, ast.alias)]
    if isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{name}" for name in names]
    yield from (name for name in names if name.startswith(f"{package}."))
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, package)


def drawn(found: Rooms, counts: dict[str, int]) -> str:
    """Return SVG: boxes as stairs, a line out of each to the right, arrows down into others."""
    floor = floors(found)
    right = {room: WIDE + STEP * number for number, room in enumerate(floor)}
    middle = {room: ROW * number + ROW / 2 for number, room in enumerate(floor)}
    out = []
    for number, together in groupby(floor, key=floor.__getitem__):
        names = [*together]
        place = f'x="-2" y="{middle[names[0]] - ROW / 2}" height="{ROW * len(names)}"'
        out += [f'<rect class="floor" width="100%" {place}/>'] if number % 2 == 0 else []
    for room, others in found.items():
        x, y = right[room], middle[room]
        if others:
            out.append(f'<path d="M{x} {y}H{max(right[other] for other in others) - LINE}"/>')
        above = [middle[user] for user in found if room in found[user]]
        if above:
            line, end = x - LINE, y - HIGH / 2
            out.append(f'<path d="M{line} {min(above)}V{end}"/>')
            out.append(f'<path class="head" d="M{line - 5} {end - 9}h10l-5 8z"/>')
        for other, files in others.items():
            note = f"<title>{room} imports {other}, files: {files}</title>"
            out.append(f'<circle cx="{right[other] - LINE}" cy="{y}" r="4">{note}</circle>')
        box = f'x="{x - WIDE}" y="{y - HIGH / 2}" width="{WIDE}" height="{HIGH}"'
        out.append(f'<rect class="room" {box} rx="4"/>')
        out.append(f'<text x="{x - WIDE + 9}" y="{y + 5}">{room}</text>')
        out.append(f'<text class="lines" x="{x - 9}" y="{y + 5}">{counts[room]:,}</text>')
    size = f"-2 0 {max(right.values()) + 4} {ROW * len(found)}"
    said = f"Each box is a room with its lines of code; {counts['zspot']:,} in all."
    told = "Go right from a box: each dot is an import. Go down from a dot: what is imported."
    svg = f'<svg viewBox="{size}" role="img" aria-label="{said}">{"".join(out)}</svg>'
    return f'<figure class="rooms">{svg}<figcaption>{said} {told}</figcaption></figure>'


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("rooms", Drawing)
    return {"version": "1", "parallel_read_safe": True}
