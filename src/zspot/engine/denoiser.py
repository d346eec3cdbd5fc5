"""What every method is to the program: a function from a plane to a denoised plane."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from torch import Tensor

from zspot.core.errors import ImageError
from zspot.core.progress import Report
from zspot.recipe import Recipe

_FARTHEST = 100.0  # times the largest magnitude of a plane: an estimate beyond is none

Weights = Mapping[str, Tensor]  # of a network and of what its fill has learned, by name, on the CPU


@dataclass(frozen=True)
class Denoised:
    """What a denoiser returns for one plane, in the plane's standardised intensities."""

    mean: Tensor  #: (C, H, W)
    deviation: Tensor | None = None  #: (C, H, W), over predictions; None where there was only one
    losses: tuple[float, ...] = ()  #: of each step of the fit
    timings: dict[str, float] = field(default_factory=dict)  #: seconds of each stage
    reason: str = ""  #: why this was run, in words
    recipe: Recipe | None = None
    weights: Weights | None = field(default=None, repr=False)  #: None where nothing was learned
    told: tuple[str, ...] = ()  #: what is done otherwise than usual, in words

    def explained(self, *before: str) -> "Denoised":
        """Return the same with words said before its own reason."""
        return replace(self, reason="; ".join(filter(None, [*before, self.reason])))


class Denoiser(Protocol):
    """A denoising method, ready to run."""

    def __call__(
        self, plane: Tensor, *, seed: int, report: Report | None = None, memory: int | None = None
    ) -> Denoised:
        """Denoise a standardised plane (C, H, W) in `memory` bytes; `report` may raise to stop."""
        ...


def check_sane(mean: Tensor, plane: Tensor, method: str) -> None:
    """Refuse an estimate of a standardised plane that is not finite, or far from the plane."""
    if not bool((mean.abs() <= _FARTHEST * plane.abs().max()).all()):  # NaN is not either
        what = f"method {method} ended in values that are not finite or far outside of the image"
        advice = "lower fit.lr if this is a recipe, or choose another method"
        raise ImageError(f"{what}, so there is no result: {advice}")
