"""Parts of a recipe: frozen dataclasses whose fields say what values they take."""

import dataclasses
import math
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Self, get_origin, get_type_hints

from zspot.core.errors import RecipeError, shown


@dataclasses.dataclass(frozen=True)
class Range:
    """The values that a number may take."""

    low: float
    high: float
    ends: str = "[]"  # "[)", "(]" or "()" where an end is not itself allowed
    zero: bool = False  # whether 0 is allowed as well

    def holds(self, value: float) -> bool:
        """Say whether a value is allowed."""
        above = self.low <= value if self.ends[0] == "[" else self.low < value
        below = value <= self.high if self.ends[1] == "]" else value < self.high
        return (above and below) or (self.zero and value == 0)

    def __str__(self) -> str:
        if self.high == math.inf:
            return "be positive and finite"
        lies = f"lie in {self.ends[0]}{self.low}, {self.high}{self.ends[1]}"
        if self.ends == "[]":
            lies = f"lie between {self.low} and {self.high}"
        return f"be 0 or {lies}" if self.zero else lies


POSITIVE = Range(0, math.inf, "()")
AT_ONCE = 1024  # threads, processes or jobs: more would bring a computer down


@dataclasses.dataclass(frozen=True)
class OneOf:
    """The words that a field may be."""

    words: tuple[str, ...]

    def holds(self, value: str) -> bool:
        """Say whether a word is allowed."""
        return value in self.words

    def __str__(self) -> str:
        return f"be one of {', '.join(self.words)}"


@dataclasses.dataclass(frozen=True)
class Part:
    """Part of a recipe: numbers and words, refused outside their `Annotated[int, Range(2, 10)]`."""

    family: ClassVar[str] = ""  # its name in a recipe: mask, fill, target, network, fit, ...
    kind: ClassVar[str] = ""  # which of its family, as in TOML; empty where there is only one

    def __post_init__(self) -> None:
        for name, (_, allowed) in _fields(type(self)).items():
            value, said = getattr(self, name), f"{self.family}.{name}"
            if allowed is not None:
                require(allowed.holds(value), f"{said} = {shown(value)}: must {allowed}")
            numbers = value if isinstance(value, tuple) else (value,)
            finite = all(math.isfinite(v) for v in numbers if isinstance(v, float))
            require(finite, f"{said} = {shown(value)}: must be finite")

    def to_dict(self) -> dict[str, Any]:
        """Return the part as plain values, with its `kind` if its family has several."""
        values = dataclasses.asdict(self)
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        return {"kind": self.kind, **plain} if self.kind else plain

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Build the part from plain values without its `kind`; refuse what it does not have."""
        part, fields = cls.family, _fields(cls)
        require(isinstance(values, Mapping), f"{part}: must be a table, got {shown(values)}")
        for name in values:
            known = ", ".join(fields) or "no values"
            require(name in fields, f"{part}.{name}: unknown; {part} has {known}")
        return cls(**{k: typed(f"{part}.{k}", v, fields[k][0]) for k, v in values.items()})


@cache
def _fields(cls: type) -> dict[str, tuple[Any, Range | OneOf | None]]:
    """Return the type of each field of a part and what it may be."""
    plain, annotated = get_type_hints(cls), get_type_hints(cls, include_extras=True)
    names = [field.name for field in dataclasses.fields(cls)]
    return {n: (plain[n], getattr(annotated[n], "__metadata__", (None,))[0]) for n in names}


def typed(name: str, value: Any, kind: Any) -> Any:
    """Check a TOML value against a field's type; integers may stand for floats."""
    if kind is float and type(value) in (int, float):
        return float(value) if abs(value) <= sys.float_info.max else math.inf
    if get_origin(kind) is tuple and isinstance(value, (list, tuple)):
        return tuple(typed(name, v, float) for v in value)
    said = kind.__name__ if get_origin(kind) is None else str(kind)
    require(type(value) is kind, f"{name} = {shown(value)}: must be of type {said}")
    return value


def require(ok: bool, what: str) -> None:
    """Raise a `RecipeError` that says `what` unless `ok`."""
    if not ok:
        raise RecipeError(what)
