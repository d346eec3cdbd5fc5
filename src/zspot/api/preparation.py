"""What is done to an image before a method sees it, and undone afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from zspot.core.errors import ImageError, OptionError, plainly
from zspot.core.plane import cast, channels_first, check_image
from zspot.core.valid import Valid, find_valid
from zspot.filters.impulses import without_impulses
from zspot.filters.rows import offsets_along
from zspot.noise.mosaic import MOSAIC, find_period, from_phases, to_phases

_SAMPLE = 256  # pixels along a side that are looked at first, whether channels are one picture
_ALIKE = 0.9  # correlation of channels that are one picture
_ROUNDING = 1.01  # steps by which channels that are one picture differ at most, for rounding


@dataclass
class Preparation:
    """An image made ready, and the way back."""

    source: np.ndarray  # the image as it came
    channel_axis: int | None  # counted from the front
    image: np.ndarray  # (C, H, W), what a method gets; float64 where a step asked for fractions
    told: list[str] = field(default_factory=list)  # what was done, in words
    valid: np.ndarray | None = None  # (H, W), true where there is picture; None: everywhere
    _again: list[Callable[[np.ndarray], np.ndarray]] = field(default_factory=list)
    _undo: list[Callable[[np.ndarray, bool], np.ndarray]] = field(default_factory=list)

    def like(self, second: np.ndarray) -> np.ndarray:
        """Return another image of the same scene, made ready in the same way."""
        if second.shape != self.source.shape:
            said = f"the second image has shape {second.shape} and the first {self.source.shape}"
            raise ImageError(f"{said}: they must show the same scene pixel by pixel")
        check_image(second, self.channel_axis)
        channels = channels_first(second, self.channel_axis)
        for step in self._again:
            channels = step(channels)
        return channels

    def undone(self, channels: np.ndarray, *, deviation: bool = False) -> np.ndarray:
        """Return a result (C, H, W), or its deviations, in the layout of the image as it came."""
        for undo in reversed(self._undo):
            channels = undo(channels, deviation)
        axis = self.channel_axis
        channels = channels if deviation else channels.astype(self.source.dtype, copy=False)
        return channels[0] if axis is None else np.moveaxis(channels, 0, axis)

    def leave_out(self, valid: Valid) -> None:
        """Cut the image to its picture and mirror the picture into what is left out inside."""
        if valid.is_all:
            return
        self.valid, original = valid.mask, self.image
        self.image = valid.filled(original)
        self._again.append(valid.filled)
        self.told.append(f"left as it was: {', '.join(valid.told)}")
        if not valid.mask.any():
            return  # and nothing is put back, as nothing is done

        def undo(channels: np.ndarray, deviation: bool) -> np.ndarray:
            base = np.zeros_like(original, channels.dtype) if deviation else original
            return valid.put_back(channels.astype(base.dtype), base)

        self._undo.append(undo)

    def join_equal_channels(self) -> None:
        """Take channels that are one picture (grey as RGB, sepia) as the one that they are."""
        line = _line(self.image)
        if line is None:
            return
        factor, offset = line
        dtype, first = self.image.dtype, int(np.argmax(np.abs(factor)))
        same = bool((factor == 1).all() and (offset == 0).all())
        self.image = self.image[first : first + 1]
        self._again.append(lambda channels: channels[first : first + 1])
        what = "equal" if same else "one picture, tinted"
        self.told.append(f"its channels are {what}: denoised as one")

        def undo(channels: np.ndarray, deviation: bool) -> np.ndarray:
            if same:
                return np.repeat(channels, len(factor), axis=0)
            ratio = (factor / factor[first])[:, None, None]
            out = ratio * (channels - (0 if deviation else offset[first]))
            return np.abs(out) if deviation else cast(out + offset[:, None, None], dtype)

        self._undo.append(undo)

    def repair_impulses(self) -> None:
        """Give isolated outliers the median of their neighbours."""
        image, share, count = without_impulses(self.image)
        if not count:
            return
        self.image = image
        self._again.append(lambda channels: without_impulses(channels)[0])
        said = f"{share:.1%} of the pixels" if share >= 1e-3 else str(count)
        self.told.append(f"isolated outliers repaired: {said}")

    def split_mosaic(self) -> None:
        """Take a colour mosaic as the four colours that its phases are."""
        if len(self.image) != 1 or find_period(self.image[0]) != MOSAIC:
            return
        shape = self.image.shape[1:]
        self.image = to_phases(self.image[0])
        self._again.append(lambda channels: to_phases(channels[0]))
        self.told.append("a colour mosaic (period 2 x 2 pixels): denoised as its four phases")
        self._undo.append(lambda channels, _: from_phases(channels, shape)[None])

    def level_rows(self) -> None:
        """Take offsets away that differ from row to row, or from column to column."""
        for axis, name in ((0, "rows"), (1, "columns")):
            offsets = offsets_along(self.image, axis)
            if not offsets.any():
                continue
            dtype = self.image.dtype
            self.image = self.image.astype(np.float64) - offsets
            self._again.append(lambda channels, axis=axis: channels - offsets_along(channels, axis))
            self.told.append(f"offsets of {name} removed, of deviation {plainly(offsets.std(), 3)}")
            self._undo.append(lambda x, deviation, dtype=dtype: x if deviation else cast(x, dtype))


def prepare(
    image: np.ndarray,
    channel_axis: int | None,
    *,
    nodata: float | None = None,
    mask: np.ndarray | None = None,
    keep_outliers: bool = False,
    level_rows: bool = False,
) -> Preparation:
    """Make an image ready for a method; `level_rows` removes offsets of rows and columns."""
    axis = check_image(image, channel_axis)
    made = Preparation(image, axis, channels_first(image, axis))
    shape = made.image.shape[1:]
    if mask is not None and mask.shape != shape:
        raise OptionError(f"mask has shape {mask.shape}: it must be {shape}")
    made.leave_out(find_valid(made.image, nodata=nodata, mask=mask))
    made.join_equal_channels()
    if not keep_outliers:
        made.repair_impulses()
    made.split_mosaic()
    if level_rows:
        made.level_rows()
    return made


def _line(channels: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return factors and offsets by which channels are one picture; None where they are several."""
    if len(channels) == 1:
        return None
    if (channels == channels[:1]).all():
        return np.ones(len(channels)), np.zeros(len(channels))
    down, right = (-(-size // _SAMPLE) for size in channels.shape[1:])
    if max(down, right) > 1 and _fitted(channels[:, ::down, ::right], 2.0) is None:
        return None
    line = _fitted(channels, 1.0)
    return None if line is None or not line[0].any() else line


def _fitted(channels: np.ndarray, slack: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the line of a part, or of all; None where it is off by more than rounding allows."""
    values = channels.reshape(len(channels), -1).astype(np.float64)
    offset, spread = values.mean(1), values.std(1)
    first = int(np.argmax(spread))
    if not spread.any():
        return spread, offset  # a part that is constant says nothing
    base = (values[first] - offset[first]) / spread[first]
    factor = (values - offset[:, None]) @ base / base.size
    if (np.abs(factor) < _ALIKE * spread).any():
        return None  # within rounding of a line, but not along it: a dim picture of its own
    left = np.abs(values - offset[:, None] - factor[:, None] * base).max()
    allowed = _ROUNDING if channels.dtype.kind in "ui" else 1e-5 * float(spread.max())
    return (factor / factor[first], offset) if left <= slack * allowed else None
