"""Show a network a large image tile by tile, or in overlapping windows."""

from itertools import product

import torch
from torch import Generator, Tensor, nn

from zspot.networks import ReceptiveField

SIDE = 1024  # side of a tile in pixels where memory does not ask for less
AT_ONCE = 256**2  # pixels of windows that the network is shown at once


class Tiled:
    """A network shown large images in tiles and what these depend on: no seams, no gradient."""

    def __init__(self, network: nn.Module, field: ReceptiveField, side: int = SIDE) -> None:
        self._network, self._field = network, field
        self._side = max(side // field.unit, 1) * field.unit

    @torch.no_grad()
    def __call__(
        self, x: Tensor, generator: Generator | None = None, visible: Tensor | None = None
    ) -> Tensor:
        """Map (N, C, H, W) to what the network makes of it."""
        parts = [self._parts(size) for size in x.shape[2:]]
        whole = all(len(axis) == 1 for axis in parts)
        if whole and (len(x) == 1 or x[:, 0].numel() <= self._side**2):
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
        unit = self._field.unit
        count = -(-size // self._side)
        length = -(-size // (count * unit)) * unit
        return [(start, min(start + length, size)) for start in range(0, size, length)]

    def _around(self, part: tuple[int, int], size: int) -> tuple[int, int]:
        margin = -(-self._field.reach // self._field.unit) * self._field.unit
        end = -(-part[1] // self._field.unit) * self._field.unit
        return max(0, part[0] - margin), min(size, end + margin)


class Windowed:
    """A network that learned on crops is shown windows of their size, averaged; no gradient."""

    def __init__(self, network: nn.Module, side: int) -> None:
        self._network, self._side = network, side

    @torch.no_grad()
    def __call__(
        self, x: Tensor, generator: Generator | None = None, visible: Tensor | None = None
    ) -> Tensor:
        """Map (N, C, H, W) to what the network makes of it."""
        h, w = (min(self._side, size) for size in x.shape[2:])
        if (h, w) == x.shape[2:]:
            return self._network(x, generator, visible)
        # Elsewhere in each pass: always at the same places, their borders would show in the mean.
        moved = [0.0, 0.0]
        if generator is not None:
            moved = torch.rand(2, generator=generator, device=generator.device).tolist()
        starts = map(_starts, x.shape[2:], (h, w), moved)
        cuts = [
            (n, slice(None), slice(i, i + h), slice(j, j + w))
            for n, i, j in product(range(len(x)), *starts)
        ]
        weight = _ramp(h, x)[:, None] * _ramp(w, x)
        total, weights = torch.zeros_like(x), torch.zeros_like(x[:, :1])
        together = max(1, AT_ONCE // (h * w))
        for batch in (cuts[i : i + together] for i in range(0, len(cuts), together)):
            seen = None if visible is None else torch.stack([visible[at] for at in batch])
            outputs = self._network(torch.stack([x[at] for at in batch]), generator, seen)
            for at, output in zip(batch, outputs, strict=True):
                total[at] += weight * output
                weights[at] += weight
        return total / weights


def _starts(size: int, side: int, moved: float) -> list[int]:
    """Return where windows start along an axis: evenly, overlapping by a quarter or more."""
    last, steps = size - side, -(-(size - side) // max(1, side * 3 // 4))
    at = (round((step - moved) * last / max(1, steps)) for step in range(steps + 2))
    return sorted({min(max(0, start), last) for start in at})


def _ramp(side: int, like: Tensor) -> Tensor:
    """Return weights along an axis that rise over the quarter at each end."""
    at = torch.arange(side, dtype=like.dtype, device=like.device)
    return torch.minimum(at + 1, side - at).clamp(max=max(1, side // 4))
