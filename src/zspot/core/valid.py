"""Which pixels carry picture; the others are cut off or filled, and copied back bit for bit."""

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from scipy import ndimage

from zspot.core.errors import OptionError, shown

_WINDOW = 7  # pixels; in windows of this side noise does not repeat one value
_LEAST_WINDOWS = 48  # such windows in an area that is left out: a block of JPEG has four
_LEAST_SHARE = 2e-4  # of the image, likewise
_REPEATS = 0.9  # where this share of all neighbours is equal elsewhere, one value says nothing
_STRAIGHT = 0.9  # share of its bounding box that a bar, border or label fills
_SHARP = 3.0  # steps at the rim of padding, in usual differences between neighbours
_RANGE = 0.05  # and as a share of the picture's range
_FLATS = 4  # more values than this that fill areas: the picture itself is flat, as JPEG leaves it
_BAR = 0.02  # share of the image that one of them must fill to be a bar all the same
_REFLECTIONS = 16  # between two rims, before the nearest pixel is repeated


@dataclass(frozen=True)
class Valid:
    """The pixels that carry picture."""

    mask: np.ndarray  # (H, W), true where there is picture
    told: tuple[str, ...] = ()  # what was left out and where, in words

    @property
    def is_all(self) -> bool:
        """Whether every pixel carries picture."""
        return bool(self.mask.all())

    @property
    def box(self) -> tuple[slice, slice]:
        """The smallest rows and columns that hold all of the picture; there must be some."""
        rows, columns = (np.flatnonzero(self.mask.any(axis)) for axis in (1, 0))
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)

    def filled(self, channels: np.ndarray) -> np.ndarray:
        """Return the box of an image (C, H, W) with the picture mirrored into what was left out."""
        if not self.mask.any():
            return np.zeros((len(channels), 1, 1))
        cut, mask = channels[(slice(None), *self.box)], self.mask[self.box]
        if mask.all():
            return np.ascontiguousarray(cut)
        rows, columns = _mirrored(mask)
        return np.ascontiguousarray(cut[:, rows, columns])

    def put_back(self, box: np.ndarray, original: np.ndarray) -> np.ndarray:
        """Return `original` (C, H, W) with the picture's pixels taken from its `box`."""
        out = original.copy()
        out[(slice(None), *self.box)][:, self.mask[self.box]] = box[:, self.mask[self.box]]
        return out


def is_nodata(values: np.ndarray, nodata: float) -> np.ndarray:
    """Say which values are the one that marks pixels without picture, written in decimals."""
    if not isinstance(nodata, Real):
        raise OptionError(f"nodata={shown(nodata)}: give one number")
    known = np.float64(nodata).astype(values.dtype) if values.dtype.kind == "f" else nodata
    return np.asarray(values == known)


def find_valid(
    channels: np.ndarray, *, nodata: float | None = None, mask: np.ndarray | None = None
) -> Valid:
    """Find the pixels of (C, H, W) that carry picture: inside `mask`, `nodata` in no channel."""
    size = channels[0].size
    valid = np.ones(channels.shape[1:], bool)
    told = []

    def leave_out(bad: Any, what: str) -> None:
        new = int((bad & valid).sum())
        if new:
            told.append(f"{new / size:.{0 if new >= size / 100 else 2}%} {what}")
            valid[bad] = False

    if mask is not None:
        leave_out(~mask, "outside the mask or transparent")
    if nodata is not None:
        leave_out(np.any(is_nodata(channels, nodata), axis=0), f"nodata ({nodata:g})")
    if channels.dtype.kind == "f":
        leave_out(~np.isfinite(channels).all(axis=0), "NaN or infinite")
    for area, value in _constant_areas(channels, valid):
        leave_out(area, f"of the one value {value}")
    return Valid(valid, tuple(told))


