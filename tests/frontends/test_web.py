"""The HTTP interface of the web page, and its command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import zspot
from tests.waiting import CEILING, until
from tests.web_help import TINY, command_line, files, server
from zspot.frontends import cli

__all__ = ["files"]


@pytest.fixture(scope="module")
def url():
    """A server that works on one image at a time."""
    with server("--jobs", "1") as (address, _):
        yield address


def temporary_folders() -> set[str]:
    import tempfile

    return {p.name for p in Path(tempfile.gettempdir()).glob("zspot-web-*")}


def connected(url, **options):
    gradio_client = pytest.importorskip("gradio_client", reason="gradio is not installed")
    patience = {"timeout": CEILING}  # by default it gives up after 5 s
    return gradio_client.Client(
        url, verbose=False, analytics_enabled=False, httpx_kwargs=patience, **options
    )


@pytest.fixture
def client(url):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        made = connected(url)
        yield made
        made.close()


def test_the_client_gets_the_bytes_of_the_command_line(client, files):
    from gradio_client import handle_file

    file, report = client.predict(
        file=handle_file(files / "noisy.png"),
        seed=3,
        recipe=handle_file(files / "tiny.toml"),
        api_name="/denoise",
    )
    assert Path(file).name == "noisy-denoised.png"
    assert Path(file).read_bytes() == command_line(files, "--seed", "3")
    assert report["state"] == "done"
    assert report["seed"] == 3
    assert zspot.Recipe.from_dict(report["recipe"]) == TINY
    assert report["trust"]["held_out_last"] > 0


def test_the_client_sees_progress_and_can_cancel(client, files):
    from gradio_client import handle_file

    job = client.submit(
        file=handle_file(files / "noisy.png"),
        recipe=handle_file(files / "endless.toml"),
        api_name="/denoise",
    )
    until(lambda: len(job.outputs()) >= 3)
    done = [out[1]["done"] for out in job.outputs()]
    assert done == sorted(done)
    assert done[-1] < 1
    assert "left" in job.outputs()[-1][1]["left"]
    job.cancel()
    # The server does one thing at a time: it answers this because the endless run has stopped.
    measured = client.submit(handle_file(files / "noisy.png"), api_name="/noise")
    report = measured.result(CEILING)
    assert len(report["level"]) == 3


def test_bad_input_is_one_clear_line(client, files):
    from gradio_client import handle_file
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError, match=r"bad\.png") as told:
        client.predict(handle_file(files / "bad.png"), api_name="/noise")
    assert str(files) not in str(told.value)
    assert "session-" not in str(told.value)  # nor where the server keeps it
    with pytest.raises(AppError, match="greater than maximum"):
        client.predict(
            handle_file(files / "noisy.png"),
            strength=2,
            recipe=handle_file(files / "tiny.toml"),
            api_name="/denoise",
        )
    with pytest.raises(AppError, match="seed"):
        client.predict(handle_file(files / "noisy.png"), seed=-1, recipe=None, api_name="/denoise")


def test_the_schema_names_every_parameter(client):
    schema = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(schema) == {"/denoise", "/noise"}
    names = [p["parameter_name"] for p in schema["/denoise"]["parameters"]]
    assert names == ["file", "method", "effort", "seed", "strength", "keep_detail", "recipe"]
    assert all(p["label"] for p in schema["/denoise"]["parameters"])


def test_files_of_others_and_of_the_computer_are_not_served(url, files):
    for path in ("/etc/passwd", str(files / "noisy.png"), "/tmp"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/gradio_api/file={path}")
        assert refused.value.code == 403
        refused.value.close()


CURL = r"""
set -eu
path=$(curl -sf -F "files=@$IMAGE" "$URL/gradio_api/upload" | sed 's/^\["//; s/"\]$//')
file="{\"path\": \"$path\", \"meta\": {\"_type\": \"gradio.FileData\"}}"
event=$(curl -sf -H "Content-Type: application/json" \
  -d "{\"data\": [$file, \"auto\", \"fast\", 0, 1, 0, null]}" \
  "$URL/gradio_api/call/denoise" | sed 's/.*"event_id": *"//; s/".*//')
curl -sfN "$URL/gradio_api/call/denoise/$event" > answer.txt
result=$(grep '^data: ' answer.txt | tail -1 | sed 's/.*"url": *"//; s/".*//')
curl -sf -o clean.png "$result"
"""


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(url, files):
    environment = {**os.environ, "URL": url, "IMAGE": str(files / "noisy.png")}
    subprocess.run(["bash", "-c", CURL], cwd=files, env=environment, check=True, timeout=CEILING)
    with pytest.raises(SystemExit):
        cli.main([str(a) for a in ["denoise", files / "noisy.png", files / "c.png",
                                   "--effort", "fast", "--quiet"]])  # fmt: skip
    assert (files / "clean.png").read_bytes() == (files / "c.png").read_bytes()
    assert '"state": "running"' in (files / "answer.txt").read_text()


@pytest.mark.slow  # a second server takes a while to start
def test_only_those_with_a_password_come_in_and_files_are_removed(tmp_path, files):
    (tmp_path / "users.txt").write_text("ada:secret\n")
    before = temporary_folders()
    with server("--auth", str(tmp_path / "users.txt"), "--max-megabytes", "1") as (url, process):
        assert len(temporary_folders() - before) == 1
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/gradio_api/info")
        assert refused.value.code == 401
        refused.value.close()
        from gradio_client import handle_file

        one = connected(url, auth=("ada", "secret"))
        (files / "large.npy").write_bytes(b"\x93NUMPY" + bytes(2_000_000))
        with pytest.raises(Exception, match=r"(?i)413|size|too large"):
            one.predict(handle_file(files / "large.npy"), api_name="/noise")
        one.close()
    assert process.returncode == 0
    assert temporary_folders() <= before


def test_bad_use_is_one_line(tmp_path, capsys):
    (tmp_path / "users.txt").write_text("ada\n")
    with pytest.raises(SystemExit) as stopped:
        cli.main(["web", "--auth", str(tmp_path / "users.txt")])
    assert stopped.value.code == 2
    assert "line 1" in capsys.readouterr().err
