"""Closed-form non-local denoising: groups of similar patches, one linear solve each.

Two estimators share the search and the aggregation. `bayes` models the patches of a group as one
Gaussian (Non-local Bayes) and uses the full noise covariance of a patch, so it serves correlated
noise. `ridge` replaces each patch of a group by the linear combination of the group's patches with
the least risk (NL-Ridge); it needs no more than the noise variance. For white noise passes of both,
each with the last estimate as its pilot, do better than either.

References
----------
M. Lebrun, A. Buades, J.-M. Morel, "A nonlocal Bayesian image denoising algorithm", SIAM J. Imaging
Sci. 6(3), 2013.
S. Herbreteau, C. Kervrann, "Towards a unified view of unsupervised non-local methods for image
denoising: the NL-Ridge approach", ICIP 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from zspot.filters.patch_noise import PatchNoise
from zspot.filters.patches import match, overlap_add, patch_rows, reflect_pad, search_steps

FLAT = 0.05  # excess variance, in units of the noise, below which a group counts as flat
TILE_FLOATS = 1 << 25  # of the table of distances of one tile: 128 MiB
TILE_WIDTH = 2048  # reference patches of a tile lie on no more columns than this
CHUNK_FLOATS = 1 << 23  # floats of one gathered batch of groups: 32 MiB


@dataclass(frozen=True)
class Pass:
    """One pass over the image.

    Attributes
    ----------
    estimator : {"bayes", "ridge"}
        How a group is filtered.
    patch, stride : int
        Side of a patch and step between reference patches, pixels.
    members : int
        Patches per group. A first `bayes` pass needs more than its patch has numbers, a first
        `ridge` pass fewer: the noise must be told from the signal. Later passes are free.
    split : bool
        Filter each channel of an orthonormal opponent transform by itself rather than patches of
        all channels at once.
    reach : int
        Of the search for similar patches, pixels to each side.
    dense : int
        Further off than this only every second row and column is looked at.
    """

    estimator: Literal["bayes", "ridge"]
    patch: int
    stride: int
    members: int
    split: bool = True
    reach: int = 24
    dense: int = 24


WHITE = (Pass("bayes", 5, 3, 80), Pass("bayes", 8, 4, 24), Pass("ridge", 7, 5, 64))
# On 256 x 256 crops of CC: 36.99, 37.06, 37.23, 37.26 and 37.30 dB; on micrographs the wider ones
# gain nothing. The second widest has 100 members for 80 since, and looks at every place up to 12
# pixels for 8: whole CC images 37.598 -> 37.608 dB.
GUIDED_CORRELATED = {
    "coarse": (Pass("bayes", 3, 3, 40, split=False, reach=12, dense=4),),
    "sparse": (Pass("bayes", 4, 4, 60, split=False, reach=36, dense=8),),
    "near": (Pass("bayes", 4, 4, 60, split=False, reach=12),),
    "usual": (Pass("bayes", 4, 3, 80, split=False, reach=24),),
    "wide": (Pass("bayes", 4, 3, 100, split=False, reach=48, dense=12),),
    "widest": (Pass("bayes", 4, 3, 100, split=False, reach=48, dense=48),),
}
# White noise with a good pilot: on Set9 and McMaster the coarse one loses 0.05 dB in half the time.
GUIDED = dict.fromkeys(GUIDED_CORRELATED, (Pass("ridge", 7, 5, 64),))
GUIDED["coarse"] = (Pass("ridge", 7, 6, 48, reach=16),)
CORRELATED = (Pass("bayes", 5, 3, 160, split=False), Pass("bayes", 5, 3, 80, split=False))


def nl_bayes(
    y: Tensor,
    noise: PatchNoise,
    *,
    passes: tuple[Pass, ...] | None = None,
    pilot: Tensor | None = None,
    tick: Callable[[float], None] | None = None,
) -> Tensor:
    """Denoise an image by closed-form estimates on groups of similar patches.

    Nothing is random. Scaling or shifting `y` and scaling `noise` with it scales or shifts the
    result (to float32 rounding).

    Parameters
    ----------
    y : Tensor
        (C, H, W) float32 noisy image, C from 1 to 4, any size down to one pixel.
    noise : PatchNoise
        Its covariance, in the units of `y`.
    passes : tuple of Pass, optional
        By default `WHITE` for white noise of constant variance and `CORRELATED` otherwise.
    pilot : Tensor, optional
        (C, H, W) first estimate; without one the first pass learns from `y` alone.
    tick : callable, optional
        Called after every batch of groups with the share of the work done; what it raises stops.

    Returns
    -------
    Tensor
        (C, H, W) float32, not clipped.

    Raises
    ------
    ValueError
        If `y` is not a finite float32 image (C, H, W), does not fit `noise`, or `passes` is empty
        or splits channels although the noise depends on the signal.
    """
    if passes is None:
        passes = WHITE if noise.lags is None and noise.slope is None else CORRELATED
    _check(y, noise, passes)
    # Estimates are affine in y about its mean, so a shift of the input is a shift of the output.
    centre = y.mean((1, 2))
    scale = noise.channels.diagonal().mean().sqrt().to(y)
    # Variances that follow the signal belong to the camera's channels, not to the opponent ones.
    basis = torch.eye(y.shape[0]).to(y) if noise.slope is not None else _opponent(y)

    def inward(x: Tensor) -> Tensor:
        return torch.einsum("dc,chw->dhw", basis, (x - centre[:, None, None]) / scale)

    image, guide = inward(y), None if pilot is None else inward(pilot)
    for number, step in enumerate(passes):
        local = _Local.build(noise, step, basis, centre, scale)
        count = len(passes)
        done = partial(_tell, tick or _ignore, number / count, (number + 1) / count)
        guide = _in_tiles(image, guide, local, step, done)
    assert guide is not None
    return torch.einsum("dc,dhw->chw", basis, guide) * scale + centre[:, None, None]


@dataclass(frozen=True, eq=False)
class _Local:
    """Noise as an estimator sees it: in units of the noise, in the working colour basis."""

    covariance: Tensor  # (G, D, D), G = 1 when all channels are filtered at once
    variance: Tensor | None  # (G,) where the covariance is that times the identity
    relative: Tensor | None = None  # (C,) slope of the variance per unit of signal, / variance
    level: Tensor | None = None  # (C,)

    @classmethod
    def build(
        cls, noise: PatchNoise, step: Pass, basis: Tensor, centre: Tensor, scale: Tensor
    ) -> _Local:
        """Bring `noise` into the basis and the units of one pass."""
        channels = basis @ noise.channels.to(centre) @ basis.T / scale**2
        # Of noise that is the same in all channels rounding leaves zero or less elsewhere.
        power = channels.diagonal().clamp_min(torch.finfo(channels.dtype).eps)
        channels = channels + torch.diag(power - channels.diagonal())
        full = PatchNoise(channels, noise.lags).covariance(step.patch)[None]
        if step.split:
            count, area = channels.shape[0], step.patch**2
            blocks = full.reshape(count, area, count, area)
            full = torch.stack([blocks[c, :, c] for c in range(count)])
        if noise.slope is not None and noise.level is not None:
            relative = noise.slope.to(centre) * scale / noise.channels.diagonal().to(centre)
            return cls(full, None, relative, (noise.level.to(centre) - centre) / scale)
        variance = full.diagonal(dim1=1, dim2=2).mean(-1)
        plain = torch.diag_embed(variance[:, None].expand(full.shape[:2]))
        return cls(full, variance if torch.allclose(full, plain, atol=1e-5) else None)


def _ignore(share: float) -> None:
    """Tell nobody."""


def _in_tiles(
    image: Tensor,
    pilot: Tensor | None,
    noise: _Local,
    step: Pass,
    tell: Callable[[float], None],
) -> Tensor:
    """Filter all groups of `image` (C, H, W) once; statistics come from `pilot` if there is one.

    Reference patches are taken tile by tile, so that memory does not grow with the image; what
    their groups say is added up over all tiles, so that tiles have no borders.
    """
    channels, height, width = image.shape
    noisy = reflect_pad(image, step.patch, step.stride)
    guide = None if pilot is None else reflect_pad(pilot, step.patch, step.stride)
    places = tuple(size - step.patch + 1 for size in noisy.shape[1:])
    tiles = _tiles(places, step)
    total = torch.zeros_like(noisy)
    mass = noisy.new_zeros(channels if step.split else 1, *noisy.shape[1:])
    for number, references in enumerate(tiles):
        near = tuple(
            slice(max(0, part.start - step.reach), part.stop + step.reach + step.patch - 1)
            for part in references
        )
        at = (slice(None), *near)
        within = tuple(
            slice(part.start - seen.start, part.stop - seen.start)
            for part, seen in zip(references, near, strict=True)
        )
        in_tile = partial(_tell, tell, number / len(tiles), (number + 1) / len(tiles))
        seen_guide = None if guide is None else guide[at]
        added, weight = _run(noisy[at], seen_guide, noise, step, within, in_tile)
        total[at] += added
        mass[at] += weight
    return (total / mass)[:, :height, :width]


def _tiles(places: tuple[int, ...], step: Pass) -> list[tuple[slice, slice]]:
    """Cut the places at which a patch may start into tiles of bounded work."""
    columns = min(places[1], TILE_WIDTH // step.stride * step.stride)
    side = 2 * step.reach + 1
    looked = len(search_steps((side, side), step.reach, step.dense))
    per_row = -(-columns // step.stride) * looked
    rows = max(1, TILE_FLOATS // per_row) * step.stride
    return [
        (slice(y, min(y + rows, places[0])), slice(x, min(x + columns, places[1])))
        for y in range(0, places[0], rows)
        for x in range(0, places[1], columns)
    ]


def _tell(tell: Callable[[float], None], start: float, end: float, share: float) -> None:
    """Tell the share of all work, when `share` of what goes from `start` to `end` is done."""
    tell(start + share * (end - start))


def _run(
    noisy: Tensor,
    pilot: Tensor | None,
    noise: _Local,
    step: Pass,
    within: tuple[slice, ...],
    tell: Callable[[float], None],
) -> tuple[Tensor, Tensor]:
    """Filter the groups whose reference patches start `within` a tile.

    Returns the sum of their weighted patches, (C, H, W), and their weights, (C or 1, H, W).
    """
    guide = noisy if pilot is None else pilot
    # The first opponent channel has most of the signal and a part of the noise.
    seen = guide[:1] if pilot is None and step.split else guide
    size = (noisy.shape[1] - step.patch + 1, noisy.shape[2] - step.patch + 1)
    steps = search_steps(size, step.reach, step.dense)
    places = match(seen, step.patch, step.stride, steps, step.members, (within[0], within[1]))
    rows = patch_rows(noisy, step.patch)
    models = rows if pilot is None else patch_rows(guide, step.patch)
    filter_groups = _ridge if step.estimator == "ridge" else _bayes
    parts = len(noisy) if step.split else 1
    total, weight = torch.zeros_like(rows), rows.new_zeros(rows.shape[0], parts)
    chunks = places.split(max(1, CHUNK_FLOATS // (places.shape[1] * rows.shape[1])))
    for number, at in enumerate(chunks):
        flat = at.reshape(-1)
        group = _gather(rows, at, parts)
        model = group if pilot is None else _gather(models, at, parts)
        estimate, trust = filter_groups(group, model, noise, pilot is None)
        estimate = (estimate * trust[..., None]).transpose(1, 2)
        total.index_add_(0, flat, estimate.reshape(-1, rows.shape[1]))
        weight.index_add_(0, flat, trust.transpose(1, 2).reshape(-1, parts))
        tell((number + 1) / len(chunks))
    return overlap_add(total, weight, noisy.shape, step.patch)


def _gather(rows: Tensor, places: Tensor, parts: int) -> Tensor:
    """Return the groups at `places` (B, k), as (B, parts, k, D)."""
    chosen = rows[places.reshape(-1)]
    return chosen.reshape(*places.shape, parts, -1).transpose(1, 2).contiguous()


def _ridge(group: Tensor, model: Tensor, noise: _Local, raw: bool) -> tuple[Tensor, Tensor]:
    """Least-risk linear combinations of the patches of each group (B, G, k, D).

    The Gram matrix of the clean patches is the pilot's or, where the pilot is `raw`, that of the
    noisy patches less what noise adds to it. Also returns how far to trust each patch (B, G, k).
    """
    energy = noise.covariance.diagonal(dim1=1, dim2=2).sum(-1)[None, :, None]  # (1, G, 1)
    offset = group.mean((2, 3), keepdim=True)
    group, model = group - offset, model - offset
    gram = model @ model.transpose(2, 3)
    gram.diagonal(dim1=2, dim2=3).add_(energy * (1e-3 if raw else 1.0))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky_ex(gram)[0])
    theta = inverse * -energy[..., None]
    theta.diagonal(dim1=2, dim2=3).add_(1)
    # The noise left in a combination is the sum of its squared weights.
    trust = 1 / theta.square().sum(-1).clamp(1 / theta.shape[-1], 1)
    return theta @ group + offset, trust


def _bayes(group: Tensor, model: Tensor, noise: _Local, raw: bool) -> tuple[Tensor, Tensor]:
    """Posterior mean of each patch (B, G, k, D) under the Gaussian fitted to its group."""
    centre = model.mean(2, keepdim=True)
    spread = model - centre
    trust = group.new_ones(group.shape[:3])
    degrees = max(1, spread.shape[2] - 1)
    if not raw and noise.variance is not None and spread.shape[2] < spread.shape[3]:
        # With fewer patches than numbers in each, the same solve is smaller between patches.
        gram = spread @ spread.transpose(2, 3)
        gram.diagonal(dim1=2, dim2=3).add_(degrees * noise.variance[None, :, None])
        inverse = torch.cholesky_inverse(torch.linalg.cholesky_ex(gram)[0])
        across = (group - centre) @ spread.transpose(2, 3)
        return across @ inverse @ spread + centre, trust
    covariance = _at_level(noise, model)
    signal = spread.transpose(2, 3) @ spread / degrees
    trace = covariance.diagonal(dim1=2, dim2=3).sum(-1)
    if raw:
        signal = signal - covariance
        # Where the group varies no more than noise does, its mean is the better estimate.
        flat = signal.diagonal(dim1=2, dim2=3).sum(-1) < FLAT * trace
        signal = signal * (~flat)[..., None, None]
    system = signal + covariance
    system.diagonal(dim1=2, dim2=3).add_(1e-3 * trace[..., None] / system.shape[-1])
    gain = torch.linalg.solve_ex(system, signal)[0]  # (S + N)^-1 S, for row vectors
    return (group - centre) @ gain + centre, trust


def _at_level(noise: _Local, model: Tensor) -> Tensor:
    """Return the noise covariance at the mean level of each group, (B or 1, G, D, D)."""
    if noise.relative is None or noise.level is None:
        return noise.covariance[None]
    means = model.mean(2).reshape(*model.shape[:2], noise.relative.numel(), -1).mean(-1)
    factor = (1 + noise.relative * (means - noise.level)).clamp_min(0.05).sqrt()
    factor = factor.repeat_interleave(model.shape[-1] // noise.relative.numel(), -1)
    return noise.covariance * factor[..., None] * factor[..., None, :]


def _opponent(like: Tensor) -> Tensor:
    """Orthonormal cosine basis over channels, (C, C): white noise stays white."""
    count = like.shape[0]
    index = torch.arange(count, dtype=torch.float64)
    basis = torch.cos(torch.pi * (index + 0.5) * index[:, None] / count)
    return (basis / basis.norm(dim=1, keepdim=True)).to(like)


def _check(y: Tensor, noise: PatchNoise, passes: tuple[Pass, ...]) -> None:
    """Raise ValueError for what cannot be denoised."""
    if y.ndim != 3 or not 1 <= y.shape[0] <= 4 or y.numel() == 0:
        raise ValueError(f"expected an image (C, H, W) of 1 to 4 channels, got {tuple(y.shape)}")
    if y.dtype != torch.float32:
        raise ValueError(f"expected float32, got {y.dtype}")
    if noise.channels.shape[0] != y.shape[0]:
        raise ValueError(f"noise of {noise.channels.shape[0]} channels, image of {y.shape[0]}")
    if not bool(torch.isfinite(y).all()):
        raise ValueError("the image has values that are not finite")
    if not passes:
        raise ValueError("at least one pass is needed")
    if noise.slope is not None and any(step.split for step in passes):
        raise ValueError("noise that depends on the signal needs passes with split=False")
