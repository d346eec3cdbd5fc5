"""Colour mosaics, and other patterns that repeat every few pixels.

In a mosaic the four 2 x 2 phases of a grey image are pixels of different colours.
"""

import math

import numpy as np

_SIDE = 24  # of the blocks whose spectra are looked at, pixels: a multiple of each period
_BLOCKS = 4096  # of them at most
_PERIODS = (2, 3, 4, 6, 8)  # pixels
_STANDS_OUT = 3.0  # usual strength of a pattern over its neighbours in frequency
# Share of blocks in which a mosaic does: of each of its three patterns, and in sum.
_EACH, _ALL = 0.03, 0.5
_MOST = 0.5  # share of blocks in which any other pattern does


def find_mosaic(channel: np.ndarray) -> bool:
    """Say whether an image (H, W) is a colour mosaic (Bayer pattern).

    In a picture and in noise no frequency stands out; the pattern of a mosaic is exactly two
    pixels long, in rows, columns and both.
    """
    return find_period(channel) == (2, 2)


def find_period(channel: np.ndarray) -> tuple[int, int] | None:
    """Return rows and columns after which a pattern repeats in an image (H, W), or None.

    1 where it does not change along that axis; 2 and 2 only for a mosaic.
    """
    half = _SIDE // 2
    share = _standing_out(channel)
    found = np.argwhere(share > _MOST)
    rows, columns = (_SIDE // math.gcd(_SIDE, *at) for at in found.T.tolist())
    if max(rows, columns) > 2:
        return rows, columns
    mosaic = share[[half, 0, half], [0, half, half]]
    if mosaic.min() > _EACH and mosaic.sum() > _ALL:
        return 2, 2
    return (rows, columns) if rows + columns == 3 else None


def _standing_out(channel: np.ndarray) -> np.ndarray:
    """Return, for each frequency of the periods, the share of blocks in which it stands out."""
    share = np.zeros((_SIDE, _SIDE))
    height, width = (size // _SIDE * _SIDE for size in channel.shape)
    if min(height, width) < 2 * _SIDE:
        return share
    blocks = channel[:height, :width].astype(np.float64)
    blocks = blocks.reshape(height // _SIDE, _SIDE, width // _SIDE, _SIDE).swapaxes(1, 2)
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
    return np.stack([even[i::2, j::2] for i in (0, 1) for j in (0, 1)])


def from_phases(phases: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Undo `to_phases`."""
    out = np.empty([2 * size for size in phases.shape[1:]], phases.dtype)
    for number, (i, j) in enumerate((i, j) for i in (0, 1) for j in (0, 1)):
        out[i::2, j::2] = phases[number]
    return out[: shape[0], : shape[1]]
