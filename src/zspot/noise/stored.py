"""What is read off an image's stored values before its noise is measured: ends, steps, a sample."""

from dataclasses import dataclass

import numpy as np

from zspot.core.plane import Plane
from zspot.filters.photons import photon_gain
from zspot.noise.blocks import MAX_BLOCKS, SIDE

_PILE = 2e-3  # share of the pixels that a clipping level holds at least
_LARGE = 4_000_000  # pixels, above which a sample is analysed
_VALUES = 65_536  # pixels in which the step between values is sought
_WINDOW = 1024  # rows and columns in which JPEG's grid is sought


@dataclass(frozen=True)
class Stored:
    """An image's values, each channel standardised, and what is known of how they are stored."""

    values: np.ndarray  # float32 (C, H, W), mean 0 and deviation 1; 0 in a constant channel
    clipped: np.ndarray  # bool (C, H, W)
    offset: np.ndarray  # (C,), units
    scale: np.ndarray  # (C,), from `values` to units; 0 for a constant channel
    ends: np.ndarray  # (2, C), smallest and largest of all values, standardised
    lowest: np.ndarray  # (C,), smallest value in units
    piled: np.ndarray  # (2, C), share of pixels clipped at the ends
    quantum: np.ndarray  # (C,), step between values in units
    photon: np.ndarray  # (C,), gain of single photons, standardised; 0 where none are seen
    blockiness: float
    step: int  # between the blocks to cut, 0 if free

    @classmethod
    def of(cls, stored: np.ndarray, unrepaired: np.ndarray) -> "Stored":
        """Read (C, H, W), repaired of outliers that count as clipped all the same."""
        some, step = _sample(stored)
        plane = Plane.of(some)
        deviation = np.where(plane.varying, plane.values.std(axis=(1, 2), dtype=np.float64), 0.0)
        unit = np.where(deviation > 0, deviation, 1.0)
        scale = deviation * plane.scale
        ends = np.stack([stored.min(axis=(1, 2)), stored.max(axis=(1, 2))])
        clipped, shares = np.zeros(some.shape, bool), []
        piled = np.array([_piles(channel) for channel in stored]).T
        photons = np.array([photon_gain(channel) for channel in stored])
        photons *= (photons > 0)[deviation > 0].all()  # seen in all channels, or counted in none
        piled[0] &= photons == 0
        for piles, end in zip(piled, ends, strict=True):
            clipped |= piles[:, None, None] & (some == end[:, None, None])
            shares.append((unrepaired == end[:, None, None]).mean((1, 2)) * piles)
        ends, safe = ends.astype(np.float64), np.where(scale > 0, scale, 1.0)
        with np.errstate(all="ignore"):
            standard = np.where(scale > 0, ends / safe - plane.offset / safe, 0.0)
        return cls(
            values=plane.values / unit[:, None, None].astype(np.float32),
            quantum=np.array([_quantum(channel) for channel in stored]),
            blockiness=_blockiness(stored if step else plane.values),
            clipped=clipped, offset=plane.offset, scale=scale, ends=standard, lowest=ends[0],
            piled=np.stack(shares), photon=photons / safe, step=step,
        )  # fmt: skip


def _sample(channels: np.ndarray) -> tuple[np.ndarray, int]:
    """Return what is analysed, all or a mosaic of 8x8 blocks; the blocks' step is 0 if free."""
    if channels[0].size <= _LARGE or min(channels.shape[1:]) < SIDE:
        return channels, 0
    # An odd distance between the blocks meets all phases of a colour mosaic.
    step = int(np.sqrt(channels[0].size / MAX_BLOCKS)) // 2 * 2 + 1
    windows = np.lib.stride_tricks.sliding_window_view(channels, (SIDE, SIDE), axis=(1, 2))
    windows = windows[:, ::step, ::step].swapaxes(2, 3)
    count, rows, _, columns, _ = windows.shape
    return windows.reshape(count, rows * SIDE, columns * SIDE), SIDE


def _piles(channel: np.ndarray) -> list[bool]:
    """Say whether pixels pile up at the smallest and at the largest value."""
    piled = []
    for end, nearest in ((channel.min(), np.min), (channel.max(), np.max)):
        at_end = channel == end
        count = np.count_nonzero(at_end)
        many = _PILE * channel.size < count < channel.size
        piled.append(many and count > 1.5 * np.sum(channel == nearest(channel[~at_end])))
    return piled


def _quantum(channel: np.ndarray) -> float:
    """Return the step between stored values, in units; 0 where none is seen."""
    flat = channel.ravel()[:: max(1, channel.size // _VALUES)]
    values = np.unique(flat)
    if len(values) < 3 or len(values) > len(flat) / 2:
        return 0.0
    if values.dtype.kind in "iu":
        native = values.astype(values.dtype.newbyteorder("="))
        gaps = np.diff(native).view(f"u{native.dtype.itemsize}")  # of int8, gaps reach 255
        return float(np.gcd.reduce(gaps))
    with np.errstate(all="ignore"):
        gaps = np.diff(values.astype(np.float64))
        steps = gaps / gaps.min()
        even = np.abs(steps - np.rint(steps)).max() < 0.05
    return float(np.median(gaps / np.rint(steps))) if even and steps.max() < 1e4 else 0.0


def _blockiness(values: np.ndarray) -> float:
    """Return how much JPEG's 8x8 grid stands out of `values` (C, H, W): 1 not at all, or NaN."""
    grey = values[:, :_WINDOW, :_WINDOW].mean(axis=0, dtype=np.float64)
    return float("nan") if min(grey.shape) < 64 else (_grid(grey) + _grid(grey.T)) / 2


def _grid(grey: np.ndarray) -> float:
    """Return the kink at the most marked of eight columns over that of every second other one."""
    step = np.diff(grey, axis=1)
    kink = np.abs(step[:, 1:-1] - (step[:, :-2] + step[:, 2:]) / 2).mean(axis=0)
    if not kink.any():
        return 1.0
    phases = kink[: len(kink) // 8 * 8].reshape(-1, 8).mean(axis=0)
    rest = np.array([np.roll(phases, -p)[2::2].mean() for p in range(8)])
    return float((phases / np.maximum(rest, 1e-12 + 1e-6 * phases.max())).max())
