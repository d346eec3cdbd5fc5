"""The record of an image file, its pixels as plain formats hold them, files of many planes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from zspot.core.axes import Place, channel_axis, without_colours
from zspot.core.errors import FileError
from zspot.core.plane import channels_first
from zspot.core.valid import is_nodata
from zspot.io.atomic import atomic_write
from zspot.io.checks import first_line, one_kind_of_error

_AXES = frozenset("TZCYXSQ")


@dataclass(frozen=True, eq=False)
class ImageFile:
    """The pixels of an image file and everything needed to write the same file again."""

    #: Pixels without alpha, in the intensity scale of the file. One of uint8, uint16, uint32, int8,
    #: int16, int32, float16, float32, float64, in native byte order.
    data: np.ndarray
    #: One letter for each axis of `data`: T, Z, C, Y, X as in OME, S for colour samples, and Q for
    #: a stack whose meaning the file does not say. For example "YX", "YXS", "TZCYX", "QYX".
    axes: str
    alpha: np.ndarray | None = None  #: transparency, shaped as `data` without S; kept bit for bit
    format: str = "npy"  #: "png", "jpeg", ...: the names of `zspot.io.open.FORMATS`
    #: Read-only. Common keys, present where the file has them: "icc" (bytes), "exif" (bytes,
    #: starting with the TIFF header), "xmp" (bytes), "resolution" (x, y, unit), with unit "inch",
    #: "cm" or "none", "description" (str); "nodata" (float) or "valid" (bool array, shaped as
    #: `data` without S) say where there is no picture. TIFF adds "imagej" (dict) and "ome_xml"
    #: (str). The key named like the format holds what its writer needs.
    metadata: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None  #: file that was read
    notes: tuple[str, ...] = ()  #: what the user should know, such as what writing changes

    def __post_init__(self):
        if len(self.axes) != self.data.ndim or not set(self.axes) <= _AXES:
            raise ValueError(f"axes {self.axes!r} do not describe an array of {self.data.shape}")
        if "Y" not in self.axes or "X" not in self.axes:
            raise ValueError(f"axes {self.axes!r} need Y and X")
        if "S" in self.axes:  # beside colours, as in OME, channels are a plain stack
            object.__setattr__(self, "axes", self.axes.replace("C", "Q"))
        plane = tuple(n for n, a in zip(self.data.shape, self.axes, strict=True) if a != "S")
        if self.alpha is not None and self.alpha.shape != plane:
            raise ValueError(f"alpha is {self.alpha.shape}, the image is {plane}")
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))

    @property
    def channel_axis(self) -> int | None:
        """Index of the S or C axis in `data`, or None."""
        return next((i for i, letter in enumerate(self.axes) if letter in "SC"), None)

    def opaque_at(self, place: Place, axes: str = "") -> np.ndarray | None:
        """Say where a plane is not transparent, nor marked as no picture; None: everywhere."""
        known = self.metadata.get("valid") if self.alpha is None else self.alpha > 0
        return None if known is None else known[without_colours(place, axes or self.axes)]

    def valid_at(self, place: Place) -> np.ndarray | None:
        """Say where a plane is a picture, (H, W), as the file tells; None: everywhere."""
        valid, nodata = self.opaque_at(place), self.metadata.get("nodata")
        if nodata is None:
            return valid
        channels = channels_first(self.data[place], channel_axis(self.axes))
        bad = np.asarray(is_nodata(channels, nodata).any(axis=0))
        return ~bad if valid is None else valid & ~bad

    def part(self, place: Place, window: str, mask: np.ndarray | None = None) -> "ImageFile":
        """Return a part "x,y,width,height", or a ValueError; alpha is 0 where it is no picture."""
        x, y, width, height = map(int, window.split(","))
        plane, axis, valid = self.data[place], channel_axis(self.axes), self.valid_at(place)
        last = plane if axis is None else np.moveaxis(plane, axis, -1)
        at = slice(max(0, y), y + height), slice(max(0, x), x + width)
        if last[at].shape[:2] != (height, width) or last[at].size == 0:
            raise ValueError(f"{window} is no part of {last.shape[1]} x {last.shape[0]} pixels")
        known = [one[at] for one in (valid, mask) if one is not None]
        alpha = np.logical_and.reduce(known).astype(plane.dtype) if known else None
        return ImageFile(np.ascontiguousarray(last[at]), "YX" if axis is None else "YXS", alpha)

    def named(self, axes: str | None) -> "ImageFile":
        """Return the file as letters name its axes: of channels alpha is the last."""
        if self.alpha is None or "S" not in self.axes or "S" in (axes or "S"):
            return self
        return replace(self, data=join(self.data, self.axes, self.alpha, self.axes), alpha=None)

    def replace(self, data: np.ndarray) -> "ImageFile":
        """Return the same file with other pixel values, whose shape and dtype must be the same."""
        data, alpha = np.asarray(data), self.alpha
        at = self.axes.find("S")
        if alpha is not None and at >= 0 and data.shape[at : at + 1] == (self.data.shape[at] + 1,):
            data, alpha, _ = split_last(data, self.axes)
        if data.shape != self.data.shape or data.dtype != self.data.dtype:
            own = f"the file holds {self.data.dtype} {self.data.shape}"
            raise ValueError(f"new pixels are {data.dtype} {data.shape}, {own}")
        return replace(self, data=data, alpha=alpha)


def split_alpha(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Split interleaved pixels of grey or RGB, with or without alpha, into data, alpha and axes."""
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return pixels.reshape(pixels.shape[:2]), None, "YX"
    return split_last(pixels, "YXS") if pixels.shape[2] in (2, 4) else (pixels, None, "YXS")


