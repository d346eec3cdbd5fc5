"""What every method is to the program: a function from a plane to a denoised plane."""

from __future__ import annotations

from typing import Protocol

import torch

from zspot.core.progress import Report
from zspot.engine import runner as engine
from zspot.engine.runner import Denoised
from zspot.engine.state import Weights
from zspot.recipe import Recipe


class Denoiser(Protocol):
    """A denoising method, ready to run."""

    def __call__(
        self,
        plane: torch.Tensor,
        *,
        seed: int,
        report: Report | None = None,
        memory: int | None = None,
    ) -> Denoised:
        """Denoise a standardised plane (C, H, W) on the device it is on.

        `memory` bounds the bytes that the process may take; what needs more raises a
        `zspot.engine.budget.MemoryLimitError` before it begins.
        """
        ...


def from_recipe(
    recipe: Recipe, second: torch.Tensor | None = None, start: Weights | None = None
) -> Denoiser:
    """Return the denoiser that runs a recipe.

    `second` is another plane of the same scene, `start` what was learned on a neighbouring one.
    """

    def denoiser(
        plane: torch.Tensor,
        *,
        seed: int,
        report: Report | None = None,
        memory: int | None = None,
    ) -> Denoised:
        return engine.run(
            recipe, plane, seed=seed, report=report, second=second, start=start, memory=memory
        )

    return denoiser
