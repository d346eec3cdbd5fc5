"""Serving the page: on this computer, until the block ends, with every file it made removed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from zspot.core.errors import FileError, MissingExtraError, OptionError, install
from zspot.frontends import SAMPLES
from zspot.io.atomic import temporary_folder

if TYPE_CHECKING:
    import gradio as gr

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Settings:
    """How the page is served."""

    port: int = 7860  # 0 takes a free one
    jobs: int = 0  # images denoised at a time, each on its share of the cores; 0: one for each core
    max_megabytes: int = 500  # of the largest file to accept
    max_pixels: int = 200_000_000  # values of the largest image to accept
    queue: int = 50  # runs that may wait; more are refused
    auth: tuple[tuple[str, str], ...] = ()  # names and passwords; empty lets everybody here in
    share: bool = False  # ask gradio for a public address
    hosts: tuple[str, ...] = ()  # further names under which the page is reached


def read_auth(path: Path) -> tuple[tuple[str, str], ...]:
    """Read names and passwords from a file of lines `name:password`."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path} cannot be read: {error}") from None
    split = {n: line.partition(":") for n, line in enumerate(lines, 1) if line.strip()}
    wrong = [number for number, parts in split.items() if not all(parts)]
    if wrong or not split:
        raise FileError(f"{path}, line {min(wrong, default=1)}: write name:password")
    return tuple((name, password) for name, _, password in split.values())


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[gr.Blocks, str]]:
    """Serve the page and yield it and its address, then stop it and remove every file it made."""
    with temporary_folder("zspot-page-") as folder:
        # The folder is read by gradio at every upload.
        told = {"GRADIO_TEMP_DIR": str(folder), "GRADIO_ANALYTICS_ENABLED": "False"}
        with mock.patch.dict(os.environ, told):
            yield from _serve(settings, folder)


def _serve(settings: Settings, folder: Path) -> Iterator[tuple[gr.Blocks, str]]:
    try:
        from zspot.frontends.web.page import CSS, THEME, Page
    except ImportError as error:
        raise MissingExtraError(f"the web page needs gradio; {install('web')} ({error})") from None
    from starlette.middleware import Middleware

    from zspot.frontends.web.guard import Guard, check_password
    from zspot.frontends.web.session import Sessions

    samples = folder / "samples"  # gradio serves what lies here alone
    samples.mkdir()
    for sample in SAMPLES.values():
        shutil.copy(sample, samples)
    sessions = Sessions(folder, settings.max_pixels)
    blocks = Page(sessions, samples, settings.jobs or os.cpu_count() or 1).build()
    blocks.queue(max_size=settings.queue)
    look = {"favicon_path": Path(__file__).with_name("icon.svg"), "theme": THEME, "css": CSS}
    look |= dict.fromkeys(("prevent_thread_lock", "quiet", "show_error"), True)
    look |= dict.fromkeys(("ssr_mode", "pwa", "mcp_server", "enable_monitoring"), False)
    try:
        _, url, _ = blocks.launch(
            server_name=HOST,
            server_port=settings.port or None,
            share=settings.share,
            auth=check_password(dict(settings.auth)) if settings.auth else None,
            app_kwargs={"middleware": [Middleware(Guard, folder=folder, settings=settings)]},
            max_file_size=settings.max_megabytes * 1_000_000,
            footer_links=["api"],
            **look,
        )
    except OSError:
        raise OptionError(f"port {settings.port} is taken: choose another with --port") from None
    try:
        yield blocks, url
    finally:
        sessions.close_all()
        blocks.close(verbose=False)
