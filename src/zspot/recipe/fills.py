"""Fills: what the network sees in place of hidden pixels.

A fill has two verbs. `sample` returns an image to take hidden pixels from; `learn` lets a fill
that is trained follow the network. Both get all they need as arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from zspot import specs
from zspot.filters.cross_scale import auxiliary
from zspot.filters.patches import reflect_index
from zspot.networks.siren import PHASES, Siren
from zspot.recipe.losses import masked_mse
from zspot.recipe.masks import MaskMaps

Windows = Sequence[tuple[slice, slice]]
WHOLE: Windows = ()
_DRAWS = 3  # of a neighbour, before a hidden pixel without a visible one gets the mean


class Fill(Protocol):
    """What the engine asks of a fill."""

    def sample(
        self, y: torch.Tensor, hidden: torch.Tensor, windows: Windows = WHOLE
    ) -> torch.Tensor:
        """Return an image to take hidden pixels from, without gradient.

        Parameters
        ----------
        y : float tensor (N, C, H, W)
            Only its visible pixels may be used.
        hidden : bool tensor (N, C, H, W)
        windows : sequence of (rows, columns), slices
            Which parts of the image the N images of `y` are; empty: `y` is all of it.

        Returns
        -------
        float tensor
            (N, C, H, W) or what expands to it; or of other channels, where everything is hidden.
        """
        ...

    def learn(
        self,
        step: int,
        y: torch.Tensor,
        maps: MaskMaps,
        output: torch.Tensor,
        windows: Windows = WHOLE,
    ) -> None:
        """Train the fill after the network's step number `step`; `output` carries no gradient."""
        ...


class _Untrained:
    """A fill that has nothing to learn."""

    def learn(
        self,
        step: int,
        y: torch.Tensor,
        maps: MaskMaps,
        output: torch.Tensor,
        windows: Windows = WHOLE,
    ) -> None:
        """Do nothing."""


class FixedFill(_Untrained):
    """One image, or one value for all of it, at all times; a standardised plane's mean is 0."""

    def __init__(self, image: torch.Tensor) -> None:
        self._image = image

    def sample(
        self, y: torch.Tensor, hidden: torch.Tensor, windows: Windows = WHOLE
    ) -> torch.Tensor:
        """Return the image."""
        if not windows or self._image.shape[2:] == (1, 1):
            return self._image
        return torch.cat([self._image[..., rows, columns] for rows, columns in windows])


class NeighbourFill(_Untrained):
    """A random visible pixel near each hidden one, the same for all channels."""

    def __init__(self, spec: specs.Neighbour, draws: torch.Generator) -> None:
        self._radius, self._draws = spec.radius, draws

    def sample(
        self, y: torch.Tensor, hidden: torch.Tensor, windows: Windows = WHOLE
    ) -> torch.Tensor:
        """Return neighbours, (N, C, H, W); the mean where three draws found no visible one."""
        filling = torch.zeros_like(y)
        missing = torch.ones_like(hidden)
        for _ in range(_DRAWS):
            source = self._places(y)
            values, covered = (t.flatten(2).gather(2, source).view_as(t) for t in (y, hidden))
            filling = torch.where(missing & ~covered, values, filling)
            missing &= covered
        return filling

    def _places(self, y: torch.Tensor) -> torch.Tensor:
        """Draw a place within reach of every pixel but its own, as flat indices (N, C, H W)."""
        n, c, h, w = y.shape
        side = 2 * self._radius + 1
        # All offsets of the square but the one in the middle.
        index = torch.randint(side * side - 1, (n, 1, h, w), generator=self._draws, device=y.device)
        index += index >= side * side // 2
        rows = torch.arange(h, device=y.device)[:, None] + index // side - self._radius
        cols = torch.arange(w, device=y.device) + index % side - self._radius
        places = reflect_index(rows, h) * w + reflect_index(cols, w)
        return places.flatten(2).expand(n, c, h * w)


class CodeFill(_Untrained):
    """Fixed uniform noise with fresh Gaussian noise on top, in place of the whole image."""

    def __init__(
        self, spec: specs.Code, y: torch.Tensor, init: torch.Generator, draws: torch.Generator
    ) -> None:
        shape = (1, spec.channels, *y.shape[2:])
        self._code = (spec.amplitude * torch.rand(shape, generator=init)).to(y.device)
        self._jitter, self._draws = spec.jitter, draws

    def sample(
        self, y: torch.Tensor, hidden: torch.Tensor, windows: Windows = WHOLE
    ) -> torch.Tensor:
        """Return the code, (1, K, H, W)."""
        fresh = torch.empty_like(self._code).normal_(generator=self._draws)
        return self._code + self._jitter * fresh


class InrFill:
    """Random phases of an INR trained beside the network.

    The fit loss sees visible pixels only, so a hidden pixel's own value reaches the fill through
    nothing but the network's prediction of it.
    """

    def __init__(
        self, spec: specs.Inr, y: torch.Tensor, init: torch.Generator, draws: torch.Generator
    ) -> None:
        self.spec = spec
        self.inr = Siren(spec, y.shape[1], init).to(y.device)
        self._size = (y.shape[2], y.shape[3])
        self._draws = draws
        # Phase numbers come from the CPU: reading one from a GPU would stall it at every step.
        self._phases = torch.Generator().manual_seed(init.initial_seed())
        self._adam = torch.optim.Adam(self.inr.parameters(), lr=spec.lr) if spec.trained else None

    def _phase(self, index: int, windows: Windows) -> torch.Tensor:
        if not windows:
            return self.inr.phase(*self._size, index, self._draws)
        return torch.cat([self.inr.phase(*self._size, index, self._draws, w) for w in windows])

    def _random_phase(self, windows: Windows) -> torch.Tensor:
        index = int(torch.randint(PHASES, (1,), generator=self._phases))
        return self._phase(index, windows)

    @torch.no_grad()
    def sample(
        self, y: torch.Tensor, hidden: torch.Tensor, windows: Windows = WHOLE
    ) -> torch.Tensor:
        """Return a random phase, (1, C, H, W) or of each window."""
        return self._random_phase(windows)

    def learn(
        self,
        step: int,
        y: torch.Tensor,
        maps: MaskMaps,
        output: torch.Tensor,
        windows: Windows = WHOLE,
    ) -> None:
        """Every `every`-th step: fit visible pixels, follow the network on scored ones."""
        if self._adam is None or step % self.spec.every:
            return
        base = self._phase(0, windows)
        loss = self.spec.fit_weight * masked_mse(base, y, ~maps.hidden)
        loss = loss + self.spec.consistency_weight * masked_mse(
            self._random_phase(windows), output, maps.scored
        )
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        self._adam.step()


def build(spec: specs.Fill, y: torch.Tensor, init: torch.Generator, draws: torch.Generator) -> Fill:
    """Make the fill that a recipe names, for the image `y` (1, C, H, W)."""
    if isinstance(spec, specs.Inr):
        return InrFill(spec, y, init, draws)
    if isinstance(spec, specs.Neighbour):
        return NeighbourFill(spec, draws)
    if isinstance(spec, specs.Code):
        return CodeFill(spec, y, init, draws)
    if isinstance(spec, specs.Refill):
        return FixedFill(auxiliary(y, spec.patch, spec.stride))
    lowest = y.amin((2, 3), keepdim=True)
    return FixedFill(torch.zeros_like(lowest) if spec.value == "mean" else lowest)


def channels(spec: specs.Fill, image_channels: int) -> int:
    """Return how many channels the network sees with this fill."""
    return spec.channels if isinstance(spec, specs.Code) else image_channels
