"""A closed-form denoiser of white noise: similar patches, linearly combined.

For every reference patch the most similar ones nearby are stacked, and each is replaced by the
linear combination of all that has the least expected quadratic risk. The first stage estimates
that risk from the noisy patches alone; the later ones take it from the stage before as a pilot,
and look for similar patches there too. Colour, which has little detail, is also Wiener-filtered
in a 3-D cosine basis (see `_shrink`). Nothing is trained and nothing is random.

References
----------
S. Herbreteau, C. Kervrann, "Towards a unified view of unsupervised non-local methods for image
denoising: the NL-Ridge approach", ICIP 2022, and SIAM Journal on Imaging Sciences, 2023; "Linear
combinations of patches are unreasonably effective for single-image denoising", IEEE Transactions
on Image Processing, 2024 (why repeating the second stage helps).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

_REFERENCES = 16384  # patches searched at once; bounds the memory, whatever the image's size
_GROUPS = 512  # groups combined at once: a few MB, so that they stay in the cache
_NOISELESS = 1e-4  # noise below this share of a channel's spread is beyond float32's reach
_JITTER = 1e-6  # of the mean squared norm of a group's patches: keeps its factorisation finite
_FLOOR = 0.02  # the same of the noise's energy, where only that energy regularises


@dataclass(frozen=True)
class Stage:
    """One pass over the image.

    Attributes
    ----------
    patch : int
        Side of the square patches.
    similar : int
        Patches in a group.
    stride : int
        Pixels between reference patches, the patch's side at most.
    window : int
        Side, odd, of the square in which similar patches are sought.
    """

    patch: int
    similar: int
    stride: int = 4
    window: int = 37


STAGES = (Stage(9, 18, stride=5), Stage(7, 40, stride=5), Stage(7, 55))


def denoise_selfsim(
    y: torch.Tensor,
    sigma: torch.Tensor | float,
    *,
    stages: tuple[Stage, ...] = STAGES,
) -> torch.Tensor:
    """Remove white Gaussian noise of known standard deviation.

    Parameters
    ----------
    y : float32 tensor (C, H, W)
        Noisy image of any intensity scale and any size; it is not modified. Patches and groups
        that do not fit a small image are cut down to it.
    sigma : float, or tensor (C,)
        Standard deviation of the noise, of all channels or of each. A channel with none, or with
        less than float32 can tell, comes back as it is.
    stages : tuple of Stage
        The first works without a pilot, each other one with the result before it.

    Returns
    -------
    float32 tensor (C, H, W)

    Raises
    ------
    ValueError
        For noise levels that are negative, not finite, or not one per channel.

    Notes
    -----
    Channels are divided by their noise and rotated into a brightness and its opponents, which
    keeps the noise white. Groups are common to the channels, weights are not: colour, which has
    little detail, is smoothed more than brightness. Equal input gives equal output on a CPU.
    """
    level = _levels(y, sigma)
    mean = y.mean((1, 2), dtype=torch.float64).to(y.dtype)[:, None, None]
    spread = (y - mean).abs().amax((1, 2))
    noisy = level > _NOISELESS * spread
    if not noisy.any():
        return y.clone()
    scale = level[noisy][:, None, None]
    basis = _cosines(len(scale), y.device)
    white = torch.einsum("dc,chw->dhw", basis, (y[noisy] - mean[noisy]) / scale)
    pilot = None
    for stage in stages:
        pilot = _pass(white, pilot, stage)
    out = y.clone()
    if pilot is not None:
        out[noisy] = torch.einsum("dc,dhw->chw", basis, pilot) * scale + mean[noisy]
    return out


def _levels(y: torch.Tensor, sigma: torch.Tensor | float) -> torch.Tensor:
    level = torch.as_tensor(sigma, dtype=y.dtype, device=y.device)
    if level.ndim > 1 or (level.ndim == 1 and level.numel() not in (1, y.shape[0])):
        raise ValueError(
            f"sigma has shape {tuple(level.shape)} for {y.shape[0]} channels: "
            "pass one number, or one per channel"
        )
    if not bool((torch.isfinite(level) & (level >= 0)).all()):
        raise ValueError(f"sigma is {sigma}: pass finite noise levels, none below 0")
    return level.expand(y.shape[0])


def _cosines(length: int, device: torch.device) -> torch.Tensor:
    """Return the orthonormal cosine basis; of three channels, brightness and two opponents."""
    step = torch.arange(length, dtype=torch.float64, device=device)
    waves = torch.cos(math.pi / length * (step + 0.5) * step[:, None])
    return (waves / waves.norm(dim=1, keepdim=True)).float()


def _pass(white: torch.Tensor, pilot: torch.Tensor | None, stage: Stage) -> torch.Tensor:
    """Run one stage on an image whose noise has variance 1."""
    height, width = white.shape[1:]
    patch = min(stage.patch, height, width)
    reach = stage.window // 2
    stride = min(stage.stride, patch)
    rows = _grid(height - patch + 1, stride, white.device)
    columns = _grid(width - patch + 1, stride, white.device)
    fitting = min(height - patch, reach) + 1, min(width - patch, reach) + 1
    similar = min(stage.similar, fitting[0] * fitting[1])
    if pilot is None:  # the unbiased estimate needs more pixels than patches
        similar = min(similar, max(1, patch**2 // 2))
    total, weight = torch.zeros_like(white), torch.zeros_like(white)
    for band in rows.split(max(1, _REFERENCES // len(columns))):
        top = max(0, int(band[0]) - reach)
        cut = slice(top, min(height, int(band[-1]) + reach + patch))
        seen = white[:, cut]
        guide = None if pilot is None else pilot[:, cut]
        sought = seen if guide is None else guide
        groups = _search(sought, band - top, columns, patch, reach, similar)
        part, share = _combine(seen, guide, groups, patch)
        total[:, cut] += part
        weight[:, cut] += share
    return total / weight


def _grid(positions: int, stride: int, device: torch.device) -> torch.Tensor:
    """Return every stride-th position and the last, so that patches cover the image."""
    grid = torch.arange(0, positions, stride, device=device)
    last = grid.new_tensor([positions - 1])
    return grid if (positions - 1) % stride == 0 else torch.cat([grid, last])


def _search(
    guide: torch.Tensor,
    rows: torch.Tensor,
    columns: torch.Tensor,
    patch: int,
    reach: int,
    similar: int,
) -> torch.Tensor:
    """Find the patches nearest to each reference patch, itself first of all.

    Parameters
    ----------
    guide : float tensor (C, H, W)
    rows, columns : int64 tensors
        Top rows and left columns of the reference patches.

    Returns
    -------
    int64 tensor (references, similar)
        Positions, counted through the rows of the (H - patch + 1, W - patch + 1) positions.
    """
    across = guide.shape[2] - patch + 1
    side = 2 * reach + 1
    references = (rows[:, None] * across + columns).flatten()
    distances = _distances(guide, rows, columns, patch, reach).flatten(1)
    found = []
    for few, reference in zip(distances.split(1024, 1), references.split(1024), strict=True):
        best = few.t().contiguous().topk(similar, largest=False).indices
        shift = (best // side - reach) * across + best % side - reach
        found.append(reference[:, None] + shift)
    return torch.cat(found)


def _distances(
    guide: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, patch: int, reach: int
) -> torch.Tensor:
    """Return squared distances (shifts, rows, columns) of patches to their shifted selves."""
    height, width = guide.shape[1:]
    low, high = int(rows[0]), int(rows[-1]) + patch
    padded = F.pad(guide, (reach, reach, reach, reach))
    centre = guide[:, low:high]
    side = range(-reach, reach + 1)
    out = guide.new_empty(len(side) ** 2, len(rows), len(columns))
    shifts = [(down, right) for down in side for right in side]
    for distance, (down, right) in zip(out, shifts, strict=True):
        above, left = reach + down, reach + right
        shifted = padded[:, low + above : high + above, left : left + width]
        squares = (shifted - centre).square_().sum(0)
        distance.copy_(_box(_box(squares, rows - low, patch, 0), columns, patch, 1))
        outside = (rows + down < 0) | (rows + down > height - patch)
        distance[outside] = math.inf
        outside = (columns + right < 0) | (columns + right > width - patch)
        distance[:, outside] = math.inf
    out[len(out) // 2] = -1  # the patch itself is always in its group
    return out


def _box(values: torch.Tensor, starts: torch.Tensor, length: int, axis: int) -> torch.Tensor:
    """Sum `length` neighbours from each start along an axis."""
    out = values.index_select(axis, starts)
    for step in range(1, length):
        out += values.index_select(axis, starts + step)
    return out


def _combine(
    noisy: torch.Tensor, pilot: torch.Tensor | None, groups: torch.Tensor, patch: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Combine each group's patches and put them back where they came from.

    Returns
    -------
    total, weight : float tensors (C, H, W)
        Weighted sums of the estimates of each pixel, and the sums of the weights. A patch weighs
        as the inverse of the noise left in it.
    """
    channels, pixels = noisy.shape[0], patch**2
    source = _patches(noisy, patch)
    guide = source if pilot is None else _patches(pilot, patch)
    total = torch.zeros_like(source)
    weight = source.new_zeros(len(source), channels)
    for some in groups.split(_GROUPS):
        flat = some.flatten()
        stacks = [
            table.index_select(0, flat).view(*some.shape, channels, pixels).transpose(1, 2)
            for table in (source, guide)
        ]
        estimate, share = _estimate(*stacks, unbiased=pilot is None)
        estimate, share = estimate.transpose(1, 2), share.transpose(1, 2)
        total.index_add_(0, flat, estimate.reshape(len(flat), -1))
        weight.index_add_(0, flat, share.reshape(len(flat), -1))
    spread = weight[:, :, None].expand(-1, -1, pixels).reshape(total.shape)
    size = (noisy.shape[1], noisy.shape[2])
    return F.fold(total.t()[None], size, patch)[0], F.fold(spread.t()[None], size, patch)[0]


