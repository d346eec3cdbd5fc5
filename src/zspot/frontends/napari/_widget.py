"""The dock widget."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import napari
import numpy as np
from magicgui import widgets
from napari.layers import Image, Layer
from napari.qt.threading import thread_worker
from napari.utils.notifications import show_error

from zspot.algorithms import EFFORTS, ONE_IMAGE_METHODS
from zspot.api import DEFAULT_METHOD, Result
from zspot.api.pictures import removed as difference
from zspot.api.requests import MOST_NEIGHBOURS
from zspot.core.axes import iter_planes
from zspot.core.errors import RecipeError, ZspotError, error_in_words
from zspot.core.progress import Progress, left_in_words, stage_in_words
from zspot.files import Options
from zspot.frontends.job import Cancelled, Job
from zspot.frontends.napari._planes import Part, blended, denoise_part, layer_state, part_of
from zspot.noise import analyze_noise
from zspot.noise.words import explain
from zspot.recipe import Recipe

PLANE, STACK, INSIDE = "current plane", "whole layer", "inside the last shape"
RECIPE = "recipe file"
_TIPS = {
    "scope": "What of the layer; draw a rectangle in a shapes layer to try a part of it first",
    "method": "auto looks at the noise and chooses; with a recipe file what it says is run",
    "effort": "Time against quality",
    "seed": "The same seed gives the same result",
    "beside": "How many planes before and after help, where they show the same; of a whole layer",
    "noise": "Say what the noise of the shown plane is like",
    "stop": "Stop at the next step; nothing is changed",
    "strength": "0 is the noisy image, 1 the full result",
    "keep": "Share of the removed edges and texture to put back",
}
_STEPS = 1000

Done = tuple[np.ndarray, list[Result]]


class DenoiseWidget(widgets.Container):
    """Denoise a layer, follow it, cancel it, and set its strength afterwards."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        self._viewer = napari_viewer
        self._job: Job[Done] | None = None
        self._made: tuple[Image, Part, Done] | None = None
        self._asked, self._gone = 0, False
        self.layer: Any = widgets.create_widget(annotation=Image, label="Layer")
        self.scope = widgets.ComboBox(choices=[PLANE, STACK, INSIDE], value=STACK, label="What")
        methods = [*ONE_IMAGE_METHODS, RECIPE]
        self.method = widgets.ComboBox(choices=methods, value=DEFAULT_METHOD, label="Method")
        self.recipe = widgets.FileEdit(label="Recipe", filter="*.toml", visible=False)
        self.effort = widgets.ComboBox(choices=list(EFFORTS), value="balanced", label="Effort")
        self.seed = widgets.SpinBox(value=0, min=0, max=2**31 - 1, label="Seed")
        self.beside = widgets.SpinBox(value=0, min=0, max=MOST_NEIGHBOURS, label="Neighbours")
        self.noise = widgets.PushButton(text="Noise report")
        self.start = widgets.PushButton(text="Denoise")
        self.stop = widgets.PushButton(text="Cancel", enabled=False)
        self.bar = widgets.ProgressBar(value=0, min=0, max=_STEPS, visible=False, label="Progress")
        self.status = widgets.Label(value="")
        self.strength = widgets.FloatSlider(value=1, min=0, max=1, step=0.05, label="Strength")
        self.keep = widgets.FloatSlider(value=0, min=0, max=1, step=0.05, label="Keep detail")
        self.removed = widgets.CheckBox(value=False, text="Show what was removed")
        self.text = widgets.TextEdit(value="", label="Report")
        parts = [self.layer, self.scope, self.method, self.recipe, self.effort, self.seed]
        parts += [self.beside, self.noise, self.start, self.stop, self.bar, self.status]
        parts += [self.strength, self.keep, self.removed, self.text]
        super().__init__(widgets=parts)
        self.text.read_only = True
        for name, tip in _TIPS.items():
            getattr(self, name).tooltip = tip
        self._after(False)
        self._connect()

    def _connect(self) -> None:
        self.start.changed.connect(lambda _: self.begin())
        self.stop.changed.connect(lambda _: self.cancel())
        self.noise.changed.connect(lambda _: self.measure())
        self.method.changed.connect(self._method_chosen)
        for widget in (self.strength, self.keep, self.removed):
            widget.changed.connect(lambda _: self._blend())
        # A widget that is closed may not leave its work running.
        self.native.destroyed.connect(lambda *_: self._leave())

    def _method_chosen(self, method: str) -> None:
        self.recipe.visible = method == RECIPE
        self.effort.enabled = method != RECIPE

    def _leave(self) -> None:
        self._gone = True
        self.cancel()

    def choose_selected(self) -> None:
        """Take the layer that is selected in the viewer, if it is an image."""
        self.layer.reset_choices()
        active = self._viewer.layers.selection.active
        if isinstance(active, Image):
            self.layer.value = active

    def begin(self, scope: str = "") -> None:
        """Denoise the chosen layer in a thread of its own; `scope` sets what of it."""
        self.scope.value = scope or self.scope.value
        if self._job is not None:
            return
        layer = self.layer.value
        what = self.scope.value
        try:
            method = self._chosen_method()
            part = part_of(layer, self._viewer, what == STACK, inside=what == INSIDE)
        except ZspotError as error:
            show_error(str(error))
            return
        count = self.beside.value if what == STACK else 0
        asked = Options(method, self.effort.value, self.seed.value, neighbours=count)
        self._job = Job(lambda report: denoise_part(part, asked, report))
        self._docked = self.native.parent() is not None
        self._busy(True)
        self._after(False)
        worker: Any = thread_worker(_followed)(self._job)
        worker.yielded.connect(self._progress)
        worker.returned.connect(lambda errors: self._ended(errors, layer, part))
        worker.start()

    def cancel(self) -> None:
        """Stop the run at its next step."""
        if self._job is not None:
            self._job.cancel()

    def _chosen_method(self) -> str | Recipe:
        if self.method.value != RECIPE:
            return self.method.value
        path = self.recipe.value
        if not isinstance(path, Path) or not path.is_file():
            raise RecipeError("choose the recipe's file (.toml) first")
        return Recipe.load(path)

    def _progress(self, news: Progress) -> None:
        if self._gone:
            return
        if self._docked and self.native.parent() is None:  # its dock was closed
            self.cancel()
        self.bar.value = round(_STEPS * news.done / news.total) if news.total else 0
        self.status.value = f"{stage_in_words(news)}: {left_in_words(news)}"

    def _ended(self, errors: list[Exception], layer: Image, part: Part) -> None:
        if self._gone:
            return
        job = self._job
        assert job is not None
        self._busy(False)
        for error in errors:
            if isinstance(error, Cancelled):
                self.status.value = "cancelled: nothing was changed"
            else:
                self.status.value = error_in_words(error)
                show_error(error_in_words(error))
            return
        values, results = job.result
        self.strength.value, self.keep.value, self.removed.value = 1.0, 0.0, False
        out = blended(part, values, results, 1, 0)
        made = Layer.create(out, layer_state(layer, part, results[0]), "image")
        self._viewer.add_layer(made)
        layer.visible = part.is_cut  # a whole one would be added to the result
        assert isinstance(made, Image)
        self._made = made, part, (values, results)
        self._after(True)
        known, seconds = results[0], sum(r.timings["total"] for r in results)
        self.status.value = f"done in {seconds:.1f} s on {known.device}"
        self.text.value = "\n\n".join((known.trust.summary, *known.told, f"({known.reason})"))

    def _busy(self, on: bool) -> None:
        if not on:
            self._job = None
        self.start.enabled, self.stop.enabled = not on, on
        self.bar.visible, self.bar.value = on, 0
        self.status.value = "looking at the noise" if on else ""

    def _after(self, on: bool) -> None:
        for widget in (self.strength, self.keep, self.removed):
            widget.enabled = on

    def _blend(self) -> None:
        if self._made is None or not self.strength.enabled:
            return
        made, part, (values, results) = self._made
        if made not in self._viewer.layers:
            self._made = None
            self._after(False)
            return
        self._asked += 1
        asked, removed = self._asked, self.removed.value
        at = self.strength.value, self.keep.value
        worker: Any = cast("Any", thread_worker(blended))(part, values, results, *at)

        def show(out: np.ndarray) -> None:
            if asked != self._asked:  # the slider has moved on
                return
            made.data = cast("Any", out)
            self._show_removed(made, values, out, removed)

        worker.returned.connect(show)
        worker.start()

    def _show_removed(self, made: Image, values: np.ndarray, out: np.ndarray, on: bool) -> None:
        name = f"{made.name} removed"
        if not on:
            if name in self._viewer.layers:
                self._viewer.layers.remove(self._viewer.layers[name])
            return
        change = difference(values, out)
        if made.rgb:
            change = change[..., :3].mean(axis=-1)
        if name in self._viewer.layers:
            self._viewer.layers[name].data = change
            return
        reach = 4 * float(change.std()) or 1.0
        places = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
        shown: dict[str, Any] = {"contrast_limits": (-reach, reach), "colormap": "gray"}
        shown |= {place: getattr(made, place) for place in places}
        self._viewer.add_image(change, name=name, **shown)

    def measure(self) -> None:
        """Report on the noise of the plane that is shown."""
        try:
            part = part_of(self.layer.value, self._viewer, False)
        except ZspotError as error:
            show_error(str(error))
            return
        self.text.value = "measuring"
        worker: Any = thread_worker(_noise_of)(part)
        worker.returned.connect(self._tell)
        worker.start()

    def _tell(self, sentences: list[str]) -> None:
        self.text.value = "\n".join(sentences)


def _followed(job: Job[Done]) -> Generator[Progress, None, list[Exception]]:
    """Run a job; return its error in a list: one that is raised or returned ends in a traceback."""
    try:
        yield from job.run()
    except Exception as error:
        return [error]
    return []


def _noise_of(part: Part) -> list[str]:
    try:
        values = part.colours(part.load())
        place, channel_axis = next(iter_planes(values.shape, part.axes))
        return explain(analyze_noise(values[place], channel_axis=channel_axis))
    except Exception as error:
        return [error_in_words(error)]
