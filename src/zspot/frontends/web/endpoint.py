"""The page's functions for programs: /denoise and /noise, with a schema that gradio serves."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from zspot.algorithms import EFFORTS, ONE_IMAGE_METHODS
from zspot.api import DEFAULT_METHOD
from zspot.api.result import check_share
from zspot.core.errors import FileError, ZspotError, error_in_words
from zspot.core.progress import left_in_words
from zspot.files import Options
from zspot.frontends.job import Cancelled
from zspot.frontends.web import views
from zspot.frontends.web.session import Session, Sessions

_DENOISE = """Denoise an image file into the same kind of file, with its metadata. Sends
{"state": "running", "done": 0 to 1, "left": words} while it runs and at the end the file with
{"state": "done", "method", "reason", "seed", "device", "seconds", "recipe", "versions", "trust"}.
Breaking the connection or cancelling the job stops the work."""
_NOISE = """Measure the noise of an image file (the first plane of a stack); intensities are those
of the file."""


class Endpoint:
    """Adds both functions to the page being built; each call works in a session of its own."""

    def __init__(self, sessions: Sessions, jobs: int) -> None:
        self._sessions = sessions
        with gr.Row(visible=False):
            file = gr.File(label="Image file")
            method = gr.Dropdown(ONE_IMAGE_METHODS, value=DEFAULT_METHOD, label="Method")
            effort = gr.Radio(EFFORTS, value="balanced", label="Effort")
            seed = gr.Number(0, label="Seed, from 0 up", precision=0)
            strength = gr.Slider(0, 1, 1, label="Strength: 0 the input, 1 the full result")
            keep = gr.Slider(0, 1, 0, label="Keep detail: share of removed detail to put back")
            recipe = gr.File(label="Recipe (.toml) that replaces method and effort")
            beside = gr.Number(0, label="Planes of a stack to each side that help", precision=0)
            label = "Letters of the axes, such as TZCYX; empty: as the file says"
            axes = gr.Textbox("", label=label)
            result = gr.File(label="Denoised file")
            report = gr.JSON(label="Report")
            button = gr.Button("API")
        inputs = [file, method, effort, seed, strength, keep, recipe, beside, axes]
        click = partial(button.click, concurrency_limit=jobs, concurrency_id="denoise")
        click(self.denoise, inputs, [result, report], api_name="denoise", api_description=_DENOISE)
        click(self.noise, [file], [report], api_name="noise", api_description=_NOISE)

    def denoise(
        self, file: str, method: str, effort: str, seed: int, strength: float, keep_detail: float,
        recipe: str | None, neighbours: int, axes: str, request: gr.Request,
    ) -> Iterator[tuple[Any, dict[str, Any]]]:  # fmt: skip
        """Denoise a file; see the description that the schema gives."""
        with _one_line_errors():
            check_share("strength", strength)
            check_share("keep_detail", keep_detail)
            session = self._opened(file, request)
            how = method or DEFAULT_METHOD, effort, seed
            session.prepare(Options(*how, axes=axes or None, neighbours=neighbours), recipe)
            for news in session.run():
                done = news.done / news.total if news.total else 0.0
                yield None, {"state": "running", "done": done, "left": left_in_words(news)}
            path = session.blend(strength, keep_detail)
            yield str(path), {"state": "done", **views.report_of(session.current)}

    def noise(self, file: str, request: gr.Request) -> dict[str, Any]:
        """Measure the noise of a file."""
        with _one_line_errors():
            return self._opened(file, request).current.noise.to_dict()

    def _opened(self, file: str | None, request: gr.Request) -> Session:
        session = self._sessions.get(request.session_hash)
        if not file:
            raise FileError("no image file was given")
        for wrong in session.open([Path(file)]):
            raise FileError(wrong)
        return session


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Send what goes wrong to the client as one line; what was not foreseen is also logged."""
    try:
        yield
    except Cancelled:
        raise gr.Error("cancelled", print_exception=False) from None
    except Exception as error:
        foreseen = isinstance(error, ZspotError)
        raise gr.Error(error_in_words(error), print_exception=not foreseen) from error
