"""Which planes of a layer are denoised, and the layer that the result becomes. Knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Shapes
from napari.utils.transforms import Affine

from zspot.api import Result
from zspot.core.axes import iter_planes
from zspot.core.errors import ImageError
from zspot.core.progress import Report
from zspot.files import Options, PlaneRunner
from zspot.io import ImageFile

_COLOURS = 3  # samples of an rgb layer that are denoised; a fourth is transparency


@dataclass(frozen=True)
class Part:
    """The part of a layer that is worked on."""

    source: Any  # of the layer at full resolution, maybe lazy
    window: tuple[slice, ...]  # one for each axis of the layer
    plane_axes: tuple[int, int]
    rgb: bool

    def load(self) -> np.ndarray:
        """Return the values, with every axis of the layer and its samples."""
        return np.asarray(self.source[self.window])

    @property
    def axes(self) -> str:
        """A letter for each axis of the values, see `zspot.core.axes`."""
        names = dict(zip(self.plane_axes, "YX", strict=True))
        letters = "".join(names.get(axis, "Q") for axis in range(len(self.window)))
        return letters + ("S" if self.rgb else "")

    @property
    def is_cut(self) -> bool:
        """Whether it is less than a whole plane."""
        return any(self.window[axis].start is not None for axis in self.plane_axes)

    def colours(self, values: np.ndarray) -> np.ndarray:
        """Return a view of what is denoised of `values`: everything but transparency."""
        return values[..., :_COLOURS] if self.rgb else values


def part_of(layer: Image | None, viewer: napari.Viewer, whole: bool, inside: bool = False) -> Part:
    """Return the whole of a layer, or what the viewer shows of it, maybe inside the last shape."""
    if layer is None:
        raise ImageError("there is no image layer: open an image first")
    source = layer.data[0] if layer.multiscale else layer.data
    if layer.ndim < 2:
        raise ImageError(f"layer {layer.name} has one axis: an image is needed")
    extra = viewer.dims.ndim - layer.ndim
    shown = sorted(axis - extra for axis in viewer.dims.displayed[-2:])
    axes = (shown[0], shown[1]) if shown[0] >= 0 else (layer.ndim - 2, layer.ndim - 1)
    window = [slice(None)] * layer.ndim
    if not whole:
        point = layer.world_to_data(viewer.dims.point[extra:])
        for axis in range(layer.ndim):
            if axis not in axes:
                here = int(np.clip(round(point[axis]), 0, source.shape[axis] - 1))
                window[axis] = slice(here, here + 1)
    if inside:
        for axis, found in zip(axes, _box(viewer, layer, axes, source.shape), strict=True):
            window[axis] = found
    return Part(source, tuple(window), axes, bool(layer.rgb))


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


def denoise_part(part: Part, options: Options, report: Report) -> tuple[np.ndarray, list[Result]]:
    """Denoise each plane of a part; return its noisy values and the results in order."""
    values = part.load()
    image = ImageFile(part.colours(values), part.axes)
    return values, [result for _, result in PlaneRunner(options, progress=report).results(image)]


def blended(
    part: Part, values: np.ndarray, results: list[Result], strength: float, keep: float
) -> np.ndarray:
    """Put the planes together at a strength; transparency is that of `values`."""
    out = values.copy()
    colours = part.colours(out)
    for (place, _), result in zip(iter_planes(colours.shape, part.axes), results, strict=True):
        colours[place] = result.blend(strength, keep)
    return out


def layer_state(layer: Image, part: Part, result: Result) -> dict[str, Any]:
    """Return what the new layer takes over: everything but the place of a single plane."""
    state = dict(layer.as_layer_data_tuple()[1])
    state |= {"name": f"{layer.name} denoised", "multiscale": False, "visible": True}
    known = {name: getattr(result, name) for name in ("method", "seed", "reason", "versions")}
    if part.is_cut:
        state["blending"] = "opaque"  # it lies on the noisy layer, which stays in sight
    state["metadata"] = {**layer.metadata, "zspot": known}
    start = np.array([cut.start or 0 for cut in part.window], dtype=float)
    # From data to world without the layer's own affine and translation.
    moves = Affine(scale=layer.scale, rotate=layer.rotate, shear=layer.shear, ndim=layer.ndim)
    state["translate"] = np.asarray(layer.translate) + np.asarray(moves.linear_matrix) @ start
    return state
