"""The dock widget."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import napari
from magicgui import widgets
from napari.layers import Image
from napari.qt.threading import create_worker
from napari.utils.notifications import show_error
from qtpy.compat import isalive
from qtpy.QtWidgets import QFileDialog

from zspot.algorithms import EFFORTS, METHODS
from zspot.api import DEFAULT_METHOD
from zspot.api.requests import MOST_NEIGHBOURS, needs_second
from zspot.core.axes import channel_axis, iter_planes
from zspot.core.errors import RecipeError, ZspotError, error_in_words
from zspot.core.progress import Progress, left_in_words, stage_in_words
from zspot.files import Options
from zspot.frontends.job import Cancelled, Job
from zspot.frontends.napari._made import Made, denoise_all, hide_removed
from zspot.frontends.napari._planes import INSIDE, PLANE, STACK, Part, part_of
from zspot.io.atomic import atomic_write
from zspot.noise import analyze_noise
from zspot.noise.words import explain
from zspot.recipe import Recipe

SELECTED = "all selected layers"
RECIPE = "recipe file"
_TIPS = {
    "layer": "Where several layers are selected in the viewer: all of them, one after another",
    "scope": "What of the layer; draw a rectangle in a shapes layer to try a part of it first",
    "method": "auto looks at the noise and chooses; with a recipe file what it says is run",
    "second": "Another noisy image of the same scene, of the same shape",
    "effort": "Time against quality",
    "seed": "The same seed gives the same result",
    "beside": "How many planes before and after help, where they show the same; of a whole layer",
    "noise": "Say what the noise of the shown plane is like",
    "start": "The result replaces the last of this layer and part; rename that one to keep it",
    "stop": "Stop at the next step; layers that are done are kept, nothing else is changed",
    "strength": "0 is the noisy image, 1 the full result; of all layers of the last run",
    "keep": "Share of the removed edges and texture to put back",
    "save": "Of the selected result, else of the first; without strength and keep detail",
}
_STEPS = 1000
# napari draws a slider that is switched off like any other.
_STYLE = "QSlider::handle:disabled, QSlider::sub-page:disabled {background: rgba(128,128,128,60)}"


class DenoiseWidget(widgets.Container):
    """Denoise a layer, follow it, cancel it, and set its strength afterwards."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        self._viewer = napari_viewer
        self._job: Job[list[str]] | None = None
        self._made: list[Made] = []  # of the last run
        self.layer = widgets.ComboBox(choices=self._layers, label="Layer")
        self.scope = widgets.ComboBox(choices=[PLANE, STACK, INSIDE], value=STACK, label="What")
        methods = [*METHODS, RECIPE]
        self.method = widgets.ComboBox(choices=methods, value=DEFAULT_METHOD, label="Method")
        self.recipe = widgets.FileEdit(label="Recipe", filter="*.toml")
        self.second: Any = widgets.create_widget(annotation=Image | None, label="Second layer")
        self.effort = widgets.ComboBox(choices=list(EFFORTS), value="balanced", label="Effort")
        self.seed = widgets.SpinBox(value=0, min=0, max=2**31 - 1, label="Seed")
        self.beside = widgets.SpinBox(value=0, min=0, max=MOST_NEIGHBOURS, label="Neighbours")
        self.noise = widgets.PushButton(text="Noise report")
        self.start = widgets.PushButton(text="Denoise")
        self.stop = widgets.PushButton(text="Cancel")
        self.bar = widgets.ProgressBar(value=0, min=0, max=_STEPS, label="Progress")
        self.status = widgets.Label(value="")
        self.strength = widgets.FloatSlider(value=1, min=0, max=1, step=0.05, label="Strength")
        self.keep = widgets.FloatSlider(value=0, min=0, max=1, step=0.05, label="Keep detail")
        self.removed = widgets.CheckBox(value=False, text="Show what was removed")
        self.save = widgets.PushButton(text="Save recipe")
        self.text = widgets.TextEdit(value="", label="Report")
        super().__init__(widgets=[one for one in vars(self).values() if hasattr(one, "native")])
        self.text.read_only = True
        self.status.native.setWordWrap(True)
        self.status.min_width = 220  # else short lines are broken, too
        self.native.setStyleSheet(_STYLE)
        for name, tip in _TIPS.items():
            getattr(self, name).tooltip = tip
        self._refresh()
        self._method_chosen()
        self._connect()

    def _connect(self) -> None:
        self.start.changed.connect(lambda _: self.begin())
        self.stop.changed.connect(self.cancel)
        self.noise.changed.connect(self.measure)
        self.save.changed.connect(self._ask_where)
        self.method.changed.connect(self._method_chosen)
        self.recipe.changed.connect(self._method_chosen)
        for widget in (self.strength, self.keep, self.removed):
            widget.changed.connect(self._blend)
        self._viewer.layers.selection.events.changed.connect(self._follow)
        # A widget that is closed may not leave its work running.
        self.native.destroyed.connect(lambda *_: self.cancel())

    def _method_chosen(self) -> None:
        chosen, second = self.method.value == RECIPE, False
        with suppress(ZspotError):
            second = needs_second(self._chosen_method())
        self.recipe.visible, self.second.visible = chosen, second
        self.effort.enabled, self.beside.enabled = not chosen, not second

    def _layers(self, _: Any) -> list[Any]:
        """Return what the box offers: every image layer, and where several are selected all."""
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        selected = self._viewer.layers.selection
        several = len(selected) > 1 and not selected.isdisjoint(images)
        return [*images, SELECTED] if several else images

    def _follow(self) -> None:
        """Show all selected layers in the box while there are several."""
        if not isalive(self.native):
            return
        before = self.layer.value
        self.layer.reset_choices()
        if SELECTED in (before, *self.layer.choices):
            self.choose_selected()

    def choose_selected(self) -> None:
        """Take what is selected in the viewer: all of several layers, or an image."""
        self.layer.reset_choices()
        active = self._viewer.layers.selection.active
        if SELECTED in self.layer.choices:
            self.layer.value = SELECTED
        elif isinstance(active, Image):
            self.layer.value = active

    def _parts(self, scope: str, second: bool = False) -> list[Part]:
        """Return what is to be worked on; say in one line what cannot be."""
        chosen, found = [self.layer.value], []
        if self.layer.value == SELECTED:
            chosen = [one for one in self._viewer.layers if one in self._viewer.layers.selection]
        for layer in chosen:
            with _told():
                part = part_of(layer, self._viewer, scope)
                found.append(part.with_second(self.second.value) if second else part)
        return found

    def begin(self, scope: str = "") -> None:
        """Denoise what is chosen in a thread of its own; `scope` sets what of it."""
        self.scope.value = scope or self.scope.value
        if self._job is not None:
            return
        self._method_chosen()  # the recipe's file may be another one by now
        made: list[Made] = []
        with _told():
            method = self._chosen_method()
            second = needs_second(method)
            count = self.beside.value if self.scope.value == STACK and not second else 0
            asked = Options(method, self.effort.value, self.seed.value, neighbours=count)
            made = [Made(part) for part in self._parts(self.scope.value, second)]
        if not made:
            return
        self._job = Job(lambda report: denoise_all(made, asked, report))
        self._docked = self.native.parent() is not None
        self.bar.value, self.status.value = 0, "looking at the noise"
        self._refresh()
        told = {"yielded": self._progress, "returned": lambda wrong: self._ended(wrong, made)}
        create_worker(_followed, self._job, _connect=told)

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
        if not isalive(self.native):
            return
        if self._docked and self.native.parent() is None:  # its dock was closed
            self.cancel()
        self.bar.value = round(_STEPS * news.done / news.total) if news.total else 0
        self.status.value = f"{stage_in_words(news)}: {left_in_words(news)}"

    def _ended(self, wrong: list[str] | None, made: list[Made]) -> None:
        if not isalive(self.native):
            return
        self._job = None
        done = [one for one in made if one.results]
        if done:
            with self._viewer.layers.selection.events.changed.blocker(self._follow):
                self._show(done)
        self._refresh()
        if wrong is None:
            count = f"{len(done)} of {len(made)} layers are done" if done else "nothing was changed"
            self.status.value = f"cancelled: {count}"
        elif wrong:
            self.status.value = "; ".join(wrong)
            show_error(self.status.value)
        else:
            seconds = sum(result.timings["total"] for one in done for result in one.results)
            self.status.value = f"done in {seconds:.1f} s on {done[0].results[0].device}"

    def _show(self, done: list[Made]) -> None:
        """Show what came of a run in place of what the sliders were for."""
        self.strength.value, self.keep.value, self.removed.value = 1.0, 0.0, False
        hide_removed(self._viewer)
        self._made, words = done, []
        for one in done:
            one.show(self._viewer, one.blended(1, 0))
            one.layer.visible, one.part.layer.visible = True, one.part.is_cut
            known = one.results[0]
            words += [f"{one.part.layer.name}:"] if len(done) > 1 else []
            words += [known.trust.summary, *known.told, f"({known.reason})"]
        self.text.value = "\n\n".join(words)

    def _refresh(self) -> None:
        """Switch on what can be used now."""
        idle = self._job is None
        self.start.enabled, self.stop.enabled, self.bar.visible = idle, not idle, not idle
        for widget in (self.strength, self.keep, self.removed):
            widget.enabled = idle and bool(self._made)
        self.save.enabled = idle and any(one.recipe for one in self._made)

    def _ask_where(self) -> None:
        """Ask for the file of the recipe; the dialog asks before it lets one be replaced."""
        dialog = QFileDialog(self.native, "Save recipe", "", "Recipe (*.toml)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("toml")
        if dialog.exec():
            self.save_recipe(Path(dialog.selectedFiles()[0]))

    def save_recipe(self, path: Path) -> None:
        """Write what ran for the selected result, else for the first, and replace the file."""
        active = self._viewer.layers.selection.active
        ran = [one for one in self._made if one.recipe]
        ran.sort(key=lambda one: active not in (one.layer, one.part.layer))
        with _told():
            if not ran:
                raise RecipeError("no recipe ran: there is none to save")
            with atomic_write(path, overwrite=True) as file:
                file.write(ran[0].recipe.encode())
            self.status.value = f"the recipe of {ran[0].part.layer.name} is in {path}"

    def _blend(self) -> None:
        """Show the results at another strength, or what was removed, unless they are the user's."""
        if not self.strength.enabled:
            return
        made = self._made = [one for one in self._made if one.is_own(self._viewer)]
        strength, keep = self.strength.value, self.keep.value
        self._refresh()

        def show(outs: list[Any]) -> None:
            if made is not self._made or not isalive(self.native):  # the slider has moved on
                return
            with self._viewer.layers.selection.events.changed.blocker(self._follow):
                if not self.removed.value:
                    hide_removed(self._viewer)
                for one, out in zip(made, outs, strict=True):
                    if one.is_own(self._viewer):
                        one.show(self._viewer, out, self.removed.value)

        create_worker(
            lambda: [one.blended(strength, keep) for one in made], _connect={"returned": show}
        )

    def measure(self) -> None:
        """Report on the noise of the plane that is shown."""
        if parts := self._parts(PLANE):
            self.text.value = "measuring"
            create_worker(_noise_of, parts, _connect={"returned": self.text.set_value})


@contextmanager
def _told() -> Iterator[None]:
    """Tell the user in one line what is wrong."""
    try:
        yield
    except ZspotError as error:
        show_error(str(error))


def _followed(job: Job[list[str]]) -> Generator[Progress, None, list[str] | None]:
    """Run a job and return what it does, None if it was cancelled."""
    with suppress(Cancelled):
        return (yield from job.run())


def _noise_of(parts: list[Part]) -> str:
    sentences = []
    for part in parts:
        sentences += [f"{part.layer.name}:"] if len(parts) > 1 else []
        try:
            values = part.colours(part.load())
            plane = values[next(iter_planes(values.shape, part.axes))]
            sentences += explain(analyze_noise(plane, channel_axis=channel_axis(part.axes)))
        except Exception as error:
            sentences.append(error_in_words(error))
    return "\n".join(sentences)
