"""Fills: what the network sees in place of hidden pixels.

A fill has two verbs. `sample` returns an image to take hidden pixels from; `learn` lets a fill
that is trained follow the network. Both get all they need as arguments.
"""

from __future__ import annotations

from typing import Protocol

import torch

from zspot.inr import PHASES, Siren
from zspot.losses import masked_mse
from zspot.masks import MaskMaps
from zspot.recipe import Constant, Inr


class Fill(Protocol):
    """What the engine asks of a fill."""

    def sample(self) -> torch.Tensor:
        """Return an image (1, C, H, W), or (1, C, 1, 1) for a constant, without gradient."""
        ...

    def learn(self, step: int, y: torch.Tensor, maps: MaskMaps, output: torch.Tensor) -> None:
        """Train the fill after the network's step number `step`; `output` carries no gradient."""
        ...


class ConstantFill:
    """One value per channel; a standardised plane's mean is 0."""

    def __init__(self, spec: Constant, y: torch.Tensor) -> None:
        lowest = y.amin((2, 3), keepdim=True)
        self._value = torch.zeros_like(lowest) if spec.value == "mean" else lowest

    def sample(self) -> torch.Tensor:
        """Return the constant, (1, C, 1, 1)."""
        return self._value

    def learn(self, step: int, y: torch.Tensor, maps: MaskMaps, output: torch.Tensor) -> None:
        """Do nothing: a constant has nothing to learn."""


class InrFill:
    """Random phases of an INR trained beside the network.

    The fit loss sees visible pixels only, so a hidden pixel's own value reaches the fill through
    nothing but the network's prediction of it.
    """

    def __init__(
        self, spec: Inr, y: torch.Tensor, init: torch.Generator, draws: torch.Generator
    ) -> None:
        self.spec = spec
        self.inr = Siren(spec, y.shape[1], init).to(y.device)
        self._size = (y.shape[2], y.shape[3])
        self._draws = draws
        # Phase numbers come from the CPU: reading one from a GPU would stall it at every step.
        self._phases = torch.Generator().manual_seed(init.initial_seed())
        self._adam = torch.optim.Adam(self.inr.parameters(), lr=spec.lr) if spec.trained else None

    def _random_phase(self) -> torch.Tensor:
        index = int(torch.randint(PHASES, (1,), generator=self._phases))
        return self.inr.phase(*self._size, index, self._draws)

    @torch.no_grad()
    def sample(self) -> torch.Tensor:
        """Return a random phase, (1, C, H, W)."""
        return self._random_phase()

    def learn(self, step: int, y: torch.Tensor, maps: MaskMaps, output: torch.Tensor) -> None:
        """Every `every`-th step: fit visible pixels, follow the network on scored ones."""
        if self._adam is None or step % self.spec.every:
            return
        base = self.inr.phase(*self._size, 0, self._draws)
        loss = self.spec.fit_weight * masked_mse(base, y, ~maps.hidden)
        loss = loss + self.spec.consistency_weight * masked_mse(
            self._random_phase(), output, maps.scored
        )
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        self._adam.step()


def build(
    spec: Inr | Constant, y: torch.Tensor, init: torch.Generator, draws: torch.Generator
) -> Fill:
    """Make the fill that a recipe names, for the image `y` (1, C, H, W)."""
    if isinstance(spec, Inr):
        return InrFill(spec, y, init, draws)
    return ConstantFill(spec, y)
