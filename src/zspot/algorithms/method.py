"""What the registry knows of a method. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zspot.recipe import Recipe

if TYPE_CHECKING:
    from zspot.engine.denoiser import Denoiser

EFFORTS = ("fast", "balanced", "best")


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
    shares_fit: bool = True
    seconds: float | None = None
