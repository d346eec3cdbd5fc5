"""Isolated pixels far from all around them; no lens makes such points of light."""

import math

import numpy as np
from scipy import ndimage

from zspot.core.plane import cast
from zspot.filters.photons import photon_gain

_AROUND = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
_FAR = 8.0  # usual local deviations from its neighbours that an impulse is away at least
_TAIL = 5.0  # and of what nine pixels in ten are away, where noise itself has outliers
_COARSE_FAR = 40.0  # likewise where values are so coarse that the deviation is hardly known
_SPREAD = 0.35  # share of it that a neighbour of a part of a point of light has at least
_TOUCHED = 0.04  # and each of the four that touch it, where it lights all of them
_WIDE = 7  # side of the window whose median a point of light does not move, pixels
_PILE = 5e-4  # share of isolated pixels at an end of the range that tells salt and pepper
_FAR_AT_END = 3.0  # usual local deviations of salt and pepper
_PULSE = 12.0  # times the gain of single photons, which no pulse of one is as high as
_LOCAL = 9  # side of the window of the local deviation, pixels
# The usual deviation is sought at every fifth row and column, of large channels at so many places.
_EVERY, _PLACES = 5, 40_000
_BATCH = 1 << 15  # windows at a time, which bounds the memory
_SIDE = 5  # of the window whose other pixels replace an impulse
_MANY, _EAGER = 2e-3, 0.6  # share from which others are likely, sought this many times as far away
_MOST = 0.25  # share of the pixels of a channel; more are no outliers
_MAD = 1.4826  # deviation of a normal variable over its median absolute deviation


def without_impulses(channels: np.ndarray) -> tuple[np.ndarray, float, int]:
    """Return an image (C, H, W) without isolated outliers, their largest share and their number."""
    found = [_found(channel.astype(np.float64)) for channel in channels]
    share = max(float(bad.mean()) for bad in found)
    if not 0 < share < _MOST:
        return channels, 0.0, 0
    pairs = zip(channels, found, strict=True)
    mended = [cast(repaired(c.astype(np.float64), bad), c.dtype) for c, bad in pairs]
    return np.stack(mended), share, sum(int(bad.sum()) for bad in found)


def _found(channel: np.ndarray) -> np.ndarray:
    """Mark the isolated outliers of a channel; where there are many, others are likely."""
    bad = find_impulses(channel)
    many = _MANY < bad.mean() < _MOST
    return bad | find_impulses(repaired(channel, bad), _EAGER) if many else bad


def find_impulses(channel: np.ndarray, times: float = 1.0) -> np.ndarray:
    """Mark the isolated outliers of a channel (H, W), which are `times` as far as usual away."""
    off = channel - ndimage.median_filter(channel, footprint=_AROUND, mode="mirror")
    size = np.abs(off)
    usual = _MAD * float(np.median(size))
    grid = np.zeros(channel.shape, bool)
    if not usual:
        return grid

    def ratio(where: np.ndarray) -> np.ndarray:
        return size[where] / np.maximum(_MAD * _medians(size, where, _LOCAL), usual / 2)

    every = max(_EVERY, math.isqrt(channel.size // _PLACES))
    grid[::every, ::every] = True
    far = times * max(_FAR, _TAIL * float(np.quantile(ratio(grid), 0.9)))
    if usual <= 2 * _quantum(channel):
        far = max(far, _COARSE_FAR)
    away = size > far * usual / 2  # no other can be as far
    away[away] = ratio(away) > far
    if not away.any():
        return away
    pulse = _PULSE * photon_gain(channel)
    away &= size > pulse
    found = away & ~_shared(channel, off, away, 2 if times < 1 else 1)
    for end in (channel.min(), channel.max()):
        there = channel == end
        if (found & there).mean() > _PILE:  # salt or pepper: all outliers of that value
            there &= size > max(_FAR_AT_END * usual / 2, pulse)
            there[there] = ratio(there) > _FAR_AT_END
            found |= there
    return found


def _shared(channel: np.ndarray, off: np.ndarray, away: np.ndarray, least: int) -> np.ndarray:
    """Mark pixels `away` that share one light: with `least` neighbours, or among brighter ones."""
    near: np.ndarray = ndimage.binary_dilation(away, np.ones((3, 3)))  # type: ignore[assignment]
    above = np.zeros(channel.shape)
    above[near] = channel[near] - _medians(channel, near, _WIDE)
    padded = np.pad(above, 1, mode="reflect" if min(above.shape) > 1 else "edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))[away].reshape(-1, 9).T
    ordered = np.sort(np.delete(around, 4, axis=0), axis=0)
    sign, size, own = np.sign(off[away]), np.abs(off[away]), above[away]
    most = np.where(sign > 0, ordered[-least], -ordered[least - 1])
    # A sharp point of light in the middle of its pixel: all four that touch it share a little.
    four = around[1::2] * sign
    lit = (four.min(0) > _TOUCHED * size) & (four.sum(0) > _SPREAD * size)
    shared = away.copy()
    shared[away] = (most > _SPREAD / least * size) | (own * sign < size / 2) | lit
    return shared


def _medians(values: np.ndarray, where: np.ndarray, side: int) -> np.ndarray:
    """Return the medians of the windows of a side around some pixels."""
    padded = np.pad(values, side // 2, mode="reflect" if min(values.shape) > side // 2 else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    rows, columns = where.nonzero()
    batches = (slice(i, i + _BATCH) for i in range(0, len(rows), _BATCH))
    out = [np.median(windows[rows[some], columns[some]], axis=(1, 2)) for some in batches]
    return np.concatenate(out) if out else np.empty(0)


def _quantum(channel: np.ndarray) -> float:
    """Return the usual step between values that follow each other."""
    values = np.unique(channel[:: max(1, channel.shape[0] // 128)])
    return float(np.median(np.diff(values))) if len(values) > 1 else 0.0


def repaired(channel: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Return a channel whose bad pixels have the median of the good ones around them."""
    out = channel.copy()
    padded = np.pad(np.where(bad, np.nan, channel), _SIDE // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (_SIDE, _SIDE))
    seen = windows[bad].reshape(-1, _SIDE**2)
    seen[np.isnan(seen).all(1)] = np.median(channel[~bad])
    out[bad] = np.nanmedian(seen, axis=1)
    return out
