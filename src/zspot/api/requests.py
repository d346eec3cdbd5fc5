"""What was asked of a run: all that can be refused before the work is refused here."""

import inspect
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial, wraps
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from zspot.algorithms import EFFORTS, METHODS
from zspot.api.preparation import Preparation, prepare
from zspot.core.errors import OptionError, plainly, shown
from zspot.core.memory import limit_of
from zspot.core.plane import Plane, as_array
from zspot.core.progress import Report, bar
from zspot.engine import Denoiser, run
from zspot.engine.shared_fit import Asked, Start, check_neighbour
from zspot.recipe import Recipe

if TYPE_CHECKING:
    from zspot.api.result import Result

Function = TypeVar("Function", bound=Callable)
DEFAULT_METHOD = "auto"

_ONE_COUNT = 1.6  # units of noise, up to which rounding may lose what a result shows
_FEW_COUNTS = 20  # units that nearly all values of an image of few counts lie within
_LEAST_NOISE, _MOST_NOISE = 1e-4, 1.2  # what `sigma` may be, of the image's deviation
MOST_SEEDS = 2**63
MOST_NEIGHBOURS, USUAL_NEIGHBOURS = 16, 2  # planes to each side, and for "auto"
DTYPES = ("float32", "same")  # with fractions, or that of the image whatever rounding loses


class Chosen(NamedTuple):
    """What is to run."""

    name: str  # of the method
    made: Recipe | Denoiser
    reason: str  # in words

    @property
    def told(self) -> tuple[str, ...]:
        """What to know of a recipe that was saved from another image."""
        what = "the recipe holds the noise level of one image: it suits no noise of other strength"
        return (what,) if isinstance(self.made, Recipe) and self.made.finish.noise else ()


class Common(TypedDict, total=False):
    """What runs over arrays and over files take by keyword, as in `zspot.denoise`."""

    effort: str
    seed: int
    device: str
    max_memory: int | str | None
    nodata: float | None
    keep_outliers: bool
    dtype: str | None
    sigma: float | None
    axes: str | None
    neighbours: int | str


class Keywords(Common, total=False):
    """What `zspot.denoise` takes by keyword."""

    channel_axis: int | None
    progress: Report | bool | None
    second: np.ndarray | None
    mask: np.ndarray | None


class RunKeywords(Keywords, total=False):
    """What `zspot.run` takes by keyword."""

    after: "Result | None"


@dataclass(frozen=True)
class Settings:
    """What is asked of runs over arrays and over files alike, as in `zspot.denoise`."""

    method: str | Recipe = DEFAULT_METHOD
    effort: str = "balanced"
    seed: int = 0
    device: str = "auto"
    max_memory: int | str | None = None
    nodata: float | None = None
    mask: Any = None  # an array; of files the path of one
    keep_outliers: bool = False
    dtype: str | None = None
    sigma: float | None = None
    axes: str | None = None
    neighbours: int | str = 0

    @property
    def count(self) -> int:
        """How many planes to each side help."""
        return check_neighbours(self.neighbours)

    def check(self, *, shared: bool, second: bool = False, here: bool = True) -> None:
        """Refuse what is wrong whatever the image is; `here`: this machine must have the device."""
        choose(self.method, self.effort)
        if shared:
            check_sharing(self.method)
        limit_of(self.max_memory)
        whole = isinstance(self.seed, (int, np.integer)) and not isinstance(self.seed, bool)
        if not (whole and 0 <= self.seed < MOST_SEEDS):
            what = f"must be an integer from 0 to {MOST_SEEDS - 1}"
            raise OptionError(f"seed={shown(self.seed)}: {what}")
        check_device(self.device, here=here)
        if self.dtype not in (None, *DTYPES):
            known = ", ".join(DTYPES)
            raise OptionError(f"unknown dtype {shown(self.dtype)}: choose one of {known}")
        count = check_neighbours(self.neighbours, shared=shared, second=second)
        _check_sigma(self.sigma, self.method, shared or count > 0)


