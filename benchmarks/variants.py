"""Methods as they are written: `method[:effort][ key=value ...]`.

    auto                                 effort balanced
    bsn-ins:best fill.trained=false      a number of the recipe changed
    bsn-ins fill=constant fill.value=zero    another part, and a number of it; or fill=default
    auto finish.guard=0                  auto runs first, then its recipe, changed
    auto:fast device=cuda max_memory=2GB     options of `zspot.run`

Keys are those of the recipe's TOML; a key without a part is looked for in fit, predict and network.
`noisy` is the input itself, so that it has rows like any other; `oracle` is the non-local estimate
that is told the noise, for a bound from above.
"""

from __future__ import annotations

import json
import time
import tomllib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import zspot
from benchmarks.metrics import BenchmarkError
from zspot.algorithms import EFFORTS, METHODS
from zspot.filters.nonlocal_bayes import nl_bayes
from zspot.filters.patch_noise import PatchNoise
from zspot.recipe import Recipe

NOISY, ORACLE = "noisy", "oracle"
ORDER = (
    NOISY, "bm3d", "dip", "n2v", "self2self", "zs-n2n", "ap-bsn", "score-dvi", "mash", "refill",
    "bsn-ins", "auto",
)  # fmt: skip
"""Order of methods in tables and figures; others follow by name."""

OPTIONS = ("device", "max_memory")
_USUAL_PARTS = ("fit", "predict", "network")


@dataclass(frozen=True)
class Variant:
    """A method, its effort and what is changed, in words; of the input itself the effort is ""."""

    method: str
    effort: str = ""
    changes: str = ""

    @classmethod
    def parse(cls, text: str) -> Variant:
        """Read `method[:effort][ key=value ...]`; effort balanced by default.

        Raises
        ------
        BenchmarkError
            If a method or an effort does not exist or a change is no `key=value`.
        """
        first, *words = text.split()
        name, _, effort = first.partition(":")
        if name not in (NOISY, ORACLE, *METHODS):
            known = ", ".join([NOISY, *METHODS])
            raise BenchmarkError(f"method {name!r} is not registered: choose from {known}")
        effort = "" if name in (NOISY, ORACLE) else effort or "balanced"
        if effort and effort not in EFFORTS:
            raise BenchmarkError(f"{text}: effort {effort!r}: choose one of {', '.join(EFFORTS)}")
        wrong = [word for word in words if not all(word.partition("="))]
        if wrong:
            raise BenchmarkError(f"{text}: {wrong[0]!r} is no key=value")
        return cls(name, effort, " ".join(words))

    def __str__(self) -> str:
        return f"{self.method}:{self.effort} {self.changes}".strip().strip(":")

    @property
    def name(self) -> str:
        """The method with what is changed: what tables call it."""
        return f"{self.method} {self.changes}".strip()

    @property
    def options(self) -> dict[str, str]:
        """What goes to `zspot.run` as it is."""
        return {k: v for k, v in self._pairs() if k in OPTIONS}

    @property
    def settings(self) -> dict[str, str]:
        """What is changed in the recipe."""
        return {k: v for k, v in self._pairs() if k not in OPTIONS}

    def _pairs(self) -> list[tuple[str, str]]:
        return [(w.partition("=")[0], w.partition("=")[2]) for w in self.changes.split()]


def parse_list(text: str) -> list[Variant]:
    """Return the variants of `auto,bsn-ins:best fill.trained=false,noisy`, each once."""
    chosen = [Variant.parse(word) for word in text.split(",") if word.strip()]
    if not chosen:
        raise BenchmarkError("no method given: pass --methods, as in --methods auto,bsn-ins:fast")
    return list(dict.fromkeys(chosen))


def weights(method: str) -> str:
    """Return whether a method has weights that were trained on other pictures; "" if unknown."""
    known = METHODS.get(method.partition(" ")[0])
    return "" if known is None else "yes" if known.pretrained else "no"


