"""The parts of an image on which `auto` forms its judgement."""

from itertools import product

import torch
from torch import Tensor

LARGE = 2_000_000  # pixels from which an image is judged by parts, and `balanced` is coarser
_BLOCK, _ACROSS = 512, 3  # a large image is looked at in so many blocks along each axis
_PART = 128  # side of the parts of it on which the strength of the noise is tried


def spread(plane: Tensor) -> Tensor:
    """Return a plane (C, H, W), or of a large one blocks from all over it side by side."""
    if plane[0].numel() <= LARGE:
        return plane
    rows, columns = (sorted({*_starts(size, _BLOCK)}) for size in plane.shape[1:])
    bands = [plane[:, y : y + _BLOCK] for y in rows]
    lines = [torch.cat([band[..., x : x + _BLOCK] for x in columns], 2) for band in bands]
    return torch.cat(lines, 1)


def samples(plane: Tensor, side: int) -> list[Tensor]:
    """Return the middle `side` x `side` pixels, or of a large plane smaller parts all over it."""
    if plane[0].numel() > LARGE:
        side = min(side, _PART)
        rows, columns = (_starts(size, side) for size in plane.shape[1:])
    else:
        rows, columns = ([max(0, (size - side) // 2)] for size in plane.shape[1:])
    return [plane[:, y : y + side, x : x + side].contiguous() for y, x in product(rows, columns)]


def _starts(size: int, side: int) -> list[int]:
    """Return where `_ACROSS` blocks of `side` pixels begin that spread over `size` pixels."""
    return [round(i * max(0, size - side) / (_ACROSS - 1)) for i in range(_ACROSS)]
