"""What is known of a method without loading it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zspot.engine import Denoiser
    from zspot.recipe import Recipe

EFFORTS = ("fast", "balanced", "best")


@dataclass(frozen=True)
class MadeIn:
    """A function, as "zspot.algorithms.n2v:recipe", whose module is imported when it is called."""

    where: str

    def __call__(self, effort: str) -> Recipe | Denoiser:
        """Return what the function makes of an effort."""
        module, _, name = self.where.partition(":")
        return getattr(importlib.import_module(module), name)(effort)


@dataclass(frozen=True)
class Method:
    """A denoising method as listed by `zspot.methods()`.

    Attributes
    ----------
    name : str
    summary : str
        One line: what it does and what it is good for.
    citation : str
        The paper it implements.
    make : callable
        Effort -> `Recipe` or `Denoiser`.
    needs_second : bool
        Whether it learns from a second noisy image of the same scene.
    pretrained : bool
        Whether it uses weights that were trained on other pictures.
    extra : str
        Optional dependency of zspot that it needs, `pip install "zspot[extra]"`; empty if none.
    shares_fit : bool
        Whether the fit to one plane of a stack can start from that to another; see
        `zspot.engine.shared_fit`.
    seconds : float or None
        Measured on one AVX2 core for a colour image of 128 x 128 pixels at effort "balanced";
        None if it was not. Grows with the number of pixels where the method sees whole images.
    """

    name: str
    summary: str
    citation: str
    make: Callable[[str], Recipe | Denoiser]
    needs_second: bool = False
    pretrained: bool = False
    extra: str = ""
    shares_fit: bool = True
    seconds: float | None = None