def rank(name: str) -> tuple[int, str]:
    """Return a key that sorts methods into `ORDER`."""
    method = name.split()[0]
    return (ORDER.index(method) if method in ORDER else len(ORDER), name)


def change(recipe: Recipe, settings: dict[str, str]) -> Recipe:
    """Return the recipe with settings put in.

    Raises
    ------
    BenchmarkError
        If a key names no part and no number of it.
    """
    table = tomllib.loads(recipe.to_toml())
    parts = [name for name, value in table.items() if isinstance(value, dict)]
    for key in [key for key in settings if key in parts]:
        table[key] = {} if settings[key] == "default" else {"kind": settings[key]}
    for key, text in settings.items():
        part, _, name = key.rpartition(".")
        if key in parts:
            continue
        if not part and key not in table:
            part = next((p for p in _USUAL_PARTS if key in table.get(p, {})), "")
            if not part:
                raise BenchmarkError(
                    f"{recipe.method} has no {key!r} in its fit, prediction or network"
                )
        if part and part not in parts:
            raise BenchmarkError(f"{recipe.method} has no part {part!r}: {', '.join(parts)}")
        (table[part] if part else table)[name or key] = _value(text)
    return Recipe.from_toml(_written(table))


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _written(table: dict[str, Any]) -> str:
    """Return a table of tables as TOML, whose values are written as in JSON."""
    lines = [f"{k} = {json.dumps(v)}" for k, v in table.items() if not isinstance(v, dict)]
    for part, values in table.items():
        if isinstance(values, dict):
            lines += [f"[{part}]", *(f"{k} = {json.dumps(v)}" for k, v in values.items())]
    return "\n".join(lines)


def denoise(variant: Variant, noisy: np.ndarray, **options: Any) -> tuple[zspot.Result, float]:
    """Denoise an image and return the result and the processor's seconds.

    Where the method chooses its recipe by the image, it runs first and its recipe is changed; if
    that changes nothing its own result is returned.

    Raises
    ------
    BenchmarkError
        If something is to be changed in a method that is no recipe.
    """
    options |= variant.options
    if not variant.settings:
        return _timed(noisy, variant.method, effort=variant.effort, **options)
    recipe = METHODS[variant.method].make(variant.effort)
    if not isinstance(recipe, Recipe):
        first = _first(variant, noisy, options)
        if first[0].recipe is None:
            raise BenchmarkError(f"{variant.method} ran no recipe: it has no settings to change")
        recipe = first[0].recipe
        if change(recipe, variant.settings) == recipe:
            return first
    return _timed(noisy, change(recipe, variant.settings), **options)


_last: dict[tuple, tuple[zspot.Result, float]] = {}


def _first(variant: Variant, noisy: np.ndarray, options: dict) -> tuple[zspot.Result, float]:
    """Run a method before its recipe is changed; the last image's result is kept for the next."""
    told = {k: v for k, v in options.items() if k != "progress"}
    key = (variant.method, variant.effort, repr(told), noisy.shape, noisy.tobytes())
    if key not in _last:
        found = _timed(noisy, variant.method, effort=variant.effort, **options)
        _last.clear()
        _last[key] = found
    return _last[key]


def _timed(noisy: np.ndarray, method: str | Recipe, **options: Any) -> tuple[zspot.Result, float]:
    started = time.process_time()
    axis = -1 if noisy.ndim == 3 else None
    result = zspot.run(noisy, method, channel_axis=axis, **options)
    return result, time.process_time() - started


def oracle(noisy: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Return the non-local Bayes estimate that is told the noise by noisy - clean."""
    first, second = (
        torch.from_numpy(np.moveaxis(np.atleast_3d(x), -1, 0).astype(np.float32)).contiguous()
        for x in (noisy, clean)
    )
    found = nl_bayes(first, PatchNoise.measured(first, second, follows=True))
    return np.moveaxis(found.numpy(), 0, -1).reshape(noisy.shape)
