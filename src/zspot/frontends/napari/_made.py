"""What becomes of a run: its layers are the plugin's own until the user renames or edits them."""

from __future__ import annotations

import zlib
from typing import Any
from weakref import WeakKeyDictionary, ref

import napari
import numpy as np
from napari.layers import Image, Layer
from napari.utils.transforms import Affine

from zspot.api import Result
from zspot.api.pictures import removed
from zspot.core.axes import iter_planes
from zspot.core.errors import error_in_words
from zspot.core.progress import Report, within
from zspot.files import Options, PlaneRunner
from zspot.frontends.job import Cancelled
from zspot.frontends.napari._planes import Part
from zspot.io import ImageFile

_KEPT = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels", "metadata")

REMOVED = "removed"
Key = tuple[Any, ...]  # what a layer shows, and of what layer

# Each layer as the plugin left it: what it shows, its name and the checksum of its pixels.
_left: WeakKeyDictionary[Image, tuple[Key, str, int]] = WeakKeyDictionary()


class Made:
    """A part of a layer, what came of it, and the layer that shows it."""

    layer: Any = None  # the image layer, once the result is shown
    values: np.ndarray

    def __init__(self, part: Part) -> None:
        self.part = part
        self.key = ref(part.layer), part.scope, str(part.window), part.plane_axes
        self.results: list[Result] = []  # of each plane in order; empty until all are there

    def denoise(self, options: Options, report: Report | None) -> None:
        """Denoise each plane of the part."""
        self.values = self.part.load()
        image = ImageFile(self.part.colours(self.values), self.part.axes)
        runner, other = PlaneRunner(options, progress=report), self.part.second
        second = None if other is None else other.colours(other.load())
        self.results = [result for _, result in runner.results(image, second=second)]

    @property
    def recipe(self) -> str:
        """What ran on the first plane on which a recipe did, as TOML; empty if none did."""
        return next((one.recipe.to_toml() for one in self.results if one.recipe is not None), "")

    def blended(self, strength: float, keep: float) -> np.ndarray:
        """Put the planes together at a strength; transparency stays as it was."""
        out = self.values.copy()
        colours = self.part.colours(out)
        places = iter_planes(colours.shape, self.part.axes)
        for place, result in zip(places, self.results, strict=True):
            colours[place] = result.blend(strength, keep)
        return out

    def show(self, viewer: napari.Viewer, out: np.ndarray, removed_too: bool = False) -> None:
        """Show the result, and maybe what it lacks of the noisy values, in layers of their own."""
        state = {} if self.layer else _layer_state(self.part, self.results[0])
        self.layer = _put(viewer, self.key, out, state, self.part.layer)
        if removed_too:
            change = removed(self.values, out)
            change = change[..., :3].mean(axis=-1) if self.layer.rgb else change
            reach = 4 * float(change.std()) or 1.0
            looks = {"name": f"{self.layer.name} removed", "contrast_limits": (-reach, reach)}
            kept = {name: getattr(self.layer, name) for name in _KEPT}
            _put(viewer, (REMOVED, *self.key), change, looks | kept, viewer.layers[-1])

    def is_own(self, viewer: napari.Viewer) -> bool:
        """Whether its layer is there, and as the plugin left it."""
        return self.layer is _own(viewer, self.key)


def denoise_all(made: list[Made], options: Options, report: Report) -> list[str]:
    """Denoise part after part; return what is wrong with those that cannot be, in words."""
    wrong = []
    for number, one in enumerate(made):
        try:
            one.denoise(options, within(report, number, len(made)))
        except Cancelled:
            raise
        except Exception as error:
            wrong.append(f"{one.part.layer.name}: {error_in_words(error)}")
    return wrong


def hide_removed(viewer: napari.Viewer) -> None:
    """Take away the plugin's own layers of what was removed."""
    for key, *_ in list(_left.values()):
        if key[0] == REMOVED and (layer := _own(viewer, key)) is not None:
            viewer.layers.remove(layer)


def _own(viewer: napari.Viewer, key: Key) -> Image | None:
    """Return the layer that the plugin made of something, if it is as the plugin left it."""
    for layer, (known, name, checksum) in list(_left.items()):
        here = known == key and layer in viewer.layers and layer.name == name
        if here and _checksum(layer) == checksum:
            return layer
    return None


def _checksum(layer: Image) -> int:
    return zlib.crc32(np.ascontiguousarray(layer.data).data)


def _put(viewer: napari.Viewer, key: Key, data: Any, state: dict[str, Any], below: Layer) -> Image:
    """Show data in the plugin's own layer of this key, with the looks it has, else in a new one."""
    layer, layers, selected = _own(viewer, key), viewer.layers, set(viewer.layers.selection)
    if layer is None:
        layer = Image(data, **state)
        layers.insert(layers.index(below) + 1 if below in layers else len(layers), layer)
        layers.selection = selected if len(selected) > 1 else {layer}
    layer.data = data
    for name in filter(state.__contains__, _KEPT):
        setattr(layer, name, state[name])
    _left[layer] = key, layer.name, _checksum(layer)
    return layer


def _layer_state(part: Part, result: Result) -> dict[str, Any]:
    """Return what the new layer takes over: everything but the place of a single plane."""
    layer = part.layer
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
