"""Recipes as nested plain values, as TOML has them; data alone, nothing in them is executed."""

from collections.abc import Mapping
from typing import Any

from zspot.core.errors import shown
from zspot.core.ranges import Part, require, typed
from zspot.networks import NETWORKS
from zspot.recipe.fills import FILLS
from zspot.recipe.masks import MASKS
from zspot.recipe.postprocess import Finish
from zspot.recipe.schedule import Fit, Predict
from zspot.recipe.targets import TARGETS

KINDS: dict[str, Mapping[str, type[Part]]] = {
    "mask": MASKS,
    "fill": FILLS,
    "target": TARGETS,
    "network": NETWORKS,
}
PLAIN: dict[str, type[Part]] = {"fit": Fit, "predict": Predict, "finish": Finish}
VALUES: dict[str, type] = {"method": str, "loss": str, "consistency": float}


def plain(recipe: Any) -> dict[str, Any]:
    """Return a recipe as nested plain values, each part with its `kind`."""
    values = {name: getattr(recipe, name) for name in VALUES}
    parts = {name: getattr(recipe, name).to_dict() for name in (*KINDS, *PLAIN)}
    return {**values, **parts}


def made(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a recipe from nested plain values, each checked."""
    left = dict(values)
    found: dict[str, Any] = {}
    for name, kinds in KINDS.items():
        if name in left:
            found[name] = _with_kind(name, left.pop(name), kinds)
    for name, part in PLAIN.items():
        if name in left:
            found[name] = part.from_dict(left.pop(name))
    _refuse_warm(left.pop("warm", None))
    require("method" in left, "recipe: 'method' is missing")
    for name, kind in VALUES.items():
        if name in left:
            found[name] = typed(name, left.pop(name), kind)
    require(not left, f"recipe: unknown entry {', '.join(map(shown, left))}")
    return found


def _with_kind(name: str, values: Any, kinds: Mapping[str, type[Part]]) -> Part:
    require(isinstance(values, Mapping), f"{name}: must be a table, got {shown(values)}")
    values = dict(values)
    kind = values.pop("kind", None)
    known = isinstance(kind, str) and kind in kinds
    require(known, f"{name}.kind = {shown(kind)}: choose one of {', '.join(kinds)}")
    return kinds[kind].from_dict(values)


def _refuse_warm(table: Any) -> None:
    """Recipes of earlier versions have a table [warm]; with weight 0 it did nothing."""
    off = table is None or (isinstance(table, Mapping) and table.get("weight", 0) == 0)
    require(
        off, "recipe: [warm] averaged in a pretrained estimate, which is gone: remove the table"
    )
