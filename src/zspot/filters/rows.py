"""Row noise: an offset of its own in every row, as readout electronics leave it."""

import numpy as np
from scipy.linalg import solveh_banded

from zspot.core.plane import unit_of

_LEAST = 64  # pixels of height and width; with fewer the offsets are not sought
_PARTS, _FINE = 8, 16  # of each row: those that must agree on its offset, those that tell it
_MAD = 1.4826  # deviation of a normal variable over its median absolute deviation
_MEDIAN = 1.25  # deviation of a median over that of a mean
_AGREE = 3.0  # scale of what the parts have in common over that of what they have not


def offsets_along(channels: np.ndarray, axis: int) -> np.ndarray:
    """Return the offsets of rows (axis 0) or columns (1) of (C, H, W), to be subtracted; else 0."""
    values = channels.astype(np.float64)
    unit = unit_of(values)
    found = [row_offsets(channel.swapaxes(0, axis) / unit) for channel in values]
    return unit * np.expand_dims(np.stack(found), 2 - axis)


def row_offsets(channel: np.ndarray) -> np.ndarray:
    """Return the offset (H,) of each row of (H, W); 0 where parts of rows do not agree on any."""
    # They are the likeliest for the median differences of neighbouring rows, by how parts agree.
    height, width = channel.shape
    if height < _LEAST or width < _LEAST:
        return np.zeros(height)
    steps = np.diff(channel, axis=0)
    bends = np.diff(_medians(steps, _PARTS), axis=1)  # a slope bends little from row to row
    first, second = bends[::2].mean(0), bends[1::2].mean(0)
    noise = _MEDIAN * np.sqrt(2 / width) * _scale(steps)  # of a median, where values are coarse
    chance, common = max(_scale((first - second) / 2), noise), _scale((first + second) / 2)
    if not noise or common <= _AGREE * chance:
        return np.zeros(height)
    variance = (common**2 - chance**2) / 6  # of offsets: a bend is r - 2 r' + r''
    parts = _medians(steps, _FINE)
    step = np.median(parts, axis=0)
    doubt = _MEDIAN * _MAD * np.median(np.abs(parts - step), axis=0) / np.sqrt(_FINE)
    weight = 1 / np.maximum(doubt, noise / 2) ** 2
    matrix = np.zeros((2, height))
    matrix[1] = 1 / variance + np.append(weight, 0) + np.append(0, weight)
    matrix[0, 1:] = -weight
    offsets = solveh_banded(matrix, np.append(0, weight * step) - np.append(weight * step, 0))
    return offsets - offsets.mean()


def _medians(steps: np.ndarray, parts: int) -> np.ndarray:
    """Return the medians (parts, rows) of the parts of each row."""
    return np.stack([np.median(part, axis=1) for part in np.array_split(steps, parts, axis=1)])


def _scale(values: np.ndarray) -> float:
    return _MAD * float(np.median(np.abs(values - np.median(values))))