def split_last(stored: np.ndarray, axes: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Split pixels whose last sample is alpha into data, alpha and the axes of data."""
    position = axes.index("S")
    alpha = np.ascontiguousarray(np.take(stored, -1, axis=position))
    data = np.delete(stored, -1, axis=position)
    if data.shape[position] == 1:
        data, axes = np.take(data, 0, axis=position), axes.replace("S", "")
    return np.ascontiguousarray(data), alpha, axes


def join(data: np.ndarray, axes: str, alpha: np.ndarray | None, stored_axes: str) -> np.ndarray:
    """Put alpha, if any, back as the last sample: the opposite of `split_last`."""
    position = stored_axes.find("S")
    data = np.expand_dims(data, position) if len(axes) < len(stored_axes) else data
    if alpha is None:
        return data
    return np.concatenate([data, np.expand_dims(alpha, position)], axis=position)


def samples_last(image: ImageFile) -> np.ndarray:
    """Return the pixels with their samples, alpha the last of them, in an added or moved axis."""
    stored = image.axes if "S" in image.axes else image.axes + "S"
    data = join(image.data, image.axes, image.alpha, stored)
    return np.ascontiguousarray(np.moveaxis(data, stored.index("S"), -1))


def interleaved(image: ImageFile) -> np.ndarray:
    """Return the only plane as (Y, X) or (Y, X, samples) with alpha last."""
    sides = [image.data.shape[image.axes.index(letter)] for letter in "YX"]
    pixels = samples_last(image).reshape(*sides, -1)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def plain_refusal(
    image: ImageFile, name: str, dtypes: tuple[str, ...], samples: tuple[int, ...], largest: int = 0
) -> str | None:
    """Say why a format of one plane cannot hold the image, or None; `samples` include alpha."""
    if largest and max(image.data.shape[image.axes.index(letter)] for letter in "YX") > largest:
        return f"{name} holds at most {largest} pixels a side; write a .png or .tif file"
    if image.data.dtype.name not in dtypes:
        return f"{name} cannot hold {image.data.dtype.name} pixels; write a .tif file"
    others = (n for n, a in zip(image.data.shape, image.axes, strict=True) if a not in "YXS")
    if any(n != 1 for n in others) or image.axes.index("Y") > image.axes.index("X"):
        return f"{name} cannot hold a stack or separate channels ({image.axes}); write a .tif file"
    alpha = image.alpha is not None
    count = alpha + (image.data.shape[image.axes.index("S")] if "S" in image.axes else 1)
    # Two or four samples mean alpha in these formats, so a second or fourth colour has no place.
    if count not in samples or (count in (2, 4)) != alpha:
        what = "transparency" if alpha else f"{count} samples a pixel"
        return f"{name} cannot hold {what}; write a .png or .tif file"
    return None


class Stack(ABC):
    """An open file of many planes, of which only one is in memory at a time."""

    path: Path
    axes: str  #: as in `ImageFile`; the plane's axes come last
    shape: tuple[int, ...]  #: sizes of `axes`
    plane_axes: str  #: "YX", "YXS" or "SYX"
    notes: tuple[str, ...] = ()
    nodata: float | None = None  #: what marks pixels without picture

    def __len__(self) -> int:
        """Return the number of planes."""
        return int(np.prod(self.shape[: len(self.shape) - len(self.plane_axes)], dtype=object))

    def read(self, number: int) -> np.ndarray:
        """Return a plane without alpha; planes count from 0, the last axis fastest."""
        with one_kind_of_error(self.path):
            return self._read(number)

    def valid(self, number: int) -> np.ndarray | None:
        """Return where a plane is not transparent, if it has transparency."""
        return None

    def write(self, target: Path, planes: Iterator[np.ndarray], *, overwrite: bool) -> None:
        """Write a file like this one, complete or not at all, around new planes.

        Planes are drawn when needed; what `planes` raises comes through, else a `FileError`.
        """
        foreign: list[BaseException] = []

        def watched() -> Iterator[np.ndarray]:
            try:
                yield from planes
            except BaseException as error:
                foreign.append(error)
                raise

        try:
            with atomic_write(target, overwrite=overwrite) as handle:
                self._write(handle, watched())
        except Exception as error:
            if foreign:  # an OSError of them is none of the target's
                raise foreign[0] from None
            named = isinstance(error, FileError) and str(target) in str(error)
            if named or isinstance(error, MemoryError):
                raise
            raise FileError(f"{target} cannot be written ({first_line(error)})") from error

    @abstractmethod
    def _read(self, number: int) -> np.ndarray: ...

    @abstractmethod
    def _write(self, handle: BinaryIO, planes: Iterator[np.ndarray]) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Close the file."""
