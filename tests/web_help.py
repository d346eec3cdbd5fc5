"""The server of the web page, and files to send it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image, PngImagePlugin

from tests.images import tiny
from tests.waiting import CEILING
from zspot.algorithms import bsn_ins
from zspot.frontends import cli
from zspot.recipe import Bernoulli, UNet

# The mask is decided, so that the recipe that ran is the one that was given.
_DECIDED = replace(bsn_ins.recipe("fast"), mask=Bernoulli(), network=UNet(4))
TINY = tiny(_DECIDED, steps=2)
ENDLESS = tiny(_DECIDED, steps=10**7)


def _heeds_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def server(*options: str):
    """Serve the page with the command line, as a user does."""
    pytest.importorskip("gradio", reason="gradio is not installed")
    command = [sys.executable, "-m", "zspot", "web", "--port", "0", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env=environment,
            # a background job of a shell inherits an ignored SIGINT
            preexec_fn=None if os.name == "nt" else _heeds_interrupts,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found is None:
                said.seek(0)
                pytest.fail(f"no address: {line} {said.read()}")
            yield found[0], process
            process.send_signal(signal.SIGTERM)
            process.wait(CEILING)
        finally:
            process.kill()  # no effect on one that has ended


@contextmanager
def sessions_in(folder: Path, max_pixels: int, **seconds: float):
    """The sessions of visitors without a server; `seconds` replace constants of their module."""
    session = pytest.importorskip("zspot.frontends.web.session")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in seconds.items():
            patch.setattr(session, name, value)
        made = session.Sessions(folder, max_pixels)
        yield made
        made.close_all()


@pytest.fixture(scope="module")
def url():
    with server() as (address, _):
        yield address


@pytest.fixture
def files(tmp_path) -> Path:
    picture = skimage.data.chelsea()[60:108, 120:184].astype(float)
    noisy = picture + np.random.default_rng(0).normal(0, 20, picture.shape)
    info = PngImagePlugin.PngInfo()
    info.add_text("Description", "a noisy cat")
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(
        tmp_path / "noisy.png", pnginfo=info, dpi=(300, 300)
    )
    (tmp_path / "tiny.toml").write_text(TINY.to_toml())
    (tmp_path / "endless.toml").write_text(ENDLESS.to_toml())
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    return tmp_path


def command_line(files: Path, *options: str) -> bytes:
    """What the command line writes with all cores, as the page does for one visitor."""
    target, before = files / "cli.png", torch.get_num_threads()
    options = ("--threads", str(os.cpu_count()), *options)
    arguments = ["denoise", files / "noisy.png", target, "--recipe", files / "tiny.toml", *options]
    with pytest.raises(SystemExit):
        cli.main([str(a) for a in [*arguments, "--quiet"]])
    torch.set_num_threads(before)
    return target.read_bytes()
