"""Row noise: an offset of its own in every row, as readout electronics leave it."""

import numpy as np
from scipy import ndimage

_PARTS = 8  # of each row, which must agree on its offset
_PROFILE = 31  # rows of the moving median that is picture, not offset
_MAD = 1.4826
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
    first, second = parts[::2].mean(0), parts[1::2].mean(0)
    common, chance = _scale((first + second) / 2), _scale((first - second) / 2)
    if common <= _AGREE * chance:
        return None
    profile = np.concatenate([[0.0], np.median(steps, axis=1).cumsum()])
    offsets = profile - ndimage.median_filter(profile, _PROFILE, mode="mirror")
    return offsets - offsets.mean()


def _scale(values: np.ndarray) -> float:
    return _MAD * float(np.median(np.abs(values - np.median(values))))