def _constant_areas(channels: np.ndarray, valid: np.ndarray) -> list[tuple[np.ndarray, str]]:
    """Return areas that hold one value exactly, as bars, padding and labels do, and the value."""
    if min(channels.shape[1:]) < _WINDOW:
        return []
    if channels.dtype.itemsize == 2 and channels.dtype.kind == "f":  # which ndimage does not know
        channels = channels.astype(np.float32)
    flat = np.ones(valid.shape, bool)
    for channel in channels:
        low = ndimage.minimum_filter(channel, _WINDOW, mode="nearest")
        flat &= low == ndimage.maximum_filter(channel, _WINDOW, mode="nearest")
    flat &= valid
    if not flat.any() or _repeats(channels, ~flat & valid) > _REPEATS:
        return []
    # The windows themselves, not only their middles; the image's border counts as repeated.
    grown = ndimage.binary_dilation(flat, np.ones((_WINDOW, _WINDOW))) & valid
    step = _least_step(channels, valid & ~grown)
    if not (valid & ~grown).any():
        return []  # all of the picture has one value
    labels = np.empty(grown.shape, np.int32)
    ndimage.label(grown, output=labels)
    least = max(_LEAST_WINDOWS, _LEAST_SHARE * valid.size)
    areas: dict[tuple, np.ndarray] = {}
    values = set()
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        part = labels[box] == number
        row, column = np.argwhere(part)[0] + [box[0].start, box[1].start]
        value = tuple(channels[:, row, column].tolist())
        same = (channels[(slice(None), *box)] == np.array(value)[:, None, None]).all(0) & part
        values.add(value)
        if (flat[box] & same).sum() >= least and _is_no_picture(channels, grown, box, same, step):
            areas.setdefault(value, np.zeros(valid.shape, bool))[box] |= same
    if len(values) > _FLATS:
        areas = {value: area for value, area in areas.items() if area.mean() > _BAR}
    return [(area, _in_words(value)) for value, area in areas.items()]


def _in_words(value: tuple) -> str:
    return f"{value[0]:g}" if len(set(value)) == 1 else f"({', '.join(f'{v:g}' for v in value)})"


def _repeats(channels: np.ndarray, where: np.ndarray) -> float:
    """Return how often a pixel equals its right neighbour."""
    pairs = where[:, 1:] & where[:, :-1]
    if not pairs.any():
        return 0.0
    return float((channels[:, :, 1:] == channels[:, :, :-1]).all(0)[pairs].mean())


def _least_step(channels: np.ndarray, where: np.ndarray) -> float:
    """Return how large the step at the rim of padding is at least, in the image's units."""
    pairs = where[:, 1:] & where[:, :-1]
    if not pairs.any():
        return 0.0
    values = channels[:, :, 1:][:, pairs].astype(np.float64)
    steps = np.abs(values - channels[:, :, :-1][:, pairs])
    low, high = np.percentile(values, (1, 99))
    return max(_SHARP * float(np.median(steps.max(0))), _RANGE * (high - low))


def _is_no_picture(
    channels: np.ndarray, grown: np.ndarray, box: tuple[slice, slice], part: np.ndarray, step: float
) -> bool:
    """Say whether an area is straight or ends in a step, as no saturated or dark one does."""
    if part.sum() >= _STRAIGHT * part.size:
        return True
    around = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
    inside = np.zeros_like(grown[around])
    top, left = (s.start - a.start for s, a in zip(box, around, strict=True))
    inside[top : top + part.shape[0], left : left + part.shape[1]] = part
    rim = ndimage.binary_dilation(inside, np.ones((3, 3))) & ~grown[around]
    if not rim.any():
        return True  # the whole image, but for what was left out already
    seen = channels[(slice(None), *around)].astype(np.float64)
    value = seen[:, inside][:, :1]
    return float(np.median(np.abs(seen[:, rim] - value).max(0))) > step


def _mirrored(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each pixel takes its value from, reflected at the rim until there is picture."""
    nearest = ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True)
    assert isinstance(nearest, np.ndarray)
    at = np.indices(mask.shape)
    limits = np.array(mask.shape)[:, None, None] - 1
    for _ in range(_REFLECTIONS):
        bad = ~mask[tuple(at)]
        if not bad.any():
            break
        rim = nearest[:, *at]
        across = np.abs(2 * rim - at)  # folded at the image's border
        across = np.where(across > limits, 2 * limits - across, across)
        at = np.where(bad, np.clip(across, 0, limits), at)
    at = np.where(mask[tuple(at)], at, nearest[:, *at])
    return at[0], at[1]