@dataclass(frozen=True, eq=False)
class Request(Settings):
    """What was asked of a run on one plane, as in `zspot.run`: checked, apart from the image."""

    channel_axis: int | None = None
    progress: Any = None  # Report or None
    second: np.ndarray | None = None
    after: "Result | None" = None
    started: float = field(default_factory=time.perf_counter, init=False)

    def __post_init__(self) -> None:
        second = self.second is not None
        self.check(shared=self.after is not None, second=second)
        _check_second(self.method, second)
        if not hasattr(self.after, "fitted") and self.after is not None:
            raise OptionError(f"after={shown(self.after)}: pass the Result of another plane")
        if self.axes is None and self.neighbours:
            raise OptionError('neighbours are those of a stack: name its axes, as in axes="ZYX"')

    @cached_property
    def chosen(self) -> Chosen:
        """What is to run."""
        return choose(self.method, self.effort)

    @property
    def asked(self) -> Asked:
        """What tells whether two runs were asked for the same."""
        return self.method, None if isinstance(self.method, Recipe) else self.effort

    def prepared(self, image: np.ndarray) -> Preparation:
        """Return an image made ready for the method, and like that of the fit to start from."""
        if self.dtype == "float32":
            image = image.astype(np.float32)
        mask = None if self.mask is None else np.nan_to_num(as_array(self.mask)) != 0
        level_rows, keep = self.chosen.name.startswith("auto"), self.keep_outliers
        how: Any = {"nodata": self.nodata, "keep_outliers": keep, "level_rows": level_rows}
        ready = prepare(image, self.channel_axis, mask=mask, **how)
        if self.after is not None and self.after.fitted is not None:
            check_neighbour(self.after.fitted, self.asked, image.shape, ready.channel_axis)
        return ready

    def seconds_for(self, plane: Plane) -> float | None:
        """Estimate how long a plane takes on one core; None if it is not known, as of a recipe."""
        known = None if isinstance(self.method, Recipe) else METHODS[self.method]
        return known and known.seconds_for(plane.values[0].size, self.effort)

    def denoiser(self, second: Tensor | None, start: Start | None, scale: float) -> Denoiser:
        """Return what denoises a plane of this scale: a shared fit, a recipe or another method."""
        if start is not None and start.recipe is not None:
            return partial(run, start.recipe, second=second, start=start.weights)
        made: Any = self.chosen.made
        if isinstance(made, Recipe):
            return partial(run, made, second=second)
        if self.sigma is None:
            return made
        if self.sigma > _MOST_NOISE * scale:
            what = f"sigma={self.sigma:g} is more than the image varies at all"
            advice = "give the standard deviation of the noise in the image's own units"
            raise OptionError(f"{what} ({plainly(scale, 2)}): {advice}")
        return partial(made, sigma=max(self.sigma / scale, _LEAST_NOISE))


def choose(method: str | Recipe, effort: str) -> Chosen:
    """Return what is to run. OptionError: if the method or effort does not exist."""
    if isinstance(method, Recipe):
        return Chosen(method.method, method, "the recipe was given")
    if not isinstance(method, str) or method not in METHODS:
        raise OptionError(f"unknown method {shown(method)}: choose one of {', '.join(METHODS)}")
    if effort not in EFFORTS:
        raise OptionError(f"unknown effort {shown(effort)}: choose one of {', '.join(EFFORTS)}")
    reason = f"method {method} was asked for, effort {effort}"
    return Chosen(method, METHODS[method].make(effort), reason)


def check_sharing(method: str | Recipe) -> None:
    """Refuse methods whose fit to one plane says nothing of another."""
    able = ", ".join(name for name, known in METHODS.items() if known.shares_fit)
    if isinstance(method, Recipe):
        if method.fill.replaces_image:
            what = "a recipe with fill code describes one image and cannot share its fit"
            advice = f"leave out sharing, or choose another recipe or method ({able})"
            raise OptionError(f"{what}: {advice}")
    elif not METHODS[method].shares_fit:
        advice = f"leave out sharing the fit, or choose {able}"
        raise OptionError(f"method {method} learns nothing that another plane could use: {advice}")


