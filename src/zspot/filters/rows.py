"""Row noise: an offset of its own in every row, as readout electronics leave it."""

import numpy as np
from scipy import ndimage

_PARTS = 8  # of each row, which must agree on its offset
_PROFILE = 31  # rows of the moving median that is picture, not offset
_MAD = 1.4826  # deviation of a normal variable over its median absolute deviation
_MEDIAN = 1.25  # deviation of a median over that of a mean
_AGREE = 3.0  # scale of what the parts have in common over that of what they have not


def row_offsets(channel: np.ndarray) -> np.ndarray | None:
    """Return the offset (H,) of each row of (H, W), or None where rows have none.

    The median difference of neighbouring rows is taken in parts of the row. Where rows are offset,
    nearly every difference is the same in all parts; edges of a picture cross few rows, or part of
    their length.
    """
    height, width = channel.shape
    if height < 2 * _PROFILE or width < 8 * _PARTS:
        return None
    steps = np.diff(channel, axis=0)
    parts = np.stack([np.median(p, axis=1) for p in np.array_split(steps, _PARTS, axis=1)])
    bends = np.diff(parts, axis=1)  # a slope of the picture bends little from row to row
    first, second = bends[::2].mean(0), bends[1::2].mean(0)
    noise = _MEDIAN * np.sqrt(2 / width) * _scale(steps)  # of a median, where values are coarse
    chance = max(_scale((first - second) / 2), noise)
    if not noise or _scale((first + second) / 2) <= _AGREE * chance:
        return None
    profile = np.concatenate([[0.0], np.median(steps, axis=1).cumsum()])
    offsets = profile - ndimage.median_filter(profile, _PROFILE, mode="mirror")
    return offsets - offsets.mean()


def _scale(values: np.ndarray) -> float:
    return _MAD * float(np.median(np.abs(values - np.median(values))))
