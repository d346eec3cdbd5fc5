"""The whole list of methods: what is known of each, and where it is made; torch is not loaded."""

import pkgutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zspot.engine import Denoiser
    from zspot.recipe import Recipe

EFFORTS = ("fast", "balanced", "best")
TIMED = 128 * 128  # pixels of the image by which methods were timed


@dataclass(frozen=True)
class Method:
    """A denoising method as listed by `zspot.methods()`."""

    name: str  #: as `zspot.denoise` takes it
    summary: str  #: one line: what it does and what it is good for
    citation: str  #: the paper it implements
    make: "Callable[[str], Recipe | Denoiser]"  #: effort -> `Recipe` or `Denoiser`
    needs_second: bool = False  #: whether it learns from a second noisy image of the same scene
    pretrained: bool = False  #: whether it uses weights that were trained on other pictures
    #: optional dependency of zspot that it needs, `pip install "zspot[extra]"`; empty if none
    extra: str = ""
    licence: str = "BSD"  #: under which it may be used, its weights and `extra` included
    #: whether the fit to one plane of a stack can start from that to another; see
    #: `zspot.engine.shared_fit`
    shares_fit: bool = True
    takes_sigma: bool = False  #: whether it can be told how strong white noise is
    #: Measured on one AVX2 core for a colour image of 128 x 128 pixels at effort "balanced"; None
    #: if it was not. Grows with the number of pixels where the method sees whole images.
    seconds: float | None = None
    #: likewise, what each further megapixel takes; None: as what the recipe learns on grows
    per_megapixel: float | None = None

    def seconds_for(self, pixels: float, effort: str = "balanced") -> float | None:
        """Estimate the time of a plane on one core; None if nothing is known of it."""
        if self.seconds is None or (pixels, effort) == (TIMED, "balanced"):
            return self.seconds
        if self.per_megapixel is not None and effort == "balanced":
            return self.seconds + self.per_megapixel * (pixels - TIMED) / 1e6
        made = self.make(effort)
        if effort != "balanced" and not hasattr(made, "fit"):
            return None
        return self.seconds * _work(made, pixels) / _work(self.make("balanced"), TIMED)


def _work(made: Any, pixels: float) -> float:
    """Return a measure of the work on a plane: learning on crops is the same for any, else more."""
    if not hasattr(made, "fit"):  # no recipe
        return pixels
    learnt = made.fit.steps * made.fit.batch * (made.fit.crop**2 or pixels)
    return learnt + made.predict.passes * pixels / 3


def _make(where: str, effort: str) -> "Recipe | Denoiser":
    """Return what a function of `zspot.algorithms` makes of an effort; its module is loaded now."""
    return pkgutil.resolve_name(f"zspot.algorithms.{where}")(effort)


_KNOWN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
METHODS = {n: Method(n, make=partial(_make, k.pop("make")), **k) for n, k in _KNOWN.items()}
"""All methods by name, in the order of `catalogue.toml`."""

ONE_IMAGE_METHODS = [name for name, method in METHODS.items() if not method.needs_second]
"""Methods that take one image: the page asks for no second."""
