"""Which planes of a layer are denoised. Knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Layer, Shapes

from zspot.core.errors import ImageError

PLANE, STACK, INSIDE = "current plane", "whole layer", "inside the last shape"
_COLOURS = 3  # samples of an rgb layer that are denoised; a fourth is transparency


@dataclass(frozen=True)
class Part:
    """The part of a layer that is worked on."""

    layer: Image
    scope: str
    source: Any  # of the layer at full resolution, maybe lazy
    window: tuple[slice, ...]  # one for each axis of the layer
    plane_axes: tuple[int, int]
    second: Part | None = None  # the same of another noisy image of the scene

    def load(self) -> np.ndarray:
        """Return the values, with every axis of the layer and its samples."""
        return np.asarray(self.source[self.window])

    def with_second(self, layer: Image | None) -> Part:
        """Return the same with a second layer, for methods that learn from one."""
        if layer is None or layer is self.layer:
            what = "another noisy image of the same scene"
            raise ImageError(f"{self.layer.name}: choose a second layer, {what}")
        second = _pixels(layer)
        if (layer.rgb, second.shape) != (self.layer.rgb, self.source.shape):
            shapes = f"{tuple(second.shape)} and {self.layer.name} {tuple(self.source.shape)}"
            raise ImageError(f"{layer.name} has shape {shapes}: a second layer needs the same")
        return replace(self, second=replace(self, source=second))

    @property
    def axes(self) -> str:
        """A letter for each axis of the values, see `zspot.core.axes`."""
        names = dict(zip(self.plane_axes, "YX", strict=True))
        letters = "".join(names.get(axis, "Q") for axis in range(len(self.window)))
        return letters + ("S" if self.layer.rgb else "")

    @property
    def is_cut(self) -> bool:
        """Whether it is less than a whole plane."""
        return any(self.window[axis].start is not None for axis in self.plane_axes)

    def colours(self, values: np.ndarray) -> np.ndarray:
        """Return a view of what is denoised of `values`: everything but transparency."""
        return values[..., :_COLOURS] if self.layer.rgb else values


def part_of(layer: Layer | None, viewer: napari.Viewer, scope: str) -> Part:
    """Return the whole of a layer, or what the viewer shows of it, maybe inside the last shape."""
    if layer is None:
        raise ImageError("there is no image layer: open an image first")
    if not isinstance(layer, Image):
        raise ImageError(f"{layer.name} is no image layer")
    if layer.ndim < 2:
        raise ImageError(f"layer {layer.name} has one axis: an image is needed")
    source = _pixels(layer)
    extra = viewer.dims.ndim - layer.ndim
    shown = sorted(axis - extra for axis in viewer.dims.displayed[-2:])
    axes = (shown[0], shown[1]) if shown[0] >= 0 else (layer.ndim - 2, layer.ndim - 1)
    window = [slice(None)] * layer.ndim
    if scope != STACK:
        point = layer.world_to_data(viewer.dims.point[extra:])
        for axis in set(range(layer.ndim)).difference(axes):
            here = int(np.clip(round(point[axis]), 0, source.shape[axis] - 1))
            window[axis] = slice(here, here + 1)
    if scope == INSIDE:
        window[axes[0]], window[axes[1]] = _box(viewer, layer, axes, source.shape)
    return Part(layer, scope, source, tuple(window), axes)


def _pixels(layer: Image) -> Any:
    return layer.data[0] if layer.multiscale else layer.data


def _box(
    viewer: napari.Viewer, layer: Image, axes: tuple[int, int], sizes: tuple[int, ...]
) -> list[slice]:
    """Return rows and columns of a layer around the shape that was drawn last."""
    drawn = [one for one in viewer.layers if isinstance(one, Shapes) and len(one.data)]
    if not drawn:
        raise ImageError("draw a rectangle in a shapes layer first")
    world = [drawn[-1].data_to_world(corner) for corner in drawn[-1].data[-1]]
    corners = np.array([layer.world_to_data(point) for point in world])
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    box = [slice(max(0, low[axis]), min(sizes[axis], high[axis])) for axis in axes]
    if any(cut.start >= cut.stop for cut in box):
        raise ImageError(f"the last shape lies outside of layer {layer.name}")
    return box
