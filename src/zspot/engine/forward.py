"""How pixels reach a network: crops, turns, phases; hidden ones filled."""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

DIHEDRAL = 8  # rotations and reflections of a square
Applied = Callable[..., Tensor]  # a network, also for whole images: `(x, generator, visible)`


def crops(
    shape: Sequence[int], side: int, count: int, generator: Generator, grid: int = 1
) -> list[tuple[slice, slice]]:
    """Draw squares that touch an image and move them inside: so its border is learned too."""

    def along(full: int) -> slice:
        size = min(side, full)
        last = full - size
        beyond = min(size - 1, last)
        start = int(torch.randint(last + 1 + 2 * beyond, (1,), generator=generator)) - beyond
        start = min(max(start, 0), last) // grid * grid
        return slice(start, start + size)

    return [(along(shape[0]), along(shape[1])) for _ in range(count)]


def pixel_unshuffle(x: Tensor, step: int) -> Tensor:
    """Return the step x step phases of (N, C, H, W) one after another; the border is repeated."""
    padded = F.pad(x, (0, -x.shape[3] % step, 0, -x.shape[2] % step), mode="replicate")
    phases = F.pixel_unshuffle(padded, step).unflatten(1, (-1, step**2))
    return phases.transpose(1, 2).flatten(0, 1).contiguous()


def augmented(x: Tensor, index: int) -> Tensor:
    """Apply one of the eight rotations and reflections."""
    turned = torch.rot90(x, index % 4, (2, 3))
    return turned.flip(3) if index >= 4 else turned


def restored(x: Tensor, index: int) -> Tensor:
    """Undo `augmented`."""
    return torch.rot90(x.flip(3) if index >= 4 else x, -(index % 4), (2, 3))


def network_input(y: Tensor, hidden: Tensor, filling: Tensor) -> Tensor:
    """Replace hidden pixels by the fill (or all by its code): no others reach a network."""
    return filling if filling.shape[1] != y.shape[1] else torch.where(hidden, filling, y)


def in_phases(
    network: Applied, dropping: Generator, x: Tensor, visible: Tensor | None, stride: int
) -> Tensor:
    """Apply the network to each of the stride x stride phases of (N, C, H, W) by itself."""
    if stride == 1:
        return network(x, dropping, visible)
    height, width = x.shape[2:]
    seen = None if visible is None else pixel_unshuffle(visible.to(x.dtype), stride)
    output = network(pixel_unshuffle(x, stride), dropping, seen)
    output = output.unflatten(0, (len(x), stride**2)).transpose(1, 2).flatten(1, 2)
    return F.pixel_shuffle(output, stride)[..., :height, :width]
