"""A recipe: mask x fill x target x network x loss, and how to fit, predict and finish."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import tomli_w

from zspot.core.errors import RecipeError, shown
from zspot.core.ranges import OneOf, Part, Range, require, typed
from zspot.networks import NETWORKS, Network, UNet
from zspot.recipe.fills import FILLS, Fill, Inr
from zspot.recipe.losses import LOSSES
from zspot.recipe.masks import MASKS, Bernoulli, Mask
from zspot.recipe.postprocess import Finish
from zspot.recipe.schedule import Fit, Predict
from zspot.recipe.targets import TARGETS, Noisy, Target

KINDS: dict[str, Mapping[str, type[Part]]]
KINDS = {"mask": MASKS, "fill": FILLS, "target": TARGETS, "network": NETWORKS}
PLAIN: dict[str, type[Part]] = {"fit": Fit, "predict": Predict, "finish": Finish}
VALUES: dict[str, type] = {"method": str, "loss": str, "consistency": float}
_LOSS, _CONSISTENCY = OneOf(LOSSES), Range(0, 1000)


@dataclass(frozen=True)
class Recipe:
    """One denoiser, complete: what is hidden, filled, scored, learned and averaged.

    Numbers and words only, to print, compare, store as TOML and rerun. RecipeError: if they clash.
    """

    method: str  #: what it is a setting of; parts that are left out are always those of BSN-INS
    mask: Mask = field(default_factory=Bernoulli)
    fill: Fill = field(default_factory=Inr)
    target: Target = field(default_factory=Noisy)
    network: Network = field(default_factory=UNet)
    loss: str = "l1"  #: error measure on scored pixels
    #: weight of a second loss, by the same measure: what the network makes of the whole image
    #: should agree with what it makes of its phases (`fit.stride`) or halves (target halves)
    consistency: float = 0.0
    fit: Fit = field(default_factory=Fit)
    predict: Predict = field(default_factory=Predict)
    finish: Finish = field(default_factory=Finish)

    def __post_init__(self) -> None:
        require(_LOSS.holds(self.loss), f"loss = {shown(self.loss)}: must {_LOSS}")
        weighed = _CONSISTENCY.holds(self.consistency)
        require(weighed, f"consistency = {self.consistency}: must {_CONSISTENCY}")
        mask, fill, target, fit = self.mask, self.fill, self.target, self.fit
        copying = mask.hides_nothing and target.copies_noise and not self.network.blind
        what = f"mask none with target {target.kind} learns to copy the noise: choose a mask that"
        ways = "hides pixels, a blind-spot network, another target, or fit.steps = 0"
        require(not copying or fit.steps == 0, f"{what} {ways}")
        what, other = f"fill {fill.kind} describes the whole image", "or choose fill constant"
        require(fit.crop == 0 or not fill.replaces_image, f"{what}: set fit.crop = 0, {other}")
        what = "this fill describes the whole image: set fit.turns = false, or choose fill constant"
        require(not (fit.turns and fill.upright), what)
        what = f"fill {fill.kind} takes the place of the whole image: choose mask everything"
        require(not fill.replaces_image or mask.hides_everything, what)
        what = f"target {target.kind} looks at the image as it stands: set fit.turns = false"
        require(not (fit.turns and target.upright), what)
        what = "finish.scales shows the network smaller images, too: set fit.steps = 0"
        require(self.finish.scales == 1 or fit.steps == 0, what)
        able = self.consistency == 0 or fit.stride > 1 or target.halves
        what = "consistency compares the whole image with its parts"
        require(able, f"{what}: set fit.stride above 1 or choose target halves")

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as nested plain values, each part with its `kind`."""
        values = {name: getattr(self, name) for name in VALUES}
        return values | {name: getattr(self, name).to_dict() for name in (*KINDS, *PLAIN)}

    def to_toml(self) -> str:
        """Return the recipe as TOML text that `from_toml` reads back to an equal recipe."""
        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build a recipe from plain values. RecipeError: if one is unknown or out of range."""
        left, found = dict(values), {}
        for name in filter(left.__contains__, KINDS):
            found[name] = _with_kind(name, left.pop(name), KINDS[name])
        for name in filter(left.__contains__, PLAIN):
            found[name] = PLAIN[name].from_dict(left.pop(name))
        for name in filter(left.__contains__, VALUES):
            found[name] = typed(name, left.pop(name), VALUES[name])
        require(not left, f"recipe: unknown entry {', '.join(map(shown, left))}")
        absent = ", ".join(name for name in ("method", *KINDS, *PLAIN) if name not in found)
        require(not absent, f"recipe: no {absent}: change a whole one, as --save-recipe writes it")
        return cls(**found)

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read a recipe from TOML text. RecipeError: if it is none; nothing in it is executed."""
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"recipe is not valid TOML: {error}") from None
        except (ValueError, RecursionError):
            raise RecipeError("recipe: a number of thousands of digits, tables too deep") from None
        return cls.from_dict(values)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a recipe from a TOML file. RecipeError: if it holds none, with its name."""
        try:
            return cls.from_toml(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise RecipeError(f"cannot read recipe {path}: {reason}") from None
        except RecipeError as error:
            raise RecipeError(f"{path}: {error}") from None


def _with_kind(name: str, values: Any, kinds: Mapping[str, type[Part]]) -> Part:
    require(isinstance(values, Mapping), f"{name}: must be a table, got {shown(values)}")
    kind = values.get("kind")
    known = isinstance(kind, str) and kind in kinds
    require(known, f"{name}.kind = {shown(kind)}: choose one of {', '.join(kinds)}")
    return kinds[kind].from_dict({key: value for key, value in values.items() if key != "kind"})
