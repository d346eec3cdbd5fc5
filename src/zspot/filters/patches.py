"""Patches: padding, search for similar ones, across scales too, cutting out, putting back."""

import math
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

Steps = list[tuple[int, int]]  # down and right
Box = tuple[slice, slice]  # rows and columns
WHOLE: Box = (slice(None), slice(None))
OUTSIDE = 1e6  # value beyond the image: a patch that reaches there is never similar
# Of the search across scales:
_CANDIDATES = 1 << 14  # of the pooled image; a larger one is searched in longer steps
_QUERIES = 1 << 11  # at a time: bounds the table of distances to 128 MiB
_BAND = 1 << 16  # pixels of a band of rows that is cut into patches at a time


def reflect_pad(image: Tensor, patch: int, stride: int) -> Tensor:
    """Extend (C, H, W) down and right by reflection, of any size, so that patches cover it."""
    rows, cols = (
        reflect_index(torch.arange(patch + -(-max(0, n - patch) // stride) * stride), n)
        for n in image.shape[1:]
    )
    return image[:, rows.to(image.device)][:, :, cols.to(image.device)]


def reflect_index(index: Tensor, size: int) -> Tensor:
    """Bring whole numbers into 0..size-1 by reflection at both ends, as often as it takes."""
    index = index.abs() % max(1, 2 * size - 2)
    return torch.where(index < size, index, 2 * size - 2 - index)


def match(
    guide: Tensor, patch: int, stride: int, steps: Steps, members: int, within: Box = WHOLE
) -> Tensor:
    """Find up to `members` patches of (M, H, W) nearest to each reference patch, itself too.

    References start every `stride` pixels `within` rows and columns that are multiples of it.
    Returns positions (R, k), row-major over the (H-patch+1) x (W-patch+1) corners.
    """
    tall, wide = guide.shape[1] - patch + 1, guide.shape[2] - patch + 1
    rows = torch.arange(tall, device=guide.device)[within[0]][::stride]
    cols = torch.arange(wide, device=guide.device)[within[1]][::stride]
    table = _distances(guide, patch, stride, steps, rows, cols)
    # Even a corner patch sees as many neighbours as lie down and to the right.
    members = min(members, sum(dy >= 0 and dx >= 0 for dy, dx in steps))
    nearest = table.T.contiguous().topk(members, dim=1, largest=False, sorted=False).indices
    here = (rows[:, None] * wide + cols).reshape(-1, 1)
    moves = torch.tensor([dy * wide + dx for dy, dx in steps], device=guide.device)
    return here + moves[nearest]


def _distances(
    guide: Tensor, patch: int, stride: int, steps: Steps, rows: Tensor, cols: Tensor
) -> Tensor:
    """Return mean squared distances, (steps, R), of patches that start at rows and columns."""
    up, side = (max(abs(step[axis]) for step in steps) for axis in (0, 1))
    padded = F.pad(guide, (side, side, up, up), value=OUTSIDE)
    top, left = int(rows[0]), int(cols[0])
    tall, wide = int(rows[-1]) - top + patch, int(cols[-1]) - left + patch
    own = guide[:, top : top + tall, left : left + wide]
    table = guide.new_empty(len(steps), len(rows) * len(cols))
    for distances, (dy, dx) in zip(table, steps, strict=True):
        y, x = top + up + dy, left + side + dx
        moved = padded[:, y : y + tall, x : x + wide]
        square = (moved - own).square_().sum(0, keepdim=True)
        distances.copy_(F.avg_pool2d(square, patch, stride).flatten())
        if dy == 0 and dx == 0:
            distances.fill_(-1)  # itself first, however many others are the same
    return table


def search_steps(size: tuple[int, int], reach: int, dense: int) -> Steps:
    """List steps (down, right) to where patches are looked for; beyond `dense` every second one."""
    up, side = (min(reach, count - 1) for count in size)
    steps = product(range(-up, up + 1), range(-side, side + 1))
    return [(y, x) for y, x in steps if max(abs(y), abs(x)) <= dense or y % 2 == x % 2 == 0]


def patch_rows(image: Tensor, patch: int, stride: int = 1) -> Tensor:
    """Cut (C, H, W) into overlapping patches, (positions, C*patch^2), channel slowest."""
    return F.unfold(image[None], patch, stride=stride)[0].T.contiguous()


def overlap_add(
    total: Tensor, weight: Tensor, shape: torch.Size, patch: int, stride: int = 1
) -> tuple[Tensor, Tensor]:
    """Add overlapping weighted patches (positions, C*patch^2) up to an image of `shape` (C, H, W).

    And their weights (positions, G), for G = C channels each or all at once, to (G, H, W).
    """
    size = (shape[1], shape[2])
    image = F.fold(total.T[None], size, patch, stride=stride)[0]
    weights = weight.T.repeat_interleave(patch**2, 0)[None]
    return image, F.fold(weights, size, patch, stride=stride)[0]


def cross_scale_image(y: Tensor, patch: int, stride: int) -> Tensor:
    """Replace each patch of (1, C, H, W) by the most similar one of the 2x average-pooled image."""
    # After "Zero-Shot Blind-Spot Image Denoising via Cross-Scale Non-Local Pixel Refilling" (2025).
    height, width = y.shape[2:]
    image = reflect_pad(y[0], patch, stride)
    pooled = reflect_pad(F.avg_pool2d(y, 2, ceil_mode=True)[0], patch, 1)
    places = math.prod(size - patch + 1 for size in pooled.shape[1:])
    candidates = patch_rows(pooled, patch, math.ceil(math.sqrt(places / _CANDIDATES)))
    total, mass = torch.zeros_like(image), torch.zeros_like(image[:1])
    rows = max(1, _BAND // image.shape[2] // stride) * stride  # whole steps: bands change nothing
    for top in range(0, image.shape[1] - patch + 1, rows):
        band = slice(top, top + rows + patch - 1)
        added, weight = _replaced(image[:, band], candidates, patch, stride)
        total[:, band] += added
        mass[:, band] += weight
    return (total / mass)[None, :, :height, :width]


def _replaced(image: Tensor, candidates: Tensor, patch: int, stride: int) -> tuple[Tensor, Tensor]:
    """Return the sum of the candidates nearest to the patches of an image, and their number."""
    half_energy = candidates.square().sum(1) / 2
    # The nearest has the largest inner product less half its own energy.
    nearest = [
        torch.addmm(-half_energy, queries, candidates.T).argmax(1)
        for queries in patch_rows(image, patch, stride).split(_QUERIES)
    ]
    found = candidates[torch.cat(nearest)]
    return overlap_add(found, found.new_ones(len(found), 1), image.shape, patch, stride)
