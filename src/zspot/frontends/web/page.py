"""The page itself: its parts and what happens when they are used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from zspot.algorithms import EFFORTS, ONE_IMAGE_METHODS
from zspot.api import DEFAULT_METHOD
from zspot.core.errors import FileError, ImageError, OptionError, RecipeError
from zspot.frontends.job import Cancelled
from zspot.frontends.sample_images import EXAMPLES
from zspot.frontends.web import endpoint, texts, views
from zspot.frontends.web.session import Sessions, method_of

_HERE = Path(__file__).parent
BAD_INPUT = (FileError, ImageError, OptionError, RecipeError)
SUFFIXES = [".png", ".jpg", ".jpeg", ".tif", ".tiff", ".btf", ".webp", ".bmp", ".npy"]
_RAW = [".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"]
_INTRO = """# zspot
Removes noise from one image using nothing but itself, and hands back the same kind of file: same \
size, same pixel type, same metadata. The work is done on the computer that serves this page."""
_CANCELLED = "Cancelled: nothing was changed."
_PATIENCE = 60.0  # seconds; a run that waits for a free core may take longer to say that it stopped
CSS = (_HERE / "viewer.css").read_text() + (_HERE / "page.css").read_text()


class Page:
    """The parts of the page by name, and the handlers of their events.

    Parameters
    ----------
    sessions : Sessions
    examples : dict of str to Path
        Files to try, by their names in `zspot.frontends.sample_images`.
    jobs : int
        Runs at the same time.
    """

    def __init__(self, sessions: Sessions, examples: dict[str, Path], jobs: int) -> None:
        self.sessions = sessions
        self.examples = examples
        self.jobs = jobs

    def build(self) -> gr.Blocks:
        """Return the page with everything connected."""
        with gr.Blocks(
            title="zspot", analytics_enabled=False, delete_cache=(600, 3600), fill_width=True
        ) as blocks:
            gr.Markdown(_INTRO)
            with gr.Row(equal_height=False):
                with gr.Column(scale=1, min_width=300):
                    self._inputs()
                with gr.Column(scale=2, min_width=320):
                    self._outputs()
            self._connect(blocks)
            endpoint.add(self.sessions, self.jobs)
        return blocks

    def _inputs(self) -> None:
        self.file = gr.File(
            label="Noisy image",
            file_types=[*SUFFIXES, *_RAW],
            type="filepath",
            height=150,
            elem_id="zs-file",
        )
        gr.Markdown(
            "PNG, JPEG, TIFF and OME-TIFF, WebP, BMP, NPY or camera RAW. Nothing at hand? Try one:"
        )
        with gr.Row():
            self.tries = [
                gr.Button(EXAMPLES[name][0], size="sm", min_width=90) for name in self.examples
            ]
        self.alert = gr.HTML(elem_id="zs-alert")
        self.start = gr.Button("Denoise", variant="primary", interactive=False, elem_id="zs-start")
        self.stop = gr.Button("Cancel", interactive=False, elem_id="zs-stop")
        self.status = gr.HTML(elem_id="zs-status")
        with gr.Accordion("Options", open=False):
            self.method = gr.Dropdown(
                ONE_IMAGE_METHODS,
                value=DEFAULT_METHOD,
                label="Method",
                info="auto looks at the noise and chooses",
            )
            self.effort = gr.Radio(
                list(EFFORTS), value="balanced", label="Effort", info="time against quality"
            )
            self.seed = gr.Number(
                0, label="Seed", info="same seed, same result", precision=0, minimum=0
            )
            self.recipe = gr.File(
                label="Recipe (.toml), instead of method and effort",
                file_types=[".toml"],
                type="filepath",
                height=100,
                elem_id="zs-recipe",
            )

    def _outputs(self) -> None:
        self.noise = gr.HTML(texts.EMPTY, elem_id="zs-noise")
        self.plane = gr.Slider(
            1, 2, 1, step=1, label="Plane of the stack", visible=False, elem_id="zs-plane"
        )
        self.viewer = gr.HTML(
            value="",
            html_template=(_HERE / "viewer.html").read_text(),
            js_on_load=(_HERE / "viewer.js").read_text(),
            elem_id="zs-viewer",
        )
        with gr.Group(visible=False, elem_id="zs-after") as self.after:
            with gr.Row():
                self.strength = gr.Slider(
                    0,
                    1,
                    1,
                    step=0.05,
                    label="Strength",
                    info="0 is the input, 1 the full result",
                    min_width=280,
                )
                self.keep = gr.Slider(
                    0,
                    1,
                    0,
                    step=0.05,
                    label="Keep detail",
                    info="puts back edges and texture found in what was removed",
                    min_width=280,
                )
            self.download = gr.DownloadButton("Download", variant="primary", elem_id="zs-download")
        self.trust = gr.HTML(elem_id="zs-trust")

    def _connect(self, blocks: gr.Blocks) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        opened = [
            *(self.alert, self.noise, self.viewer, self.start, self.after, self.trust),
            *(self.status, self.plane),
        ]
        self.file.change(self.open, [self.file], opened, queue=False, **quiet)
        for button, path in zip(self.tries, self.examples.values(), strict=True):
            button.click(lambda path=path: str(path), None, self.file, queue=False, **quiet)
        options = [self.method, self.effort, self.seed, self.recipe]
        ran = [
            *(self.status, self.alert, self.viewer, self.trust, self.after, self.download),
            *(self.start, self.stop, self.strength, self.keep),
        ]
        self.start.click(
            self.prepare, options, [self.alert, self.status, self.start, self.stop], **quiet,
            queue=False,
        ).success(
            self.run, [self.plane], ran, concurrency_limit=self.jobs, concurrency_id="denoise",
            **quiet,
        )  # fmt: skip
        self.stop.click(
            self.cancel, None, [self.status, self.stop], concurrency_limit=None, **quiet
        )
        blended = [self.viewer, self.download]
        for slider in (self.strength, self.keep):
            slider.input(
                self.blend, [self.strength, self.keep, self.plane], blended,
                concurrency_limit=None, trigger_mode="always_last", **quiet,
            )  # fmt: skip
        self.plane.input(
            self.look, [self.strength, self.keep, self.plane], [self.viewer, self.trust],
            concurrency_limit=None, trigger_mode="always_last", **quiet,
        )  # fmt: skip
        blocks.unload(self.leave)

    def open(self, path: str | None, request: gr.Request) -> list[Any]:
        """Read a file and show what its noise is like."""
        session = self.sessions.get(request.session_hash)
        nothing = gr.update(visible=False)
        empty = ["", texts.EMPTY, "", gr.update(interactive=False), nothing, "", "", nothing]
        if path is None:
            session.cancel()
            session.clear()
            return empty
        try:
            session.open(Path(path))
        except BAD_INPUT as error:
            return [texts.alert(str(error)), *empty[1:]]
        count = len(session.places)
        plane = gr.update(visible=count > 1, maximum=max(2, count), value=1)
        ready = gr.update(interactive=True)
        return ["", views.noise(session), views.pictures(session, 0, 1, 0), ready, nothing, "", "",
                plane]  # fmt: skip

    def prepare(
        self, method: str, effort: str, seed: float, recipe: str | None, request: gr.Request
    ) -> list[Any]:
        """Set the run up; it may have to wait for a free core."""
        session = self.sessions.get(request.session_hash)
        try:
            if session.image is None:
                raise FileError("choose an image first")
            session.prepare(method_of(method, recipe), effort, int(seed or 0))
        except BAD_INPUT as error:
            session.job = None
            return [texts.alert(str(error)), "", gr.update(), gr.update()]
        waiting = texts.status("waiting for a free core", 0)
        return ["", waiting, gr.update(interactive=False), gr.update(interactive=True)]

    def run(self, plane: int, request: gr.Request) -> Iterator[list[Any]]:
        """Denoise, telling the progress, and show the result."""
        session = self.sessions.get(request.session_hash)
        same = gr.skip()
        waiting = [same] * 9
        if session.job is None or session.results:
            return  # `prepare` refused
        yield [texts.status("looking at the noise", 0), *waiting]
        idle = [gr.update(interactive=True), gr.update(interactive=False)]
        try:
            for news in session.run():
                yield [texts.progress(news), *waiting]
            path = session.blend(1, 0)
        except Cancelled:
            yield [texts.status(_CANCELLED), "", same, same, same, same, *idle, same, same]
            return
        except BAD_INPUT as error:
            yield ["", texts.alert(str(error)), same, same, same, same, *idle, same, same]
            return
        number = int(plane) - 1
        yield [
            *(texts.status(views.summary(session)), "", views.pictures(session, number, 1, 0)),
            *(texts.trust_panel(session.trust(number)), gr.update(visible=True)),
            gr.update(value=str(path), label=f"Download {path.name}"),
            *(*idle, 1, 0),
        ]

    def cancel(self, request: gr.Request) -> Iterator[list[Any]]:
        """Stop the run at its next step."""
        session = self.sessions.get(request.session_hash)
        job = session.job
        session.cancel()
        yield [texts.status("stopping"), gr.update(interactive=False)]
        # What `run` says may reach the browser before that: say it once more.
        if job is not None and job.wait(_PATIENCE):
            yield [texts.status(_CANCELLED), gr.skip()]

    def blend(self, strength: float, keep: float, plane: int, request: gr.Request) -> list[Any]:
        """Show and write the result at another strength."""
        session = self.sessions.get(request.session_hash)
        if not session.results:
            return [gr.skip()] * 2
        path = session.blend(strength, keep)
        return [
            views.pictures(session, int(plane) - 1, strength, keep),
            gr.update(value=str(path), label=f"Download {path.name}"),
        ]

    def look(self, strength: float, keep: float, plane: int, request: gr.Request) -> list[Any]:
        """Show another plane of a stack."""
        session = self.sessions.get(request.session_hash)
        if session.image is None:
            return [gr.skip()] * 2
        number = int(plane) - 1
        trust = texts.trust_panel(session.trust(number)) if session.results else ""
        return [views.pictures(session, number, strength, keep), trust]

    def leave(self, request: gr.Request) -> None:
        """Remove what a visitor who left had open."""
        self.sessions.close(request.session_hash)
