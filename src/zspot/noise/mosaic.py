"""Colour mosaics, whose four 2 x 2 phases are pixels of different colours, and other patterns."""

import math

import numpy as np

from zspot.core.plane import unit_of

MOSAIC = (2, 2)
_SIDE = 24  # of the blocks whose spectra are looked at, pixels: a multiple of each period
_BLOCKS = 4096  # of them at most
_PERIODS = (2, 3, 4, 6, 8)  # pixels
_STANDS_OUT = 3.0  # usual strength of a pattern over its neighbours in frequency
# Share of blocks in which a mosaic does: of each of its three patterns, and in sum.
_EACH, _ALL = 0.03, 0.5
_MOST = 0.5  # share of blocks in which any other pattern does


def find_period(channel: np.ndarray) -> tuple[int, int] | None:
    """Return rows and columns (1: any) after which a pattern repeats in an image, or None."""
    # `MOSAIC` (Bayer pattern) is two pixels long in rows, columns and both; no other stands out.
    half = _SIDE // 2
    share = _standing_out(channel)
    found = np.argwhere(share > _MOST)
    rows, columns = (_SIDE // math.gcd(_SIDE, *at) for at in found.T.tolist())
    if max(rows, columns) > 2:
        return rows, columns
    mosaic = share[[half, 0, half], [0, half, half]]
    if mosaic.min() > _EACH and mosaic.sum() > _ALL:
        return MOSAIC
    return (rows, columns) if rows + columns == 3 else None


def _standing_out(channel: np.ndarray) -> np.ndarray:
    """Return, for each frequency of the periods, the share of blocks in which it stands out."""
    share = np.zeros((_SIDE, _SIDE))
    height, width = (size // _SIDE * _SIDE for size in channel.shape)
    if min(height, width) < 2 * _SIDE:
        return share
    values = channel[:height, :width].astype(np.float64)
    blocks = (values / unit_of(values)).reshape(-1, _SIDE, width // _SIDE, _SIDE).swapaxes(1, 2)
    blocks = blocks.reshape(-1, _SIDE, _SIDE)
    blocks = blocks[:: 1 + len(blocks) // _BLOCKS]
    window = np.hanning(_SIDE + 2)[1:-1]
    seen = (blocks - blocks.mean((1, 2), keepdims=True)) * window[:, None] * window
    power = np.abs(np.fft.fft2(seen)) ** 2
    lines = sorted({_SIDE * k // p for p in _PERIODS for k in range(p)})
    for row in lines:
        for column in lines:
            around = [(row + i, column + j) for i in (-2, 0, 2) for j in (-2, 0, 2) if i or j]
            near = np.max([power[:, r % _SIDE, c % _SIDE] for r, c in around], axis=0)
            share[row, column] = (power[:, row, column] > _STANDS_OUT**2 * near).mean()
    share[0, 0] = 0  # no pattern
    return share


def to_phases(channel: np.ndarray) -> np.ndarray:
    """Return the four 2 x 2 phases of (H, W) as (4, H/2, W/2), rounded up; borders are repeated."""
    even = np.pad(channel, [(0, size % 2) for size in channel.shape], mode="edge")
    rows, columns = (size // 2 for size in even.shape)
    return even.reshape(rows, 2, columns, 2).transpose(1, 3, 0, 2).reshape(4, rows, columns)


def from_phases(phases: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Undo `to_phases`."""
    _, rows, columns = phases.shape
    out = phases.reshape(2, 2, rows, columns).transpose(2, 0, 3, 1)
    return out.reshape(2 * rows, 2 * columns)[: shape[0], : shape[1]]
