"""Moments in the windows of an image, and the risk when visible pixels are drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zspot.theory import Moments


@dataclass(frozen=True)
class MaskRisk:
    """Risk of a denoiser whose visible pixels change from pass to pass; squared intensities."""

    one_pass: float  # mean over masks of the risk of a single prediction
    averaged: float  # risk of the mean of the predictions of all masks, never above that
    visible: float  # mean number of visible pixels


def measured(
    clean: np.ndarray, noise: np.ndarray, radius: int, channel: int = 0
) -> tuple[Moments, np.ndarray]:
    """Measure the moments of clean values and noise (C, H, W) in windows of 2 radius + 1 pixels.

    Of the window's centre in `channel` and all other pixels of all channels; also return channel,
    row and column of each of these, rows and columns from the centre.
    """
    side = 2 * radius + 1
    grid = np.indices((clean.shape[0], side, side)).reshape(3, -1).T - (0, radius, radius)
    centre = int(np.flatnonzero((grid == (channel, 0, 0)).all(axis=1))[0])
    order = np.r_[centre, np.delete(np.arange(len(grid)), centre)]
    both = (_products(image, side)[np.ix_(order, order)] for image in (clean, noise))
    return Moments(*both), grid[order[1:]]


def _products(image: np.ndarray, side: int) -> np.ndarray:
    """Mean over all windows of the outer product of each with itself."""
    image = image.astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(image, (side, side), axis=(1, 2))
    rows = windows.transpose(1, 2, 0, 3, 4).reshape(-1, image.shape[0] * side * side)
    return rows.T @ rows / len(rows)


def only(moments: Moments, visible: np.ndarray) -> Moments:
    """Return the moments with fewer visible pixels, given as a bool ndarray (M,)."""
    keep = np.r_[True, np.asarray(visible, dtype=bool)]
    return Moments(moments.values[np.ix_(keep, keep)], moments.noise[np.ix_(keep, keep)])


def over_masks(moments: Moments, masks: np.ndarray) -> MaskRisk:
    """Return the risk when each of K predictions sees other pixels: bool (K, M).

    For each mask the weights are the best ones for the pixels that it shows. The mean of the
    predictions is again linear, with the mean of those weights, hidden pixels counting as 0.
    """
    weights, risks = np.zeros(masks.shape), np.zeros(len(masks))
    for k, mask in enumerate(masks):
        solution = only(moments, mask).solve()
        weights[k, mask], risks[k] = solution.weights, solution.risk
    averaged = moments.risk(weights.mean(axis=0))
    return MaskRisk(float(risks.mean()), averaged, float(masks.sum(axis=1).mean()))
