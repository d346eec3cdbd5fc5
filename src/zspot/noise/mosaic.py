"""Colour mosaics: grey images whose four 2 x 2 phases are pixels of different colours."""

import numpy as np

_SIDE = 16  # of the blocks in which phases are compared, pixels
_STANDS_OUT = 3.0  # usual strength of a pattern of two pixels over its neighbours in frequency
_EACH, _ALL = (
    0.15,
    1.0,
)  # share of blocks in which it does: of each of the three patterns, and in sum


def find_mosaic(channel: np.ndarray) -> bool:
    """Say whether an image (H, W) is a colour mosaic (Bayer pattern).

    In a picture and in noise no frequency stands out; the pattern of a mosaic is exactly two
    pixels long, in rows, columns or both.
    """
    height, width = (size // _SIDE * _SIDE for size in channel.shape)
    if min(height, width) < 2 * _SIDE:
        return False
    blocks = channel[:height, :width].astype(np.float64)
    blocks = blocks.reshape(height // _SIDE, _SIDE, width // _SIDE, _SIDE).swapaxes(1, 2)
    blocks = blocks.reshape(-1, _SIDE, _SIDE)
    window = np.hanning(_SIDE + 2)[1:-1]
    seen = (blocks - blocks.mean((1, 2), keepdims=True)) * window[:, None] * window
    power = np.abs(np.fft.fft2(seen)) ** 2
    half = _SIDE // 2
    share = []
    for row, column in ((0, half), (half, 0), (half, half)):
        around = [(row + i, column + j) for i in (-3, 0, 3) for j in (-3, 0, 3) if i or j]
        near = np.stack([power[:, r % _SIDE, c % _SIDE] for r, c in around])
        share.append(float((power[:, row, column] > _STANDS_OUT**2 * near.max(0)).mean()))
    return min(share) > _EACH and sum(share) > _ALL


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
