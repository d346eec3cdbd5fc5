"""The search for patches that are similar to a reference patch, around it."""

import math
from functools import cache
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

Box = tuple[slice, slice]  # rows and columns
WHOLE: Box = (slice(None), slice(None))
_LEAST_SIDE = 8  # references along a side of a block, whose distances are one product of matrices


def match(
    rows: Tensor, places: tuple[int, int], stride: int, reach: int, dense: int, members: int,
    within: Box = WHOLE,
) -> Tensor:  # fmt: skip
    """Find up to `members` patches nearest to each reference patch, itself too.

    `rows` (positions, D) are the patches at `places` down and right, references every `stride` of
    these `within` a part; beyond `dense` every second is looked at. Returns positions (R, k).
    """
    table, dense = rows.view(*places, -1), min(dense, reach)
    steps = _steps(reach, dense)
    fits = ((steps >= 0) & (steps < torch.tensor(places))).all(1)
    members = min(members, int(fits.sum()))  # as many as a patch in a corner sees
    moves = (steps[:, 0] * places[1] + steps[:, 1]).to(rows.device)
    down, right = (range(n)[part][::stride] for n, part in zip(places, within, strict=True))
    found = torch.empty(len(down), len(right), members, dtype=torch.int64, device=rows.device)
    # References of a block lie apart by whole steps of the coarse search.
    apart = 1 + (stride % 2 and dense < reach)
    side = max(_LEAST_SIDE, dense // (apart * stride) + 1) * apart
    for top, left in product(range(0, len(down), side), range(0, len(right), side)):
        for i, j in product(range(apart), range(apart)):
            at = slice(top + i, top + side, apart), slice(left + j, left + side, apart)
            y, x = down[at[0]], right[at[1]]
            if len(y) and len(x):
                near = _distances(table, y, x, reach, dense).topk(members, 1, False, False)[1]
                here = torch.tensor([a * places[1] + b for a, b in product(y, x)])
                here = here.to(rows.device)[:, None] + moves[near]
                found[at] = here.view(len(y), len(x), members)
    return found.flatten(0, 1)


@cache
def _steps(reach: int, dense: int) -> Tensor:
    """Return the steps (S, 2) down and right to where is looked, in the order of `_distances`."""
    near = torch.arange(-dense, dense + 1)
    return torch.cat([torch.cartesian_prod(near, near), _coarse(reach, dense)[1]])


@cache
def _coarse(reach: int, dense: int) -> tuple[Tensor, Tensor]:
    """Return which steps of two lie beyond `dense`, and these."""
    far = 2 * torch.arange(-(reach // 2), reach // 2 + 1)
    steps = torch.cartesian_prod(far, far)
    beyond = (steps.abs().amax(1) > dense).nonzero()[:, 0]
    return beyond, steps[beyond]


def _distances(table: Tensor, y: range, x: range, reach: int, dense: int) -> Tensor:
    """Return how far (R, S) patches are from references at y and x, up to a constant."""
    own = table[y.start : y.stop : y.step, x.start : x.stop : x.step]
    middle = own.mean((0, 1))  # without it numbers are large, and lose digits
    own = (own - middle).flatten(0, 1)
    found = _window(table, own, middle, (y, x), dense, 1)
    found[:, found.shape[1] // 2] = -math.inf  # itself first, however many others are the same
    if dense == reach:
        return found
    outer = _window(table, own, middle, (y, x), reach, 2)
    return torch.cat([found, outer[:, _coarse(reach, dense)[0].to(outer.device)]], 1)


def _window(
    table: Tensor, own: Tensor, middle: Tensor, block: tuple[range, range], reach: int, every: int
) -> Tensor:
    """Return these distances to every so many patches in a window around each reference."""
    reach = reach // every
    cuts, margins, sizes = [], [], []
    for refs, size in zip(block, table.shape, strict=False):
        low, count = refs[0] - every * reach, (refs[-1] - refs[0]) // every + 2 * reach + 1
        first, last = max(0, -(low // every)), min(count - 1, (size - 1 - low) // every)
        cuts.append(slice(low + every * first, low + every * last + 1, every))
        margins.append((first, count - 1 - last))
        sizes.append(count)
    near = table[cuts[0], cuts[1]] - middle
    shape, near = near.shape[:2], near.flatten(0, 1)
    values = (near.square().sum(1) / 2 - own @ near.T).view(-1, *shape)
    values = F.pad(values, margins[1] + margins[0], value=math.inf)  # where there are no patches
    tall, wide = (len(refs) for refs in block)
    down, right = (refs.step // every for refs in block)
    height, width = sizes
    steps = ((wide * height + down) * width, height * width + right, width, 1)
    side = 2 * reach + 1
    return values.as_strided((tall, wide, side, side), steps).flatten(2).flatten(0, 1)
