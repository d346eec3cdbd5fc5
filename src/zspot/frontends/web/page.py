"""The page itself: its parts and what happens when they are used."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio import themes

from zspot.algorithms import EFFORTS, METHODS
from zspot.api import DEFAULT_METHOD
from zspot.api.requests import MOST_NEIGHBOURS
from zspot.core.errors import FileError, ZspotError, error_in_words, one_line
from zspot.files import Options
from zspot.frontends import SAMPLES
from zspot.frontends.job import Cancelled
from zspot.frontends.web import views
from zspot.frontends.web.endpoint import Endpoint
from zspot.frontends.web.session import MOST_COUNTED, Opened, Session, Sessions
from zspot.io import SUFFIXES

_HERE = Path(__file__).parent
_PATIENCE = 60.0  # seconds; a run that waits for a free core may take longer to say that it stopped
# JavaScript: what is in view, and what the tab of the browser keeps while the page loads again.
_IN_VIEW = "(...values) => [...values.slice(0, -1), window.zspotPart()]"
_RECALL = "() => [sessionStorage.getItem('zspot') || '']"
# What is offered for download is held back until it is of the strength that the sliders show.
_STALE = "() => ({__type__: 'update', interactive: false})"
_FRESH = """(made, ...asked) => ({__type__: 'update',
    interactive: JSON.stringify(JSON.parse(made)) === JSON.stringify(asked)})"""
_REMEMBER = "(folder) => { sessionStorage.setItem('zspot', folder); return []; }"
CSS = (_HERE / "viewer.css").read_text() + (_HERE / "page.css").read_text()

# Colours of good contrast and the system's own fonts: nothing is fetched.
THEME = themes.Default(
    primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["monospace"]
).set(
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
)

Shown = dict[Any, Any]  # values of parts of the page, as handlers get them and give them to gradio


class _Blocks(gr.Blocks):
    """A page that answers values of a wrong type in one line, without a traceback."""

    async def preprocess_data(self, *arguments: Any, **options: Any) -> Any:
        """Bring what was sent into the form that handlers take."""
        try:
            return await super().preprocess_data(*arguments, **options)
        except Exception as error:
            said = one_line(error.message) if isinstance(error, gr.Error) else views.WRONG_TYPE
            raise gr.Error(said, print_exception=False) from None


class Page:
    """The parts of the page by name, and the handlers of their events."""

    def __init__(self, sessions: Sessions, samples: Path, jobs: int) -> None:
        self.sessions, self.samples, self.jobs = sessions, samples, jobs

    def build(self) -> gr.Blocks:
        """Return the page with everything connected."""
        with _Blocks(
            title="zspot", analytics_enabled=False, delete_cache=(600, 3600), fill_width=True
        ) as blocks:
            gr.Markdown(views.INTRO)
            with gr.Row(equal_height=False, elem_id="zs-page"):
                for part in (self._inputs, self._outputs, self._options):
                    with gr.Column(min_width=300):
                        part()
            self._connect(blocks)
            Endpoint(self.sessions, self.jobs)
        return blocks

    def _inputs(self) -> None:
        label, kinds = "Noisy images", sorted(SUFFIXES - {".zarr"})
        self.file = gr.File(
            label=label, file_types=kinds, file_count="multiple", height=150, elem_id="zs-file"
        )
        gr.Markdown(views.KINDS)
        with gr.Row():
            self.tries = [gr.Button(title, size="sm", min_width=90) for title in SAMPLES]
        self.alert = gr.HTML(elem_id="zs-alert")
        self.start = gr.Button("Denoise", variant="primary", interactive=False, elem_id="zs-start")
        with gr.Row():
            self.trial = gr.Button("Try the part in view", interactive=False, elem_id="zs-try")
            self.stop = gr.Button("Cancel", interactive=False, elem_id="zs-stop")
        self.status = gr.HTML(elem_id="zs-status")

    def _options(self) -> None:
        with gr.Accordion("Options", open=False):
            labels, how = views.method_labels(), views.METHODS_INFO
            self.method = gr.Dropdown(labels, value=DEFAULT_METHOD, label="Method", info=how)
            self.about = gr.Markdown(METHODS[DEFAULT_METHOD].summary)
            why = "time against quality"
            self.effort = gr.Radio(EFFORTS, value="balanced", label="Effort", info=why)
            same = "same seed, same result"
            self.seed = gr.Number(0, label="Seed", info=same, precision=0, minimum=0)
            near = "planes of a stack to each side that help a plane"
            self.beside = gr.Number(
                0, label="Neighbours", info=near, precision=0, minimum=0, maximum=MOST_NEIGHBOURS
            )
            wrong = "such as TZCYX, where the file is wrong"
            self.axes = gr.Textbox("", label="Axes", max_lines=1, info=wrong)
            label = "Second noisy image of the scene, for n2n"
            self.second = gr.File(label=label, height=140, elem_id="zs-second")
            label = "Recipe (.toml), instead of method and effort"
            self.recipe = gr.File(
                label=label, file_types=[".toml"], height=140, elem_id="zs-recipe"
            )
        # What the browser tells: the part in view (gradio sorts by making), the session's folder.
        self.view, self.folder, self.made = (gr.Textbox(visible=False) for _ in range(3))

    def _outputs(self) -> None:
        self.which = gr.Dropdown(
            [("", 0)], value=0, label="Look at", visible=False, elem_id="zs-which"
        )
        with gr.Row():  # where in a stack: a slider for each axis
            self.planes: list[Any] = [
                gr.Slider(1, 2, 1, step=1, visible=False, min_width=200, elem_id=f"zs-plane{n}")
                for n in range(MOST_COUNTED)
            ]
        template, script = ((_HERE / name).read_text() for name in ("viewer.html", "viewer.js"))
        self.viewer = gr.HTML("", html_template=template, js_on_load=script, elem_id="zs-viewer")
        with gr.Group(visible=False, elem_id="zs-after") as self.after:
            with gr.Row():
                self.strength = _share(1, "Strength", "0 is the input, 1 the full result")
                puts_back = "puts back edges and texture found in what was removed"
                self.keep = _share(0, "Keep detail", puts_back)
            with gr.Row():
                self.download = gr.DownloadButton(
                    "Download", variant="primary", elem_id="zs-download"
                )
                self.used = gr.DownloadButton("Recipe that ran", elem_id="zs-used")
        self.trust = gr.HTML(elem_id="zs-trust")
        self.noise = gr.HTML(views.EMPTY, elem_id="zs-noise")

    def _connect(self, blocks: gr.Blocks) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        aside: dict[str, Any] = {"queue": False, **quiet}
        working: dict[str, Any] = {"concurrency_limit": self.jobs, "concurrency_id": "denoise"}
        at_once: dict[str, Any] = {"concurrency_limit": None, **quiet}
        newest: dict[str, Any] = {"trigger_mode": "always_last", **at_once}
        seen = [self.noise, self.viewer, self.after, self.trust, self.download]
        seen += [self.strength, self.keep, self.used, self.which, self.method, *self.planes]
        opened = [self.alert, self.start, self.trial, self.status, *seen]
        self.file.change(self.open, [self.file], opened, **aside)
        for button, sample in zip(self.tries, SAMPLES.values(), strict=True):
            path = str(self.samples / sample.name)
            button.click(lambda path=path: [path], None, self.file, **aside)
        options = {self.method, self.effort, self.seed, self.recipe, self.beside, self.axes}
        options |= {self.second, self.view, *self.planes}
        prepared = [self.alert, self.status, self.start, self.trial, self.stop]
        for button, script in ((self.start, None), (self.trial, _IN_VIEW)):
            click = button.click(self.prepare, options, prepared, js=script, **aside)
            click.success(self.run, None, [*prepared, *seen], **working, **quiet)
        self.stop.click(self.cancel, None, [self.status, self.stop], **at_once)
        shares = [self.strength, self.keep]
        moved = [slider.input for slider in shares]
        gr.on(moved, None, None, self.download, js=_STALE, **quiet)
        at, blent = {*shares, *self.planes}, [self.viewer, self.download, self.trust, self.made]
        made = gr.on(moved, self.blend, at, blent, **newest)
        made.then(None, [self.made, *shares], self.download, js=_FRESH, **quiet)
        # One listener for all sliders: answers of several could come in another order.
        turned = [slider.input for slider in self.planes]
        gr.on(turned, self.look, {*self.planes}, [self.viewer, self.trust], **newest)
        self.method.input(lambda name: METHODS[name].summary, self.method, self.about, **aside)
        self.which.input(self.turn_to, [self.which], seen, **newest)
        loaded = blocks.load(self.come, [self.folder], [self.folder, *opened], js=_RECALL, **aside)
        loaded.then(None, [self.folder], None, js=_REMEMBER, **quiet)
        blocks.unload(self.leave)

    def open(self, paths: list[str] | None, request: gr.Request) -> Shown:
        """Read files and show what the noise of the first is like."""
        session = self.sessions.get(request.session_hash)
        return self._opened(session, session.open([Path(path) for path in paths or ()]))

    def _opened(self, session: Session, wrong: list[str]) -> Shown:
        able = gr.update(interactive=bool(session.new))
        said = {self.status: "", self.alert: views.alert("; ".join(wrong))}
        return {**said, self.start: able, self.trial: able, **self._seen(session)}

    def turn_to(self, number: int, request: gr.Request) -> Shown:
        """Show another of the files."""
        session = self.sessions.get(request.session_hash)
        session.at = min(int(number), max(0, len(session.files) - 1))
        return self._seen(session)

    def _seen(self, session: Session) -> Shown:
        """Return what is shown of the file that is looked at."""
        names = [(views.named(one), number) for number, one in enumerate(session.files)]
        several = len(names) > (session.at is not None)
        which = {self.which: gr.update(visible=several, choices=names, value=session.at)}
        if session.at is None:
            shown: Shown = {self.viewer: "", self.trust: "", self.noise: views.EMPTY, **which}
            return shown | dict.fromkeys((self.after, *self.planes), gr.update(visible=False))
        one = session.current
        shown = self._plane(one, 0) | {
            **which,
            self.method: gr.update(choices=views.method_labels(one)),
            self.noise: views.noise_report(one),
            self.after: gr.update(visible=bool(one.results)),
            self.strength: one.strength,
            self.keep: one.keep_detail,
            **dict.fromkeys(self.planes, gr.update(visible=False)),
        }
        for slider, (name, count) in zip(self.planes, one.counted, strict=False):
            shown[slider] = gr.update(visible=True, label=name, maximum=count, value=1)
        if one.results:
            path = session.blend(one.strength, one.keep_detail)
            shown |= {self.download: _download(path) | {"interactive": True}, self.used: _used(one)}
        return shown

    def _plane(self, one: Opened, number: int) -> Shown:
        result = one.blended(number) if one.results else None
        trust = views.trust_panel(result) if result else ""
        return {self.viewer: views.pictures(one, number, result), self.trust: trust}

    def prepare(self, asked: Shown, request: gr.Request) -> Shown:
        """Set the run up, of a part of the picture in view if there is one; it may have to wait."""
        session = self.sessions.get(request.session_hash)
        try:
            if not session.new:
                raise FileError("choose an image first")
            view = asked[self.view]
            part = (self._number(session.current, asked), view) if view else None
            how = asked[self.method] or DEFAULT_METHOD, asked[self.effort], asked[self.seed] or 0
            axes, beside = asked[self.axes].strip() or None, asked[self.beside] or 0
            options = Options(*how, axes=axes, neighbours=beside)
            session.prepare(options, asked[self.recipe], asked[self.second], part)
        except ZspotError as error:
            session.job = None
            return {self.alert: views.alert(str(error)), self.status: ""}
        return self._running(True) | {self.status: views.status(views.WAITING, 0)}

    def run(self, request: gr.Request) -> Iterator[Shown]:
        """Denoise, telling the progress, and show the result."""
        session = self.sessions.get(request.session_hash)
        if session.job is None:  # `prepare` refused; without a word gradio clears everything
            yield {self.status: ""}
            return
        yield {self.status: views.status(views.LOOKING, 0)}
        words = wrong = ""
        try:
            for news in session.run():
                yield {self.status: views.progress(news, session.doing)}
            seconds = sum(one.seconds for one in session.running)
            result = session.current.results[0]
            words = views.status(f"{result.summary} Done in {seconds:.1f} s on {result.device}.")
        except Cancelled:
            words = views.cancelled(session.done, len(session.running))
        except Exception as error:
            if not isinstance(error, ZspotError):
                logging.getLogger(__name__).exception("a run failed")
            wrong = error_in_words(error)
        yield self._running(False) | {self.status: words, self.alert: views.alert(wrong)}
        yield self._seen(session)

    def _running(self, on: bool) -> Shown:
        start, stop = gr.update(interactive=not on), gr.update(interactive=on)
        return {self.alert: "", self.start: start, self.trial: start, self.stop: stop}

    def cancel(self, request: gr.Request) -> Iterator[Shown]:
        """Stop the run at its next step."""
        session = self.sessions.get(request.session_hash)
        job = session.job
        session.cancel()
        yield {self.status: views.status(views.STOPPING), self.stop: gr.update(interactive=False)}
        # What `run` says may reach the browser before that: say it once more.
        if job is not None and job.wait(_PATIENCE):
            yield {self.status: views.cancelled(session.done, len(session.running))}

    def blend(self, asked: Shown, request: gr.Request) -> Shown:
        """Show and write the result at another strength."""
        session = self.sessions.get(request.session_hash)
        if session.at is None or not session.current.results:
            return gr.skip()
        shares = asked[self.strength], asked[self.keep]
        offer = {self.download: _download(session.blend(*shares)), self.made: json.dumps(shares)}
        return offer | self.look(asked, request)

    def look(self, asked: Shown, request: gr.Request) -> Shown:
        """Show another plane of a stack."""
        session = self.sessions.get(request.session_hash)
        if session.at is None:
            return gr.skip()
        return self._plane(session.current, self._number(session.current, asked))

    def _number(self, one: Opened, asked: Shown) -> int:
        """Return the number of the plane that the sliders name."""
        at, sizes = [], [count for _, count in one.counted]
        for slider, size in zip(self.planes, sizes, strict=False):
            at.append(min(max(1, int(asked[slider] or 1)), size) - 1)
        return int(np.ravel_multi_index(at, sizes)) if at else 0

    def come(self, folder: str, request: gr.Request) -> Shown:
        """Show what a visitor had open, and keep it until `leave`."""
        session = self.sessions.back(folder, request.session_hash)
        return {self.folder: session.folder.name, **self._opened(session, [])}

    def leave(self, request: gr.Request) -> None:
        """Stop the run of a visitor who left."""
        self.sessions.leave(request.session_hash)


def _used(opened: Opened) -> Shown:
    """Offer the recipe that ran, of the first plane."""
    recipe = opened.results[0].recipe
    if recipe is None:
        return gr.update(visible=False)
    path = opened.path.parent / "recipe.toml"
    path.write_text(recipe.to_toml())
    return gr.update(visible=True, value=str(path))


def _share(value: float, label: str, info: str) -> gr.Slider:
    return gr.Slider(0, 1, value, step=0.05, label=label, info=info, min_width=280)


def _download(path: Path) -> Shown:
    return gr.update(value=str(path), label=f"Download {path.name}")
