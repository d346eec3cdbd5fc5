"""Between an array as the user has it and the standardised plane that denoisers work on."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from zspot.core.axes import is_axis
from zspot.core.errors import ImageError, shown

MAX_CHANNELS = 4


@dataclass(frozen=True)
class Plane:
    """A standardised plane and the way back to the user's array."""

    image: np.ndarray  # (C, H, W), as it came
    values: np.ndarray  # (C, H, W), float32: (image - offset) / scale
    offset: np.ndarray  # (C,), float64: mean of each channel
    scale: float  # rms of the channels' deviations: one for all keeps their relation
    varying: np.ndarray  # (C,), bool: which channels are not constant

    @classmethod
    def of(cls, image: np.ndarray) -> "Plane":
        """Standardise an image (C, H, W) that `check_image` takes; refuse NaN and infinity."""
        if bad := int(image.size - np.isfinite(image).sum()):
            raise ImageError(f"image has {bad} NaN or infinite values: replace them first")
        channels = image.astype(np.float64)
        # Dividing by the largest magnitude first keeps the squares of extreme values finite.
        largest = float(np.abs(channels).max()) or 1.0
        channels /= largest
        varying = (channels != channels[:, :1, :1]).any(axis=(1, 2))
        offset = np.where(varying, channels.mean(axis=(1, 2)), channels[:, 0, 0])
        channels -= offset[:, None, None]
        scale = float(np.sqrt(np.square(channels[varying]).mean())) if varying.any() else 1.0
        channels /= scale
        values = channels.astype(np.float32, order="C")
        return cls(image, values, offset * largest, scale * largest, varying)

    @property
    def varying_values(self) -> np.ndarray:
        """`values` of the channels that are not constant: what is denoised."""
        return self.values if self.varying.all() else self.values[self.varying]

    def like(self, second: np.ndarray) -> np.ndarray:
        """Return another image of the same layout in this plane's units, varying channels only."""
        own = Plane.of(second)
        values = own.values.astype(np.float64) * own.scale + own.offset[:, None, None]
        values = (values - self.offset[:, None, None]) / self.scale
        return values[self.varying].astype(np.float32)

    def restore(self, mean: np.ndarray) -> np.ndarray:
        """Return denoised `varying_values` in the image's dtype, with constant channels kept."""
        if np.array_equal(mean, self.varying_values):
            return self.image.copy()  # not the round trip through float32
        out = self.image.copy()  # channels that are constant stay, which rounding must not touch
        for number, values in zip(np.flatnonzero(self.varying), mean, strict=True):
            exact = self.offset[number] + values.astype(np.float64) * self.scale
            out[number] = cast(exact, out.dtype)
        return out

    def restore_deviation(self, deviation: np.ndarray) -> np.ndarray:
        """Return deviations of `varying_values` as floats in the image's units, elsewhere 0."""
        spread = np.zeros(self.values.shape, np.result_type(self.image.dtype, np.float32))
        for number, values in zip(np.flatnonzero(self.varying), deviation, strict=True):
            spread[number] = values.astype(np.float64) * self.scale
        return spread


def as_array(image: Any) -> np.ndarray:
    """Return an image as an array of NumPy; refuse a file's name, and what is not only values."""
    if isinstance(image, str | os.PathLike):
        raise ImageError("image is the name of a file: zspot.denoise_file takes those")
    if getattr(image, "mode", None) in ("P", "PA"):
        raise ImageError('image holds numbers of colours: pass image.convert("RGB")')
    if isinstance(image, np.ma.MaskedArray):
        raise ImageError("image is a masked array: pass image.data, and ~image.mask as mask")
    try:
        return np.asarray(image)
    except (TypeError, ValueError) as error:  # rows of unequal length, a collection of arrays
        raise ImageError(f"image is no array: {error}") from None


def channels_first(image: np.ndarray, axis: int | None) -> np.ndarray:
    """Return a view of an image (H, W), or with channels along `axis`, as (C, H, W)."""
    return image[None] if axis is None else np.moveaxis(image, axis, 0)


def check_image(image: np.ndarray, channel_axis: int | None) -> int | None:
    """Return the channel axis counted from the front; refuse images of another form or dtype."""
    if image.dtype.kind not in "uif" or image.dtype.itemsize > 8:
        advice = "convert it to an integer or floating-point type of at most 64 bits"
        raise ImageError(f"image has dtype {image.dtype}: {advice}")
    if image.size == 0:
        raise ImageError(f"image is empty (shape {image.shape}): nothing to denoise")
    if image.dtype in (np.int64, np.uint64) and np.abs(image.astype(np.float64)).max() > 2**53:
        raise ImageError("image has values above 2**53, which float64 rounds: subtract an offset")
    if channel_axis is None:
        if image.ndim != 2:
            advice = 'pass channel_axis=-1 for colours in the last axis, or a stack with axes="ZYX"'
            raise ImageError(f"image has {image.ndim} axes (shape {image.shape}): {advice}")
    elif image.ndim != 3 or not is_axis(channel_axis, 3):
        what = f"channel_axis={shown(channel_axis)} does not fit shape {image.shape}"
        raise ImageError(f"{what}: pass a 3-D image and the number of its channel axis")
    elif image.shape[channel_axis] > MAX_CHANNELS:
        what = f"channel_axis={channel_axis} of shape {image.shape}"
        raise ImageError(f"{what}: no more than {MAX_CHANNELS} channels are denoised together")
    return None if channel_axis is None else channel_axis % 3


def unit_of(values: np.ndarray) -> float:
    """Return a power of two near the largest magnitude: divided by it, squares are finite."""
    return float(np.ldexp(1.0, np.frexp(np.abs(values).max(initial=0.0))[1] - 1))


def cast(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return numbers in a dtype: rounded to the nearest for integers, cut to its range."""
    if dtype.kind == "f":
        limit = float(np.finfo(dtype).max)
        return np.clip(values, -limit, limit).astype(dtype)
    limits = np.iinfo(dtype)
    # float64 cannot hold the largest 64-bit integers: clip, cast, and mend the top afterwards.
    rounded = np.rint(values)
    out = np.clip(rounded, float(limits.min), np.nextafter(float(limits.max), 0)).astype(dtype)
    out[rounded >= float(limits.max)] = limits.max
    return out
