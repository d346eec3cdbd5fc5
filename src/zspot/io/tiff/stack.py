"""A TIFF file of many planes, read and written plane by plane."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from zspot.core.errors import FileError
from zspot.io.atomic import atomic_write
from zspot.io.stack import Stack
from zspot.io.tiff.ifd import check_chain
from zspot.io.tiff.layout import capture
from zspot.io.tiff.rewrite import rewrite
from zspot.io.tiff.series import axes_of, check, join, nodata_of, other_notes, split


def open_stack(path: Path, max_pixels: int) -> Stack | None:
    """Open a TIFF file whose first series has several pages, each a plane; None for any other."""
    check_chain(path)
    tif = tifffile.TiffFile(path)
    stack = None
    try:
        if tif.series and _pages_are_planes(tif.series[0]):
            stack = TiffStack(path, tif, max_pixels)
        return stack
    finally:
        if stack is None:
            tif.close()


def _pages_are_planes(series: Any) -> bool:
    key = series.keyframe
    if key is None or len(series.shape) <= len(key.shape):
        return False
    leading, inner = series.axes[: -len(key.axes)], series.axes[-len(key.axes) :]
    fits = inner == key.axes and series.shape[-len(key.shape) :] == key.shape
    return fits and inner in ("YX", "YXS", "SYX") and "S" not in leading


class TiffStack(Stack):
    """The first series of an open TIFF file, which `close` closes."""

    def __init__(self, path: Path, tif: tifffile.TiffFile, max_pixels: int) -> None:
        series = tif.series[0]
        key = series.keyframe
        self.path, self._tif = path, tif
        self._stored_plane: tuple[int, ...] = tuple(key.shape)
        check(path, tif, series, self._stored_plane, max_pixels)
        self._layout, notes = capture(path, tif, series, in_memory=False)
        self._pages: list[Any] = [] if self._layout.contiguous is not None else list(series.pages)
        self._stored_axes = key.axes
        self._extra = key.extrasamples
        leading = len(series.shape) - len(self._stored_plane)
        probe = np.broadcast_to(np.zeros((), key.dtype), self._stored_plane)
        plane, self.plane_axes, _ = split(probe, self._stored_axes, self._extra)
        self.axes = axes_of(path, series)[:leading] + self.plane_axes
        self.shape = (*series.shape[:leading], *plane.shape)
        self.notes = (*notes, *other_notes(tif, series))
        self.nodata = nodata_of(key)
        if not self._layout.contiguous and len(self._pages) != len(self):
            raise FileError(f"{path} is damaged: it has fewer planes than it says; copy it again")

    def _read(self, number: int) -> np.ndarray:
        return split(self._stored(number), self._stored_axes, self._extra)[0]

    def valid(self, number: int) -> np.ndarray | None:
        """Return where a plane is not transparent, if it has transparency."""
        if self._stored_plane == self.shape[-len(self.plane_axes) :]:
            return None
        alpha = split(self._stored(number), self._stored_axes, self._extra)[2]
        return None if alpha is None else alpha > 0

    def _stored(self, number: int) -> np.ndarray:
        start = self._layout.contiguous
        if start is None:
            plane = np.asarray(self._pages[number].asarray(maxworkers=1))
            plane = plane.reshape(self._stored_plane)
        else:
            dtype = self._layout.coding.dtype
            count = int(np.prod(self._stored_plane))
            self._tif.filehandle.seek(start + number * count * dtype.itemsize)
            content = self._tif.filehandle.read(count * dtype.itemsize)
            if len(content) < count * dtype.itemsize:
                raise FileError(f"{self.path} changed while it was read; run again")
            plane = np.frombuffer(content, dtype).reshape(self._stored_plane)
        return plane.astype(plane.dtype.newbyteorder("="), copy=False)

    def _write(self, target: Path, planes: Iterator[np.ndarray], overwrite: bool) -> None:
        joined = (self._joined(number, plane) for number, plane in enumerate(planes))
        with atomic_write(target, overwrite=overwrite) as handle:
            rewrite(handle, self._layout, joined, self._tif.filehandle)

    def _joined(self, number: int, plane: np.ndarray) -> np.ndarray:
        if plane.shape == self._stored_plane:
            return plane
        stored = self._stored(number)
        _, _, alpha = split(stored, self._stored_axes, self._extra)
        return join(plane, self.plane_axes, alpha, self._stored_axes)

    def close(self) -> None:
        """Close the file."""
        self._tif.close()
