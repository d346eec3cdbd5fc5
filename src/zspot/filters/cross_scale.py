"""The auxiliary image of cross-scale refilling: the image in patches of itself at half size."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from zspot.filters.patches import overlap_add, patch_rows, reflect_pad

_CANDIDATES = 1 << 14  # of the pooled image; a larger one is searched in longer steps
_QUERIES = 1 << 11  # at a time: bounds the table of distances to 128 MiB
_BAND = 1 << 16  # pixels of a band of rows that is cut into patches at a time


def cross_scale_image(y: Tensor, patch: int, stride: int) -> Tensor:
    """Replace every patch of (1, C, H, W) by the most similar one of the 2x average-pooled image.

    Patches of a side and a step between them in pixels; where they overlap, their mean.

    References
    ----------
    .. [1] "Zero-Shot Blind-Spot Image Denoising via Cross-Scale Non-Local Pixel Refilling",
       NeurIPS 2025; its patches are of 8 x 8 pixels at a stride of 2.
    """
    height, width = y.shape[2:]
    image = reflect_pad(y[0], patch, stride)
    candidates = _candidates(F.avg_pool2d(y, 2, ceil_mode=True)[0], patch)
    total, mass = torch.zeros_like(image), torch.zeros_like(image[:1])
    rows = max(1, _BAND // image.shape[2] // stride) * stride  # whole steps: bands change nothing
    for top in range(0, image.shape[1] - patch + 1, rows):
        band = slice(top, top + rows + patch - 1)
        added, weight = _replaced(image[:, band], candidates, patch, stride)
        total[:, band] += added
        mass[:, band] += weight
    return (total / mass)[None, :, :height, :width]


def _candidates(pooled: Tensor, patch: int) -> Tensor:
    """Cut out about `_CANDIDATES` patches, (candidates, C patch^2)."""
    image = reflect_pad(pooled, patch, 1)
    places = math.prod(size - patch + 1 for size in image.shape[1:])
    return patch_rows(image, patch, math.ceil(math.sqrt(places / _CANDIDATES)))


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
