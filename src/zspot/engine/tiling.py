"""Predicting a large image tile by tile, with the result of predicting it whole.

A tile is looked at with so much around it as its pixels depend on, and only its own pixels are
kept. So tiles need no blending and leave no seams: where the network draws no dropout, the result
is that of the whole image up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import nn

from zspot import specs
from zspot.networks import pretrained

SIDE = 1024
"""Side of a tile in pixels where memory does not ask for less."""


@dataclass(frozen=True)
class Reach:
    """How a network's output depends on its input.

    Attributes
    ----------
    pixels : int
        No output pixel depends on an input pixel farther away than this, along either axis.
    unit : int
        Tiles must start at multiples of this: the network pools or splits pixels in such blocks.
    """

    pixels: int
    unit: int


def reach(spec: specs.Network) -> Reach | None:
    """Return the reach of a network; None where an output pixel may depend on every input pixel.

    Parameters
    ----------
    spec : zspot.specs.Network
    """
    if isinstance(spec, specs.UNet):
        return Reach(128 * spec.dilation, 32 * spec.dilation)
    if isinstance(spec, specs.BlindSpot):
        # 3 x 3 at the entry and, dilated alike, in every module of both branches.
        return Reach(3 * spec.modules + 8, 24)
    known = {
        specs.Prior: Reach(pretrained.REACH, pretrained.GRID),
        specs.PartialUNet: Reach(160, 32),
    }
    return {**known, specs.Shallow: Reach(8, 8)}.get(type(spec))


class Tiled:
    """A network that is shown large images tile by tile; for use without gradient.

    Parameters
    ----------
    network : nn.Module
        Called as `network(x, generator, visible)`.
    reach : Reach
    side : int
        Of the tiles, pixels; images that are no larger are taken whole.
    """

    def __init__(self, network: nn.Module, reach: Reach, side: int = SIDE) -> None:
        self._network, self._reach = network, reach
        self._side = max(side // reach.unit, 1) * reach.unit

    @torch.no_grad()
    def __call__(
        self,
        x: torch.Tensor,
        generator: torch.Generator | None = None,
        visible: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Map (N, C, H, W) to what the network makes of it."""
        parts = [self._parts(size) for size in x.shape[2:]]
        if all(len(axis) == 1 for axis in parts):
            return self._network(x, generator, visible)
        out = torch.empty_like(x)
        for n, (rows, columns) in product(range(len(x)), list(product(*parts))):
            above, below = self._around(rows, x.shape[2])
            left, right = self._around(columns, x.shape[3])
            at = (slice(n, n + 1), slice(None), slice(above, below), slice(left, right))
            seen = None if visible is None else visible[at].contiguous()
            tile = self._network(x[at].contiguous(), generator, seen)
            out[n, :, slice(*rows), slice(*columns)] = tile[
                0, :, rows[0] - above : rows[1] - above, columns[0] - left : columns[1] - left
            ]
        return out

    def _parts(self, size: int) -> list[tuple[int, int]]:
        """Cut an axis into parts of nearly the same length, none longer than a tile."""
        unit = self._reach.unit
        count = -(-size // self._side)
        length = -(-size // (count * unit)) * unit
        return [(start, min(start + length, size)) for start in range(0, size, length)]

    def _around(self, part: tuple[int, int], size: int) -> tuple[int, int]:
        margin = -(-self._reach.pixels // self._reach.unit) * self._reach.unit
        end = -(-part[1] // self._reach.unit) * self._reach.unit
        return max(0, part[0] - margin), min(size, end + margin)
