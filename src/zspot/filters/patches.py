"""Patches: padding, cutting out, putting back, the most similar ones of a smaller image."""

import math
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from zspot.filters.search import WHOLE, Box

# Of the search across scales:
_CANDIDATES = 1 << 14  # of the pooled image; a larger one is searched in longer steps
_QUERIES = 1 << 11  # at a time: bounds the table of distances to 128 MiB
_BAND = 1 << 16  # pixels of a band of rows that is cut into patches at a time


def padded(size: int, patch: int, stride: int) -> int:
    """Return the length from which patches cover an axis of this size."""
    return patch + -(-max(0, size - patch) // stride) * stride


def reflect_pad(image: Tensor, patch: int, stride: int, part: Box = WHOLE) -> Tensor:
    """Extend (C, H, W) down and right by reflection until patches cover it; return a part."""
    pairs = zip(image.shape[1:], part, strict=True)
    longer = [(n, torch.arange(padded(n, patch, stride))[at]) for n, at in pairs]
    rows, cols = (reflect_index(at, n).to(image.device) for n, at in longer)
    return image[:, rows][:, :, cols]


def reflect_index(index: Tensor, size: int) -> Tensor:
    """Bring whole numbers into 0..size-1 by reflection at both ends, as often as it takes."""
    index = index.abs() % max(1, 2 * size - 2)
    return torch.where(index < size, index, 2 * size - 2 - index)


def patch_rows(image: Tensor, patch: int, stride: int = 1) -> Tensor:
    """Cut (C, H, W) into overlapping patches, (positions, C*patch^2), channel slowest."""
    cut = image.unfold(1, patch, stride).unfold(2, patch, stride).permute(1, 2, 0, 3, 4)
    return cut.reshape(-1, len(image) * patch**2)


def overlap_add(
    total: Tensor, weight: Tensor, shape: torch.Size, patch: int, stride: int = 1
) -> tuple[Tensor, Tensor]:
    """Add weighted patches up to `shape` (C, H, W), and their weights up to (G, H, W)."""
    channels, height, width = shape
    tall, wide = ((size - patch) // stride + 1 for size in (height, width))
    # Copied with the positions last, which are then read in order: twice as fast.
    parts = total.T.contiguous().view(channels, patch, patch, tall, wide)
    weight = weight.T.reshape(-1, tall, wide)
    image, weights = total.new_zeros(shape), total.new_zeros(len(weight), height, width)
    for i, j in product(range(patch), range(patch)):
        rows, cols = ((at, at + (n - 1) * stride + 1) for at, n in ((i, tall), (j, wide)))
        at = (slice(None), slice(*rows, stride), slice(*cols, stride))
        image[at] += parts[:, i, j]
        weights[at] += weight
    return image, weights


def cross_scale_image(y: Tensor, patch: int, stride: int) -> Tensor:
    """Replace each patch of (1, C, H, W) by the most similar one of the 2x average-pooled image."""
    # After "Zero-Shot Blind-Spot Image Denoising via Cross-Scale Non-Local Pixel Refilling" (2025).
    height, width = y.shape[2:]
    image = reflect_pad(y[0], patch, stride)
    pooled = reflect_pad(F.avg_pool2d(y, 2, ceil_mode=True)[0], patch, 1)
    places = math.prod(size - patch + 1 for size in pooled.shape[1:])
    candidates = patch_rows(pooled, patch, math.ceil(math.sqrt(places / _CANDIDATES)))
    half_energy = candidates.square().sum(1) / 2
    total, mass = torch.zeros_like(image), torch.zeros_like(image[:1])
    rows = max(1, _BAND // image.shape[2] // stride) * stride  # whole steps: bands change nothing
    for top in range(0, image.shape[1] - patch + 1, rows):
        band = slice(top, top + rows + patch - 1)
        parts = patch_rows(image[:, band], patch, stride).split(_QUERIES)
        # The nearest has the largest inner product less half its own energy.
        nearest = [torch.addmm(-half_energy, part, candidates.T).argmax(1) for part in parts]
        found = candidates[torch.cat(nearest)]
        once = found.new_ones(len(found), 1)
        added, weight = overlap_add(found, once, image[:, band].shape, patch, stride)
        total[:, band] += added
        mass[:, band] += weight
    return (total / mass)[None, :, :height, :width]
