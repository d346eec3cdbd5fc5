"""Recipes: what a zero-shot denoiser does, as plain data.

A recipe is mask x fill x target x network x loss plus how to fit, predict and finish. It holds
numbers and words only, so it can be printed, compared, stored as TOML and rerun exactly; the
engine alone turns it into work. Nothing here imports torch.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import tomli_w

from zspot.core.errors import RecipeError
from zspot.specs import (
    EXCLUSION_SIZE,
    FILLS,
    LOSSES,
    MASKS,
    NETWORKS,
    SCHEDULES,
    TARGETS,
    UPRIGHT,
    Bernoulli,
    BlindSpot,
    Code,
    Constant,
    Everything,
    Fill,
    Finish,
    Fit,
    Halves,
    Hourglass,
    Inr,
    Mask,
    Neighbour,
    Network,
    Noisy,
    NoMask,
    PartialUNet,
    Predict,
    Prior,
    Recorrupted,
    Refill,
    Second,
    Shallow,
    Shuffled,
    Stratified,
    Target,
    UNet,
    Warm,
    between,
    one_of,
    require,
)

__all__ = [
    "EXCLUSION_SIZE", "LOSSES", "SCHEDULES", "Bernoulli", "BlindSpot", "Code", "Constant",
    "Everything", "Fill", "Finish", "Fit", "Halves", "Hourglass", "Inr", "Mask", "Neighbour",
    "Network", "NoMask", "Noisy", "PartialUNet", "Predict", "Prior", "Recipe", "RecipeError",
    "Recorrupted", "Refill", "Second", "Shallow", "Shuffled", "Stratified", "Target", "UNet",
    "Warm",
]  # fmt: skip

_KINDS: dict[str, dict[str, type]] = {
    "mask": MASKS,
    "fill": FILLS,
    "target": TARGETS,
    "network": NETWORKS,
}
_VALUES = {"method": "str", "loss": "str", "consistency": "float"}
_PLAIN: dict[str, type] = {"fit": Fit, "predict": Predict, "warm": Warm, "finish": Finish}


@dataclass(frozen=True)
class Recipe:
    """One zero-shot denoiser, complete: what is hidden, filled, scored, learned and averaged.

    Parameters
    ----------
    method : str
        The method this recipe is a setting of.
    mask, fill, target, network : specs
        One of each kind; see `zspot.specs`.
    loss : {"l1", "l2"}
        Error measure on scored pixels.
    consistency : float
        Weight of a second loss, by the same measure: what the network makes of the whole image
        should agree with what it makes of its phases (`fit.stride`) or halves (target halves).
    fit : Fit
    predict : Predict
    warm : Warm
    finish : Finish
    """

    method: str
    mask: Mask = field(default_factory=Bernoulli)
    fill: Fill = field(default_factory=Inr)
    target: Target = field(default_factory=Noisy)
    network: Network = field(default_factory=UNet)
    loss: str = "l1"
    consistency: float = 0.0
    fit: Fit = field(default_factory=Fit)
    predict: Predict = field(default_factory=Predict)
    warm: Warm = field(default_factory=Warm)
    finish: Finish = field(default_factory=Finish)

    def __post_init__(self) -> None:
        one_of("loss", self.loss, LOSSES)
        between("consistency", self.consistency, 0, 1000)
        copying = (
            isinstance(self.mask, NoMask)
            and isinstance(self.target, Noisy | Shuffled)
            and not self.network.blind
        )
        require(
            not copying or self.fit.steps == 0,
            "mask none with target noisy learns to copy the noise: choose a mask that hides "
            "pixels, a blind-spot network, another target, or fit.steps = 0",
        )
        require(
            self.fit.crop == 0 or not isinstance(self.fill, Code),
            "fill code describes the whole image: set fit.crop = 0, or choose fill constant",
        )
        require(
            not (self.fit.turns and isinstance(self.fill, UPRIGHT)),
            "this fill describes the whole image: set fit.turns = false, or choose fill constant",
        )
        require(
            not isinstance(self.fill, Code) or isinstance(self.mask, Everything),
            "fill code takes the place of the whole image: choose mask everything",
        )
        require(
            not isinstance(self.target, Shuffled) or not self.fit.turns,
            "target shuffled looks at the image as it stands: set fit.turns = false",
        )
        require(
            self.consistency == 0 or self.fit.stride > 1 or isinstance(self.target, Halves),
            "consistency compares the whole image with its parts: set fit.stride above 1 or "
            "choose target halves",
        )

    @property
    def beside(self) -> Recipe | None:
        """The recipe of the warm start's estimate that is averaged in, if there is one."""
        if self.warm.weight == 0:
            return None
        predict = Predict(
            passes=1, turns=self.warm.turns, phases=self.warm.phases, tile=self.predict.tile
        )
        return Recipe(
            self.method, NoMask(), Constant("mean"), network=Prior(), fit=Fit(steps=0),
            predict=predict,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as nested plain values, each part with its `kind`."""
        out: dict[str, Any] = {name: getattr(self, name) for name in _VALUES}
        for part, kinds in _KINDS.items():
            spec = getattr(self, part)
            kind = next(name for name, cls in kinds.items() if type(spec) is cls)
            out[part] = {"kind": kind, **_plain(spec)}
        for part in _PLAIN:
            out[part] = _plain(getattr(self, part))
        return out

    def to_toml(self) -> str:
        """Return the recipe as TOML text that `from_toml` reads back to an equal recipe."""
        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build a recipe from nested plain values.

        Raises
        ------
        RecipeError
            If a part, a name or a value is unknown, of the wrong type or out of range.
        """
        values = dict(values)
        made: dict[str, Any] = {}
        for part, kinds in _KINDS.items():
            if part in values:
                made[part] = _part_with_kind(part, values.pop(part), kinds)
        for part, spec in _PLAIN.items():
            if part in values:
                made[part] = _build(part, spec, values.pop(part))
        require("method" in values, "recipe: 'method' is missing")
        for name, kind in _VALUES.items():
            if name in values:
                made[name] = _typed(name, values.pop(name), kind)
        require(not values, f"recipe: unknown entry {', '.join(map(repr, values))}")
        return cls(**made)

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read a recipe from TOML text; it is data, nothing in it is executed.

        Raises
        ------
        RecipeError
            If the text is not TOML or not a valid recipe.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"recipe is not valid TOML: {error}") from None
        return cls.from_dict(values)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a recipe from a TOML file.

        Raises
        ------
        RecipeError
            If the file cannot be read or holds no valid recipe; the message names the file.
        """
        try:
            return cls.from_toml(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise RecipeError(f"cannot read recipe {path}: {reason}") from None
        except RecipeError as error:
            raise RecipeError(f"{path}: {error}") from None


def _plain(spec: Any) -> dict[str, Any]:
    values = dataclasses.asdict(spec)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def _part_with_kind(part: str, values: Any, kinds: dict[str, type]) -> Any:
    require(isinstance(values, Mapping), f"{part}: must be a table, got {values!r}")
    values = dict(values)
    kind = values.pop("kind", None)
    require(kind in kinds, f"{part}.kind = {kind!r}: choose one of {', '.join(kinds)}")
    return _build(part, kinds[kind], values)


def _build(part: str, cls: type, values: Any) -> Any:
    require(isinstance(values, Mapping), f"{part}: must be a table, got {values!r}")
    types = {f.name: str(f.type) for f in dataclasses.fields(cls)}
    for name in values:
        require(
            name in types, f"{part}.{name}: unknown; {part} has {', '.join(types) or 'no values'}"
        )
    return cls(**{k: _typed(f"{part}.{k}", v, types[k]) for k, v in values.items()})


def _typed(name: str, value: Any, type_name: str) -> Any:
    """Check a TOML value against a field's annotated type; integers may stand for floats."""
    if type_name == "float" and type(value) in (int, float):
        return float(value)
    if type_name.startswith("tuple") and isinstance(value, (list, tuple)):
        return tuple(_typed(name, v, "float") for v in value)
    wanted = {"int": int, "bool": bool, "str": str}.get(type_name)
    require(type(value) is wanted, f"{name} = {value!r}: must be of type {type_name}")
    return value
