"""Closed-form non-local denoising: groups of similar patches, one linear solve each.

`bayes` models a group as one Gaussian, for any noise (Lebrun, Buades, Morel, SIAM J. Imaging Sci.
6(3), 2013), `ridge` takes its combination of least risk (Herbreteau, Kervrann, ICIP 2022).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from zspot.core.parallel import side_by_side
from zspot.filters.groups import Frame, GroupNoise, bayes, ridge
from zspot.filters.patch_noise import PatchNoise
from zspot.filters.patches import overlap_add, padded, patch_rows, reflect_pad
from zspot.filters.search import Box, match

TILE = (96, 512)  # rows and columns of pixels, at most, on which reference patches of a tile lie
# Floats of one gathered batch of groups: 1 MiB, which a processor's cache holds, or 32.
CHUNK_FLOATS = {"cpu": 1 << 18, "other": 1 << 23}

Tell = Callable[[float], None]  # called with the share of the work that is done
_ESTIMATORS = {"bayes": bayes, "ridge": ridge}


@dataclass(frozen=True)
class Pass:
    """One pass; a first `bayes` needs more `members` than its patch has numbers, `ridge` fewer."""

    estimator: Literal["bayes", "ridge"]
    patch: int  # side, pixels
    stride: int  # between reference patches, pixels
    members: int  # patches per group
    split: bool = True  # each channel of an opponent transform by itself, not patches of all
    reach: int = 24  # of the search for similar patches, pixels to each side
    dense: int = 24  # further off than this only every second row and column is looked at
    own: float = 0.0  # share that it has in the next pilot, without having seen this one; 0: all


# For white noise, and for any other, without a pilot.
WHITE = (Pass("bayes", 5, 3, 80), Pass("bayes", 8, 4, 24), Pass("ridge", 7, 5, 64))
CORRELATED = (Pass("bayes", 5, 3, 160, split=False), Pass("bayes", 5, 3, 80, split=False))
CORRELATED_COLOUR = (
    Pass("bayes", 5, 4, 160, split=False, reach=64, dense=12),
    Pass("bayes", 5, 3, 80, split=False, reach=64, dense=12),
)

# With a pilot, by how far similar patches are sought.
GUIDED_CORRELATED = {
    "coarse": (Pass("bayes", 3, 3, 40, split=False, reach=12, dense=4),),
    "sparse": (Pass("bayes", 4, 4, 60, split=False, reach=36, dense=8),),
    "near": (Pass("bayes", 4, 4, 60, split=False, reach=12),),
    "usual": (Pass("bayes", 4, 3, 80, split=False, reach=24),),
    "wide": (Pass("bayes", 4, 4, 100, split=False, reach=48, dense=12),),
    "widest": (Pass("bayes", 4, 3, 100, split=False, reach=48, dense=48),),
}
# For white noise, and to be averaged with the pilot: what each channel says guides all together.
_COARSE, _USUAL = (Pass("ridge", 7, 6, 48, reach=16),), (Pass("ridge", 7, 5, 64),)
_GREY = (Pass("bayes", 5, 4, 80, own=0.35), Pass("bayes", 8, 4, 24))
_COLOUR = (Pass("bayes", 5, 5, 40, own=0.35), _GREY[1], Pass("bayes", 5, 4, 40, split=False))


def guided(search: str, channels: int, white: bool, averaged: bool) -> tuple[Pass, ...]:
    """Return the passes that a pilot guides."""
    if not white:
        return GUIDED_CORRELATED[search]
    if averaged:
        return _COLOUR if channels > 1 else _GREY
    return _COARSE if search == "coarse" else _USUAL


def nl_bayes(
    y: Tensor, noise: PatchNoise, *, passes: tuple[Pass, ...] | None = None,
    pilot: Tensor | None = None, tick: Tell = lambda share: None,
) -> Tensor:  # fmt: skip
    """Denoise a float32 image (C, H, W), first pass guided by a `pilot` or, without, by itself."""
    if passes is None:
        passes = CORRELATED_COLOUR if len(y) > 1 else CORRELATED
        passes = WHITE if noise.lags is None and noise.slope is None else passes
    frame, guide = Frame.of(y, noise), pilot
    for number, step in enumerate(passes):
        before = None if step.own else guide
        found = _filtered(
            y, before, step, noise, frame, lambda share, n=number: tick((n + share) / len(passes))
        )
        guide = torch.lerp(guide, found, step.own) if step.own and guide is not None else found
    assert guide is not None
    return guide


def _filtered(
    y: Tensor, pilot: Tensor | None, step: Pass, noise: PatchNoise, frame: Frame, tell: Tell
) -> Tensor:
    """Filter all groups of (C, H, W) once; statistics come from the pilot if there is one."""
    # Tile by tile, for memory; what groups say is added up, so that tiles have no borders.
    local = GroupNoise.of(noise, frame, step.patch, step.split)
    height, width = (padded(size, step.patch, step.stride) for size in y.shape[1:])
    tiles = _tiles(_places(height, width, step), step)
    total = y.new_zeros(len(y), height, width)
    mass = y.new_zeros(len(y) if step.split else 1, height, width)

    def cut(image: Tensor, box: Box) -> Tensor:
        return frame.inward(reflect_pad(image, step.patch, step.stride, box))

    def work(tile: tuple[Box, Box]) -> tuple[tuple[slice, ...], Tensor, Tensor]:
        guide = None if pilot is None else cut(pilot, tile[0])
        found = _tile(cut(y, tile[0]), guide, tile[1], step, local)
        return (slice(None), *tile[0]), *found

    with side_by_side(y.device) as mapped:
        for number, (seen, added, weight) in enumerate(mapped(work, tiles), 1):
            total[seen] += added
            mass[seen] += weight
            tell(number / len(tiles))
    return frame.outward(total.div_(mass)[:, : y.shape[1], : y.shape[2]])


def _tile(
    noisy: Tensor, pilot: Tensor | None, references: Box, step: Pass, noise: GroupNoise
) -> tuple[Tensor, Tensor]:
    """Filter the groups whose reference patches start in a box; return sum and weights."""
    parts = len(noisy) if step.split else 1
    rows = patch_rows(noisy, step.patch)
    models = None if pilot is None else patch_rows(pilot, step.patch)
    # Without a pilot: the first opponent channel has most of the signal, a part of the noise.
    seen = rows[:, : step.patch**2] if step.split else rows
    seen = seen.contiguous() if models is None else models
    near = (step.stride, step.reach, step.dense, step.members)
    places = match(seen, _places(noisy.shape[1], noisy.shape[2], step), *near, references)
    total, weight = torch.zeros_like(rows), rows.new_zeros(len(rows), parts)
    most = CHUNK_FLOATS.get(noisy.device.type, CHUNK_FLOATS["other"])
    for at in places.split(max(1, most // (places.shape[1] * rows.shape[1]))):
        group = _gather(rows, at, parts)
        model = group if models is None else _gather(models, at, parts)
        found, trust = _ESTIMATORS[step.estimator](group, model, noise, models is None)
        found = found.mul_(trust[..., None]).transpose(1, 2)
        flat = at.reshape(-1)
        total.index_add_(0, flat, found.reshape(-1, rows.shape[1]))
        weight.index_add_(0, flat, trust.transpose(1, 2).reshape(-1, parts))
    return overlap_add(total, weight, noisy.shape, step.patch)


def _places(height: int, width: int, step: Pass) -> tuple[int, int]:
    """Return on how many rows and columns a patch may start."""
    return height - step.patch + 1, width - step.patch + 1


def _tiles(places: tuple[int, int], step: Pass) -> list[tuple[Box, Box]]:
    """Cut into tiles of bounded work: the pixels that groups reach, and in them the references."""
    rows, columns = (max(1, size // step.stride) * step.stride for size in TILE)
    tiles = []
    for y in range(0, places[0], rows):
        for x in range(0, places[1], columns):
            down, right = _seen(y, rows, places[0], step), _seen(x, columns, places[1], step)
            tiles.append(((down[0], right[0]), (down[1], right[1])))
    return tiles


def _seen(start: int, length: int, places: int, step: Pass) -> tuple[slice, slice]:
    """Return what one side of a tile reaches, and the tile's part of it."""
    stop, first = min(start + length, places), max(0, start - step.reach)
    return slice(first, stop + step.reach + step.patch - 1), slice(start - first, stop - first)


def _gather(rows: Tensor, places: Tensor, parts: int) -> Tensor:
    """Return the groups at `places` (B, k), as (B, parts, k, D)."""
    return rows[places].unflatten(2, (parts, -1)).transpose(1, 2).contiguous()
