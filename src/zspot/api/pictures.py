"""What is shown of images: 8-bit pictures, and before, after and what was removed side by side."""

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from zspot.core.errors import plainly
from zspot.core.plane import channels_first

_DEVIATIONS = 4.0
_HEAT = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], float)
_SIDE, _CROP, _LINE = 384, 96, 18  # pixels: of a picture, its crop, a line of text


class Scale:
    """How intensities become 0 to 255: fixed by what is picture in the noisy image."""

    def __init__(self, image: np.ndarray, channel_axis: int | None, valid: np.ndarray | None):
        self._axis = channel_axis
        if image.dtype == np.uint8:
            self._low, self._high = 0.0, 255.0
        else:
            known = image if valid is None else channels_first(image, channel_axis)[:, valid]
            known = known[np.isfinite(known)]
            low, high = np.percentile(known, (0.1, 99.9)).astype(float) if known.size else (0, 1)
            self._low, self._high = low, high if high > low else low + 1.0

    def picture(self, image: np.ndarray) -> np.ndarray:
        """Return uint8 (H, W, 3)."""
        values = (image.astype(np.float64) - self._low) * (255.0 / (self._high - self._low))
        return self._rgb(values)

    def difference(self, before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, float]:
        """Return before - after around grey as uint8 (H, W, 3), and the value shown as white."""
        change = removed(before, after)
        reach = _DEVIATIONS * float(np.sqrt(np.mean(change**2))) or 1.0
        return self._rgb(127.5 + 127.5 * change / reach), reach

    def heat(self, values: np.ndarray) -> tuple[np.ndarray, float]:
        """Return magnitudes as colours from black (0) to yellow, and the value shown as yellow."""
        axis = self._axis
        flat = values if axis is None else np.sqrt(np.mean(np.square(values), axis=axis))
        top = float(np.percentile(flat[np.isfinite(flat)], 99.5)) or 1.0
        return colours(_HEAT, flat / top), top

    def _rgb(self, values: np.ndarray) -> np.ndarray:
        values = np.nan_to_num(np.clip(np.rint(values), 0, 255)).astype(np.uint8)
        last = values[..., None] if self._axis is None else np.moveaxis(values, self._axis, -1)
        if last.shape[2] == 1:
            return np.repeat(last, 3, axis=2)
        if last.shape[2] == 2:  # two dyes: red and green
            return np.concatenate([last, np.zeros_like(last[..., :1])], axis=2)
        return np.ascontiguousarray(last[..., :3])


def removed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return before - after as floats, 0 where pixels are not numbers."""
    precise = np.result_type(after.dtype, np.float32)
    with np.errstate(invalid="ignore"):  # of infinite pixels, which stay
        return np.nan_to_num(before.astype(precise) - after.astype(precise), copy=False)


def colours(stops: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return colours for values 0 to 1 along evenly spaced stops, uint8 (H, W, 3)."""
    place = np.linspace(0, 1, len(stops))
    parts = [np.interp(values, place, stops[:, channel]) for channel in range(3)]
    return np.rint(np.stack(parts, axis=-1)).astype(np.uint8)


def compared(
    noisy: np.ndarray, denoised: np.ndarray, channel_axis: int | None, valid: np.ndarray | None
) -> Image.Image:
    """Return before, after and what was removed in a row, and below each its busiest part."""
    scale = Scale(noisy, channel_axis, valid)
    after = scale.picture(denoised)
    change, reach = scale.difference(noisy, denoised)
    limit = plainly(reach, 3)
    top, left, side = _busiest(after.mean(axis=2))
    panels = {
        "before": scale.picture(noisy),
        "after": after,
        f"removed: black -{limit}, grey 0, white {limit}": change,
    }
    below = 2 * _LINE + _fitted(after).height
    sheet = Image.new("RGB", (3 * (_SIDE + _LINE), below + _SIDE), "white")
    for number, (name, values) in enumerate(panels.items()):
        place = number * (_SIDE + _LINE)
        ImageDraw.Draw(sheet).text((place, 0), name, "black")
        sheet.paste(_fitted(values), (place, _LINE))
        sheet.paste(_fitted(values[top : top + side, left : left + side]), (place, below))
    return sheet


def _fitted(picture: np.ndarray) -> Image.Image:
    """Return a picture as large as its place; enlarged pixels stay squares."""
    way = Image.Resampling.NEAREST if max(picture.shape[:2]) < _SIDE else Image.Resampling.BOX
    return ImageOps.contain(Image.fromarray(picture), (_SIDE, _SIDE), way)


def _busiest(grey: np.ndarray) -> tuple[int, int, int]:
    """Return row, column and side of the square of a grid whose values differ most."""
    side = min(_CROP, *grey.shape)
    rows, columns = (range(0, n - side + 1, max(1, side // 2)) for n in grey.shape)
    found = ((float(grey[y : y + side, x : x + side].std()), y, x) for y in rows for x in columns)
    _, top, left = max(found)
    return top, left, side
