"""Isolated pixels that are far from all around them: hot and dead pixels, salt and pepper.

A point of light is spread over several pixels by any lens; what stands alone is not picture.
"""

import numpy as np
from scipy import ndimage

from zspot.core.plane import cast

_AROUND = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
_FAR = 8.0  # usual local deviations from its neighbours that an impulse is away at least
_TAIL = 5.0  # and of what nine pixels in ten are away, where noise itself has outliers
_COARSE_FAR = 40.0  # likewise where values are so coarse that the deviation is hardly known
_SPREAD = 0.35  # share of it that a neighbour of a part of a point of light has at least
_WIDE = 7  # side of the window whose median a point of light does not move, pixels
_PILE = 5e-4  # share of isolated pixels at an end of the range that tells salt and pepper
_FAR_AT_END = 3.0  # usual local deviations of salt and pepper
_LOCAL = 9  # side of the window of the local deviation, pixels
_SIDE = 5  # of the window whose other pixels replace an impulse
_MOST = 0.25  # share of the pixels of a channel; more are no outliers
_MAD = 1.4826  # deviation of a normal variable over its median absolute deviation


def without_impulses(channels: np.ndarray) -> tuple[np.ndarray, float, int]:
    """Return an image (C, H, W) without isolated outliers, their largest share and their number."""
    values = channels.astype(np.float64)
    found = [find_impulses(channel) for channel in values]
    share = max(float(bad.mean()) for bad in found)
    if not 0 < share < _MOST:
        return channels, 0.0, 0
    mended = np.stack([repaired(c, bad) for c, bad in zip(values, found, strict=True)])
    return cast(mended, channels.dtype), share, sum(int(bad.sum()) for bad in found)


def find_impulses(channel: np.ndarray) -> np.ndarray:
    """Mark the isolated outliers of a channel (H, W)."""
    off = channel - ndimage.median_filter(channel, footprint=_AROUND, mode="mirror")
    usual = _MAD * float(np.median(np.abs(off)))
    local = _MAD * ndimage.median_filter(np.abs(off), _LOCAL, mode="mirror")
    local = np.maximum(local, usual / 2)
    if not usual:
        return np.zeros(channel.shape, bool)
    ratio = np.abs(off) / local
    far = max(_FAR, _TAIL * float(np.quantile(ratio, 0.9)))
    if usual <= 2 * _quantum(channel):
        far = max(far, _COARSE_FAR)
    away = ratio > far
    if not away.any():
        return away
    alone = away & ~_shared(channel, off)
    return alone | _salt_and_pepper(channel, alone, ratio)


def _shared(channel: np.ndarray, off: np.ndarray) -> np.ndarray:
    """Mark pixels with a neighbour that lies off to the same side: parts of a point of light."""
    base = ndimage.median_filter(channel, _WIDE, mode="mirror")
    most, least = (
        f(channel - base, footprint=_AROUND, mode="mirror")
        for f in (ndimage.maximum_filter, ndimage.minimum_filter)
    )
    return np.where(off > 0, most, -least) > _SPREAD * np.abs(off)


def _salt_and_pepper(channel: np.ndarray, alone: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Mark every outlier of an end of the range at which isolated ones pile up."""
    found = np.zeros(channel.shape, bool)
    for end in (channel.min(), channel.max()):
        there = channel == end
        if (alone & there).mean() > _PILE:
            found |= there & (ratio > _FAR_AT_END)
    return found


def _quantum(channel: np.ndarray) -> float:
    """Return the usual step between values that follow each other."""
    values = np.unique(channel[:: max(1, channel.shape[0] // 128)])
    return float(np.median(np.diff(values))) if len(values) > 1 else 0.0


def repaired(channel: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Return a channel whose bad pixels have the median of the good ones around them."""
    out = channel.copy()
    half = _SIDE // 2
    padded = np.pad(np.where(bad, np.nan, channel), half, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (_SIDE, _SIDE))
    seen = windows[bad].reshape(-1, _SIDE**2)
    lonely = np.isnan(seen).all(1)
    seen[lonely] = np.median(channel[~bad])
    out[bad] = np.nanmedian(seen, axis=1)
    return out