def _patches(image: torch.Tensor, patch: int) -> torch.Tensor:
    """Return all patches as rows, (positions, C * patch * patch)."""
    return F.unfold(image[None], patch)[0].t().contiguous()


def _estimate(
    noisy: torch.Tensor, pilot: torch.Tensor, *, unbiased: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Estimate groups (groups, C, similar, pixels): weighted estimates, and their weights.

    Ridge weights keep detail best, and the opponent channels have little: with a pilot these are
    also shrunk in the frequency domain, and each estimate counts by the noise it leaves.
    """
    noisy = noisy.contiguous()
    mixing = _mixing(pilot.flatten(0, 1), unbiased=unbiased)
    share = 1 / mixing.square().sum(-1, keepdim=True)
    estimate = (mixing @ noisy.flatten(0, 1)).mul_(share).view(noisy.shape)
    share = share.view(*noisy.shape[:3], 1)
    if not unbiased and noisy.shape[1] > 1:
        shrunk, weight = _shrink(noisy[:, 1:], pilot[:, 1:])
        estimate[:, 1:] += shrunk * weight
        share[:, 1:] += weight
    return estimate, share


def _shrink(noisy: torch.Tensor, pilot: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Wiener-filter groups in a 3-D cosine basis: the estimates, and the inverse of their noise.

    The second stage of K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, "Image denoising by sparse
    3-D transform-domain collaborative filtering", IEEE Transactions on Image Processing 16, 2007.
    """
    similar, pixels = noisy.shape[2:]
    across = _cosines(similar, noisy.device)
    line = _cosines(math.isqrt(pixels), noisy.device)
    within = torch.kron(line, line)
    gain = (across @ (pilot @ within.T)).square_()
    gain /= gain + 1
    gain[..., 0, 0] = 1  # the mean is kept, so that the result follows shifts of intensity
    estimate = across.T @ ((across @ (noisy @ within.T)).mul_(gain) @ within)
    return estimate, similar * pixels / gain.square().sum((2, 3), keepdim=True)


def _mixing(group: torch.Tensor, *, unbiased: bool) -> torch.Tensor:
    """Return the weights of least risk among those that add up to 1, noise variance 1.

    Parameters
    ----------
    group : float tensor (groups, similar, pixels)
        Patches as rows.
    unbiased : bool
        Whether the patches are noisy: their products then already hold the noise's energy, which
        otherwise is added.

    Returns
    -------
    float tensor (groups, similar, similar)
        Symmetric; each row gives one estimated patch.

    Notes
    -----
    With Q the patches' products plus the noise's energy n I, the weights are I - n Q^-1; that they
    add up to 1 takes a rank-one term more, and makes the result follow every shift of intensity.
    """
    pixels = group.shape[2]
    group = group - group.mean((1, 2), keepdim=True)
    products = group @ group.transpose(1, 2)
    energy = products.diagonal(dim1=1, dim2=2)
    energy += _JITTER * energy.mean(1, keepdim=True) + pixels * (_FLOOR if unbiased else 1)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky_ex(products).L)
    sums = inverse.sum(-1)
    total = sums.sum(-1)[:, None, None]
    mixing = (sums[:, :, None] * sums[:, None, :] / total - inverse).mul_(pixels)
    mixing.diagonal(dim1=1, dim2=2).add_(1)
    return mixing
