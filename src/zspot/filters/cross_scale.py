"""The auxiliary image of cross-scale refilling: the image in patches of itself at half size."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from zspot.filters.patches import overlap_add, patch_rows, reflect_pad

_CANDIDATES = 1 << 14  # of the pooled image; a larger one is searched in longer steps
_QUERIES = 1 << 11  # at a time: bounds the table of distances to 128 MiB
_BAND = 1 << 16  # pixels of a band of rows that is cut into patches at a time


def cross_scale_image(y: Tensor, patch: int, stride: int) -> Tensor:
    """Replace every patch of an image by the most similar one of the 2x average-pooled image.

    Parameters
    ----------
    y : float tensor (1, C, H, W)
    patch, stride : int
        Side of the patches and step between those that are replaced, pixels.

    Returns
    -------
    float tensor (1, C, H, W)
        The mean of overlapping patches.

    References
    ----------
    .. [1] "Zero-Shot Blind-Spot Image Denoising via Cross-Scale Non-Local Pixel Refilling",
       NeurIPS 2025; its patches are of 8 x 8 pixels at a stride of 2.
    """
    height, width = y.shape[2:]
    pooled = F.avg_pool2d(y, 2, ceil_mode=True)[0]
    image = reflect_pad(y[0], patch, stride)
    candidates = _candidates(reflect_pad(pooled, patch, 1), patch)
    total, mass = torch.zeros_like(image), torch.zeros_like(image)
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
    queries = patch_rows(image, patch)
    places = _reference_places(image, patch, stride)
    total = torch.zeros_like(queries)
    for at in places.split(_QUERIES):
        # The nearest has the largest inner product less half its own energy.
        nearest = torch.addmm(-half_energy, queries[at], candidates.T).argmax(1)
        total[at] = candidates[nearest]
    weight = total.new_zeros(len(total), 1)
    weight[places] = 1
    return overlap_add(total, weight.expand(-1, len(image)), image.shape, patch)


def _candidates(image: Tensor, patch: int) -> Tensor:
    """Cut out at most `_CANDIDATES` patches, (candidates, C patch^2)."""
    rows = patch_rows(image, patch)
    step = math.ceil(math.sqrt(len(rows) / _CANDIDATES))
    tall, wide = (size - patch + 1 for size in image.shape[1:])
    return rows.view(tall, wide, -1)[::step, ::step].flatten(0, 1)


def _reference_places(image: Tensor, patch: int, stride: int) -> Tensor:
    """Return the numbers of the patches that are replaced, row by row."""
    tall, wide = (size - patch + 1 for size in image.shape[1:])
    rows = torch.arange(0, tall, stride, device=image.device)
    cols = torch.arange(0, wide, stride, device=image.device)
    return (rows[:, None] * wide + cols).flatten()
