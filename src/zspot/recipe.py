"""Recipes: what a zero-shot denoiser does, as plain data.

A recipe is mask x fill x target x network x loss plus a fit and a predict schedule. It holds
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

EXCLUSION_SIZE = {"none": 1, "cross": 5, "square": 9}
"""Pixels that must all be hidden for the centre to be scored, by exclusion shape."""

MIN_SCORED = 0.01
"""A loss that sees fewer pixels than this share learns next to nothing."""

LOSSES = ("l1", "l2")
SCHEDULES = ("cosine", "one-cycle", "constant")


class RecipeError(ValueError):
    """A recipe that cannot be run; the message says which value and what is allowed."""


def _require(ok: bool, what: str) -> None:
    if not ok:
        raise RecipeError(what)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    _require(value in allowed, f"{name} = {value!r}: choose one of {', '.join(allowed)}")


def _between(name: str, value: float, low: float, high: float) -> None:
    _require(low <= value <= high, f"{name} = {value}: must lie between {low} and {high}")


@dataclass(frozen=True)
class Bernoulli:
    """Random mask: each pixel stays visible with probability `keep`.

    Parameters
    ----------
    keep : float
        Probability in (0, 1) that a pixel stays visible.
    per_channel : bool
        Draw each channel's mask on its own (the paper's way) or one mask for all channels.
        One mask for all stops noise that is correlated between channels from leaking.
    exclusion : {"cross", "square", "none"}
        Hidden pixels within this 3x3 neighbourhood of a visible one are not scored.
    """

    keep: float = 0.1
    per_channel: bool = True
    exclusion: str = "cross"

    def __post_init__(self) -> None:
        _require(0 < self.keep < 1, f"mask.keep = {self.keep}: must lie inside (0, 1)")
        _one_of("mask.exclusion", self.exclusion, tuple(EXCLUSION_SIZE))
        _require(
            self.scored_fraction >= MIN_SCORED,
            f"mask scores only {self.scored_fraction:.2%} of the pixels, too few to learn from: "
            "lower mask.keep or choose a smaller mask.exclusion",
        )

    @property
    def scored_fraction(self) -> float:
        """Expected share of scored pixels away from the border: (1 - keep)^(pixels excluded)."""
        return (1 - self.keep) ** EXCLUSION_SIZE[self.exclusion]


@dataclass(frozen=True)
class NoMask:
    """Hide nothing and score everything, for targets that keep the noise out by other means."""

    @property
    def scored_fraction(self) -> float:
        """Share of scored pixels: all."""
        return 1.0


@dataclass(frozen=True)
class Noisy:
    """Learn to predict the noisy image itself."""


@dataclass(frozen=True)
class Recorrupted:
    """Learn to predict y - w / tau from y + tau * w, with w drawn like the noise.

    For Gaussian noise of the variance given here the two are independent given the clean image,
    so the squared error learns the clean image although every pixel is visible (Pang et al.,
    Recorrupted-to-Recorrupted, CVPR 2021). Only for noise that is white.

    Parameters
    ----------
    variance, slope, floor : tuple of float
        Per channel, in standardised intensities: the noise variance is `variance` + `slope` times
        the signal, but at least `floor`. The signal is the network's first estimate.
    tau : float
        Balance between the two images' noise.
    """

    variance: tuple[float, ...]
    slope: tuple[float, ...]
    floor: tuple[float, ...]
    tau: float = 0.5

    def __post_init__(self) -> None:
        same = len(self.variance) == len(self.slope) == len(self.floor) > 0
        _require(same, "target.variance, slope and floor need one value for each channel")
        _require(min(self.floor) >= 0, "target.floor: must not be negative")
        _require(self.tau > 0, f"target.tau = {self.tau}: must be positive")


@dataclass(frozen=True)
class Inr:
    """Fill hidden pixels with sub-pixel samples of an implicit neural representation (SIREN).

    Parameters
    ----------
    features, layers : int
        Width and number of linear layers of the MLP.
    w0 : float
        Frequency factor of the sine activations.
    gamma : bool
        Lift coordinates p to (p, sin 2^k pi p, cos 2^k pi p), k = 0 .. `bands` - 1.
    dropout : tuple of float
        Dropout after each of the `layers` - 1 sine layers.
    trained : bool
        Train the INR; False leaves it as initialised, as the published demo does.
    lr : float
        Adam learning rate of the INR.
    every : int
        The INR is trained at every `every`-th step.
    fit_weight, consistency_weight : float
        Weights of the fit loss on visible pixels and of the sub-pixel consistency loss.
    """

    features: int = 32
    layers: int = 6
    w0: float = 30.0
    gamma: bool = True
    bands: int = 10
    dropout: tuple[float, ...] = (0.35, 0.45, 0.55, 0.65, 0.75)
    trained: bool = True
    lr: float = 1e-5
    every: int = 5
    fit_weight: float = 1.0
    consistency_weight: float = 1.0

    def __post_init__(self) -> None:
        _between("fill.features", self.features, 1, 4096)
        _between("fill.layers", self.layers, 2, 64)
        _between("fill.bands", self.bands, 1, 24)
        _between("fill.every", self.every, 1, 10**9)
        _require(self.lr > 0 and self.w0 > 0, "fill.lr and fill.w0 must be positive")
        _require(
            len(self.dropout) == self.layers - 1,
            f"fill.dropout has {len(self.dropout)} values: give one for each of the "
            f"{self.layers - 1} sine layers (0 for none)",
        )
        for p in self.dropout:
            _require(0 <= p < 1, f"fill.dropout = {p}: must lie in [0, 1)")


@dataclass(frozen=True)
class Constant:
    """Fill hidden pixels with one constant per channel.

    Parameters
    ----------
    value : {"mean", "zero"}
        The channel's mean, or its lowest value (black: the zero of a photograph, written so that
        shifting all intensities still shifts the result).
    """

    value: str = "mean"

    def __post_init__(self) -> None:
        _one_of("fill.value", self.value, ("mean", "zero"))


@dataclass(frozen=True)
class UNet:
    """The Noise2Noise U-Net with optional dilation and dropout.

    Parameters
    ----------
    width : int
        Filters of an encoder block; the decoder has twice as many.
    dilation : {1, 2}
        Dilation of every convolution but the last.
    dropout : float
        Dropout after each encoder block, in [0, 1); stays on in prediction.
    """

    width: int = 48
    dilation: int = 2
    dropout: float = 0.5

    def __post_init__(self) -> None:
        _between("network.width", self.width, 1, 1024)
        _require(self.dilation in (1, 2), f"network.dilation = {self.dilation}: must be 1 or 2")
        _require(0 <= self.dropout < 1, f"network.dropout = {self.dropout}: must lie in [0, 1)")


@dataclass(frozen=True)
class Prior:
    """The small residual U-Net that the project trains on photographs with simulated noise.

    Parameters
    ----------
    warm : bool
        Start from the trained weights; False starts from random ones.
    """

    warm: bool = True


@dataclass(frozen=True)
class Fit:
    """How long and how fast the network learns on the image.

    Parameters
    ----------
    steps : int
        Optimiser steps; 0 leaves the network as it starts.
    lr : float
        Peak learning rate of Adam.
    schedule : {"cosine", "one-cycle", "constant"}
        Cosine from `lr` to 0; one-cycle warms up over the first fifth, then cosine to 0.
    crop : int
        Side of the random square crops a step sees; 0 is the whole image.
    batch : int
        Crops of a step.
    """

    steps: int = 1200
    lr: float = 4e-4
    schedule: str = "cosine"
    crop: int = 0
    batch: int = 1

    def __post_init__(self) -> None:
        _between("fit.steps", self.steps, 0, 10**7)
        _between("fit.crop", self.crop, 0, 10**5)
        _between("fit.batch", self.batch, 1, 10**4)
        _require(self.crop > 0 or self.batch == 1, "fit.batch: needs fit.crop; 0 is one image")
        _require(self.lr > 0, f"fit.lr = {self.lr}: must be positive")
        _one_of("fit.schedule", self.schedule, SCHEDULES)


@dataclass(frozen=True)
class Predict:
    """How the final image is made from predictions.

    Parameters
    ----------
    passes : int
        Random masked predictions to average.
    turns : bool
        Average over the eight rotations and reflections of the image in each pass.
    centre : {"none", "median"}
        "median" moves the result so that the local median of what was removed is zero. Noise
        that went through a camera's tone curve, or was cut off at black or white, has a median
        near zero but not a mean.
    window : float
        Standard deviation in pixels of the window of that median.
    guard : float
        Where more than this many times the usual was removed, it comes back (`zspot.guard`);
        0 is off.
    similar : float
        Weight in [0, 1] of a closed-form non-local estimate (`zspot.selfsim`), which errs
        differently from a network; needs target recorrupted for the noise level.
    """

    passes: int = 400
    turns: bool = False
    centre: str = "none"
    window: float = 24.0
    guard: float = 0.0
    similar: float = 0.0

    def __post_init__(self) -> None:
        _between("predict.similar", self.similar, 0, 1)
        _require(
            self.guard == 0 or self.guard >= 1,
            f"predict.guard = {self.guard}: must be 0 (off) or at least 1",
        )
        _between("predict.passes", self.passes, 1, 10**6)
        _one_of("predict.centre", self.centre, ("none", "median"))
        _between("predict.window", self.window, 1, 10**4)


MASKS = {"bernoulli": Bernoulli, "none": NoMask}
FILLS = {"inr": Inr, "constant": Constant}
TARGETS = {"noisy": Noisy, "recorrupted": Recorrupted}
NETWORKS = {"unet": UNet, "prior": Prior}
_KINDS: dict[str, dict[str, type]] = {
    "mask": MASKS,
    "fill": FILLS,
    "target": TARGETS,
    "network": NETWORKS,
}
_PLAIN: dict[str, type] = {"fit": Fit, "predict": Predict}


@dataclass(frozen=True)
class Recipe:
    """One zero-shot denoiser, complete: what is hidden, filled, scored, learned and averaged.

    Parameters
    ----------
    method : str
        The method this recipe is a setting of.
    mask : Bernoulli or NoMask
    fill : Inr or Constant
    target : Noisy or Recorrupted
        What the network learns to predict.
    network : UNet or Prior
    loss : {"l1", "l2"}
        Error measure on scored pixels.
    fit : Fit
    predict : Predict
    """

    method: str
    mask: Bernoulli | NoMask = field(default_factory=Bernoulli)
    fill: Inr | Constant = field(default_factory=Inr)
    target: Noisy | Recorrupted = field(default_factory=Noisy)
    network: UNet | Prior = field(default_factory=UNet)
    loss: str = "l1"
    fit: Fit = field(default_factory=Fit)
    predict: Predict = field(default_factory=Predict)

    def __post_init__(self) -> None:
        _one_of("loss", self.loss, LOSSES)
        copying = isinstance(self.mask, NoMask) and isinstance(self.target, Noisy)
        _require(
            not copying or self.fit.steps == 0,
            "mask none with target noisy learns to copy the noise: choose a mask that hides "
            "pixels, or target recorrupted, or fit.steps = 0",
        )
        _require(
            self.predict.similar == 0 or isinstance(self.target, Recorrupted),
            "predict.similar needs the noise level: choose target recorrupted, or set it to 0",
        )
        _require(
            self.fit.crop == 0 or not isinstance(self.fill, Inr),
            "fill inr describes the whole image: set fit.crop = 0, or choose fill constant",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as nested plain values, each part with its `kind`."""
        out: dict[str, Any] = {"method": self.method, "loss": self.loss}
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
        _require("method" in values, "recipe: 'method' is missing")
        for name in ("method", "loss"):
            if name in values:
                made[name] = _typed(name, values.pop(name), "str")
        _require(not values, f"recipe: unknown entry {', '.join(map(repr, values))}")
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
    _require(isinstance(values, Mapping), f"{part}: must be a table, got {values!r}")
    values = dict(values)
    kind = values.pop("kind", None)
    _require(kind in kinds, f"{part}.kind = {kind!r}: choose one of {', '.join(kinds)}")
    return _build(part, kinds[kind], values)


def _build(part: str, cls: type, values: Any) -> Any:
    _require(isinstance(values, Mapping), f"{part}: must be a table, got {values!r}")
    types = {f.name: str(f.type) for f in dataclasses.fields(cls)}
    for name in values:
        _require(
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
    _require(type(value) is wanted, f"{name} = {value!r}: must be of type {type_name}")
    return value
