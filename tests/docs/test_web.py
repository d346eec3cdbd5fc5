"""The Python example of docs/web.md runs as it is printed; test_web.py runs the one for curl."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.waiting import CEILING
from tests.web_help import files, server

__all__ = ["files"]
PAGE = (Path(__file__).parents[2] / "docs" / "web.md").read_text()


def example(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.slow
def test_python_and_curl_as_printed(files, monkeypatch, capsys):
    pytest.importorskip("gradio_client", reason="gradio is not installed")
    monkeypatch.chdir(files)
    with server() as (url, _):
        exec(example("python").replace("http://127.0.0.1:7860", url), {})
        script = example("bash").replace("http://127.0.0.1:7860", url)
        subprocess.run(["bash", "-euc", script], check=True, timeout=CEILING)
    assert "noise level" in capsys.readouterr().out
    assert (files / "clean.png").read_bytes().startswith(b"\x89PNG")
