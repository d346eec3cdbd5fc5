"""Photons counted one by one: their noise is known, but dark pixels look like clipped ones."""

from dataclasses import replace

import numpy as np

from zspot.noise.blocks import MAX_LAG, SIDE, Spectra
from zspot.noise.model import Estimate

_ROUNDING, _REPAIRED = 0.05, 2e-3  # of the step between values; share of pixels beside it
# Share of pixels with photons, and photons of a usual pixel: above, it is measured as any noise.
_LIT, _MANY = 0.97, 30.0
_FEW = 2.0  # photons in a pixel up to which what a scene shows hardly counts beside their noise
_ENOUGH = 30  # photons in such blocks, to know
_LEAST, _MOST, _BRIGHT = 0.85, 1.1, 0.55  # noise of blocks to that of counts; where it is bright
_CHANCE = 0.7  # in that, of one block
_CLASSES, _CALM = 4, 0.33  # of brightness; quantile of them that is hardly of the scene
_DOUBT = 0.03  # of what is known, relative: counters have dead times


def photon(channel: np.ndarray) -> float:
    """Return what one photon adds to a channel (H, W) of few photons; 0 if it is of no counts."""
    lit = channel > channel.min()
    if not 0 < lit.mean() <= _LIT:
        return 0.0
    counts = channel.astype(np.float64) - channel.min()
    unit = counts[lit].min()
    counts /= unit
    broken = np.abs(counts - np.rint(counts)) > _ROUNDING  # few: outliers that were repaired
    if counts.mean() > _MANY or broken.mean() > _REPAIRED:
        return 0.0
    height, width = (size // SIDE for size in counts.shape)
    blocks = counts[: height * SIDE, : width * SIDE].reshape(height, SIDE, width, SIDE)
    mean = blocks.mean((1, 3)).ravel()
    dark = (mean > 0) & (mean <= _FEW)
    if mean[dark].sum() * SIDE**2 < _ENOUGH:
        return 0.0
    # Slopes of the scene drop out of mixed differences; the variance of counts is their mean.
    noise = np.square(np.diff(np.diff(blocks, axis=1), axis=3)).sum((1, 3)).ravel()
    expected, chance = 4 * (SIDE - 1) ** 2 * mean, _CHANCE * (_CLASSES / dark.sum()) ** 0.5
    ratios = [noise[one].sum() / expected[one].sum() for one in _classes(mean, dark)]
    of_counts = min(ratios) > _LEAST - chance and np.quantile(ratios, _CALM) < _MOST + chance
    bright = [np.median(noise[one] / expected[one]) for one in _classes(mean, mean > _FEW)]
    return float(unit) if of_counts and min(bright, default=1) > _BRIGHT else 0.0


def _classes(mean: np.ndarray, which: np.ndarray) -> list[np.ndarray]:
    """Return the numbers of blocks, those of similar brightness together."""
    order = np.flatnonzero(which)
    return [o for o in np.array_split(order[np.argsort(mean[order])], _CLASSES) if len(o)]


def noise_of_counts(
    spectra: Spectra, black: np.ndarray, unit: np.ndarray
) -> tuple[Estimate, Estimate]:
    """Return the noise of photons that each add `unit` (C,) to `black`, and its uncertainty.

    Standardised: a channel's mean is 0, so -black is what the photons of a usual pixel add.
    """
    level, zero = np.sqrt(unit * -black), np.zeros(len(unit))
    variance = unit[:, None] * np.maximum(spectra.intensity - black, 0).T
    delta, alone = np.pad([[1.0]], MAX_LAG), np.eye(len(unit))
    best = Estimate(level, unit, zero, zero, variance, delta, np.asarray(0.0), alone)
    doubt = {name: _DOUBT * getattr(best, name) for name in ("level", "gain", "variance")}
    doubt |= {"autocorrelation": _DOUBT * (1 - delta), "channel_correlation": _DOUBT * (1 - alone)}
    return best, replace(best, read_noise=_DOUBT * level, **doubt)
