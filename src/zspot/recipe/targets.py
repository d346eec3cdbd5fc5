"""Targets: the images that a step starts from and what it learns to predict."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from zspot.specs import Halves, Recorrupted, Second, Shuffled, Target


def pair(
    spec: Target,
    y: torch.Tensor,
    guide: torch.Tensor | None,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (images to mask and feed to the network, images to predict), of one shape.

    Parameters
    ----------
    spec : one of zspot.specs.Target
    y : float tensor (N, C, H, W)
        Noisy crops.
    guide : float tensor (N, C or 1, H, W) or None
        What else the target needs of the same crops: the first estimate for `Recorrupted`, 1 in
        flat tiles for `Shuffled` (None before they are known), the second image for `Second`.
    generator : torch.Generator
    """
    if isinstance(spec, Recorrupted):
        assert guide is not None
        deviation = noise_deviation(spec, guide)
        w = torch.empty_like(y).normal_(generator=generator) * deviation
        return y + spec.tau * w, y - w / spec.tau
    if isinstance(spec, Shuffled) and guide is not None:
        return y, torch.where(guide > 0, shuffle_tiles(y, spec.tile, generator), y)
    if isinstance(spec, Halves):
        first, second = halves(y)
        return torch.cat([first, second]), torch.cat([second, first])
    if isinstance(spec, Second):
        assert guide is not None
        return torch.cat([y, guide]), torch.cat([guide, y])
    return y, y


def noise_deviation(spec: Recorrupted, signal: torch.Tensor) -> torch.Tensor:
    """Return the noise's standard deviation at a signal (N, C, H, W)."""

    def column(values: tuple[float, ...]) -> torch.Tensor:
        return torch.tensor(values, dtype=signal.dtype, device=signal.device)[:, None, None]

    variance = column(spec.variance) + column(spec.slope) * signal
    return torch.maximum(variance, column(spec.floor)).sqrt()


def halves(y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the means of the two diagonals of each 2x2 block: half-size images, rounded up."""
    y = F.pad(y, (0, y.shape[3] % 2, 0, y.shape[2] % 2), mode="replicate")
    falling = (y[..., ::2, ::2] + y[..., 1::2, 1::2]) / 2
    rising = (y[..., ::2, 1::2] + y[..., 1::2, ::2]) / 2
    return falling, rising


def shuffle_tiles(y: torch.Tensor, tile: int, generator: torch.Generator) -> torch.Tensor:
    """Permute the pixels within each tile x tile tile at random, all channels alike.

    What is left at the right and below, less than a tile, stays as it is.
    """
    n, c, h, w = y.shape
    rows, cols = h // tile, w // tile
    whole = y[..., : rows * tile, : cols * tile]
    tiles = whole.reshape(n, c, rows, tile, cols, tile).permute(0, 1, 2, 4, 3, 5).flatten(4)
    keys = torch.rand(n, 1, *tiles.shape[2:], generator=generator, device=y.device)
    tiles = tiles.gather(4, keys.argsort(4).expand_as(tiles))
    mixed = tiles.view(n, c, rows, cols, tile, tile).permute(0, 1, 2, 4, 3, 5)
    out = y.clone()
    out[..., : rows * tile, : cols * tile] = mixed.reshape(whole.shape)
    return out


def flat_tiles(spec: Shuffled, estimate: torch.Tensor) -> torch.Tensor:
    """Mark the tiles in which an estimate hardly varies.

    Parameters
    ----------
    spec : Shuffled
    estimate : float tensor (1, C, H, W)

    Returns
    -------
    float tensor (1, 1, H, W)
        1 in flat tiles, 0 elsewhere.
    """
    height, width = estimate.shape[2:]
    mean = F.avg_pool2d(estimate, 2, 1, ceil_mode=True)
    variance = (F.avg_pool2d(estimate.square(), 2, 1) - mean.square()).clamp(min=0)
    deviation = variance.mean(1, keepdim=True).sqrt()
    deviation = F.pad(deviation, (0, 1, 0, 1), mode="replicate")
    relative = deviation / deviation.max().clamp(min=torch.finfo(deviation.dtype).tiny)
    tile = spec.tile
    largest = F.max_pool2d(relative, tile, ceil_mode=True)
    flat = (largest < spec.threshold).to(estimate.dtype)
    return F.interpolate(flat, scale_factor=tile, mode="nearest")[..., :height, :width]