def check_device(name: str, *, here: bool = True) -> torch.device:
    """Return the device of a name. OptionError: if it has no meaning or is not `here`."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise OptionError(f"unknown device {shown(name)}: choose auto, cpu, cuda or mps") from None
    cuda = torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    there = {"cpu": True, "cuda": cuda, "mps": torch.backends.mps.is_available()}
    if here and not there.get(device.type, False):
        raise OptionError(f"device {shown(name)} is not there: choose auto or cpu")
    return device


def needs_second(method: str | Recipe) -> bool:
    """Say whether a method learns from two images of the same scene."""
    return (method.target if isinstance(method, Recipe) else METHODS[method]).needs_second


def _check_second(method: str | Recipe, second: bool) -> None:
    if isinstance(method, Recipe) or needs_second(method) == second:
        return  # the engine checks what a recipe's target needs
    if not second:
        advice = "pass the other one as second (--second FILE), or choose another method"
        raise OptionError(f"method {method} learns from two noisy images of one scene: {advice}")
    able = ", ".join(name for name, known in METHODS.items() if known.needs_second)
    raise OptionError(f"method {method} uses one image: leave out second, or choose {able}")


def check_neighbours(asked: int | str, *, shared: bool = False, second: bool = False) -> int:
    """Return how many planes to each side help; raise OptionError if they cannot."""
    count = USUAL_NEIGHBOURS if asked == "auto" else asked
    if isinstance(count, (str, bool)) or count not in range(MOST_NEIGHBOURS + 1):
        raise OptionError(f"neighbours={shown(asked)}: must be from 0 to {MOST_NEIGHBOURS} or auto")
    if count and (shared or second):
        other = "a shared fit (--share-fit)" if shared else "a second image"
        raise OptionError(f"neighbours do not go with {other}: leave out one of them")
    return int(count)


def _check_sigma(sigma: float | None, method: str | Recipe, together: bool) -> None:
    """Refuse a noise level that is none, or of no use; `together`: planes help each other."""
    if sigma is None:
        return
    if isinstance(sigma, bool) or not isinstance(sigma, Real) or not 0 < sigma < math.inf:
        raise OptionError(f"sigma={shown(sigma)}: give a noise level above 0, in the image's units")
    if isinstance(method, Recipe) or not METHODS[method].takes_sigma:
        able = ", ".join(name for name, known in METHODS.items() if known.takes_sigma)
        what = "a recipe" if isinstance(method, Recipe) else f"method {method}"
        advice = f"leave out sigma, or choose {able}"
        raise OptionError(f"{what} cannot be told the noise level: {advice}")
    if together:
        raise OptionError("sigma is that of single planes: leave out neighbours and shared fits")


def check_rounding(plane: Plane, mean: np.ndarray) -> None:
    """Refuse to round an estimate of so few counts that whole numbers would lose it."""
    if plane.image.dtype.kind not in "ui":
        return
    removed = float((plane.varying_values - mean).std()) * plane.scale
    span = float(np.percentile(plane.image, 99.5)) - float(plane.image.min())
    few = 0 < removed <= _ONE_COUNT and span <= _FEW_COUNTS
    if few and (plane.restore(mean) != plane.image).any():
        counts = f"noise about {plainly(removed, 2)}, nearly all values within {span:.0f}"
        what = f"the image counts so few ({counts}) that whole numbers would lose the result"
        ways = "float32 (--dtype float32), or dtype same (--dtype same) to round all the same"
        raise OptionError(f"{what}: ask for dtype {ways}")


def lists(kind: type, keywords: type) -> Callable[[Function], Function]:
    """Let a function list and check its `**options`, as a dataclass has them."""

    def decorate(function: Function) -> Function:
        known, own = keywords.__annotations__, inspect.signature(function)
        options = [p for p in inspect.signature(kind).parameters.values() if p.name in known]
        plain = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
        whole = own.replace(parameters=plain + [p.replace(kind=p.KEYWORD_ONLY) for p in options])

        @wraps(function)
        def called(*args: Any, **options: Any) -> Any:
            try:
                whole.bind(*args, **options)
            except TypeError as error:
                raise TypeError(f"{function.__name__}() {error}") from None
            told = options.get("progress")
            if told is not True:
                if not (callable(told) or told in (None, False)):
                    raise OptionError(f"progress={shown(told)}: give True or a function")
                return function(*args, **{**options, "progress": told or None})
            from rich.console import Console  # which draws from Python's random numbers

            with bar("zspot", Console(stderr=True)) as report:
                return function(*args, **{**options, "progress": report})

        called.__signature__ = whole  # type: ignore[attr-defined]
        return cast("Function", called)

    return decorate
