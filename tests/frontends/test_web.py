"""The HTTP interface of the web page, and its command line."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import zspot
from tests.waiting import CEILING, until
from tests.web_help import TINY, command_line, files, server, sessions_in
from zspot.files import Options
from zspot.frontends import cli

__all__ = ["files"]


@pytest.fixture(scope="module")
def url():
    """A server that works on one image at a time."""
    with server("--jobs", "1") as (address, _):
        yield address


def temporary_folders() -> set[str]:
    import tempfile

    return {p.name for p in Path(tempfile.gettempdir()).glob("zspot-page-*")}


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
    assert report["trust"]["removed_level"] > 0


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
    blend = ["strength", "keep_detail"]
    assert names == ["file", "method", "effort", "seed", *blend, "recipe", "neighbours", "axes"]
    assert all(p["label"] for p in schema["/denoise"]["parameters"])


def test_files_of_others_and_of_the_computer_are_not_served(url, files):
    for path in ("/etc/passwd", str(files / "noisy.png"), "/tmp"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/gradio_api/file={path}")
        assert refused.value.code == 403
        refused.value.close()


def answer(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as said:
            return said.status
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_only_its_own_names_and_its_own_pages_are_answered(url):
    port = url.rpartition(":")[2]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost"):
        assert answer(url, Host=host) == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "[::", ""):
        assert answer(url, Host=host) in (400, 403)
    assert answer(url, Origin=url) == 200
    other = f"http://127.0.0.1:{int(port) - 1}"  # another page on this computer
    for origin in ("http://evil.example", "null", "file://", "http://[::", other):
        assert answer(url, Origin=origin) == 403
        assert answer(f"{url}/gradio_api/info", Origin=origin) == 403


def uploaded(url: str, path: Path, count: int = 1) -> list[str]:
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n%s\r\n'
    body = count * (part % (path.name.encode(), path.read_bytes())) + b"--x--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    request = urllib.request.Request(f"{url}/gradio_api/upload", data=body, headers=kind)
    with urllib.request.urlopen(request) as said:
        return json.loads(said.read())


def called(url: str, *values) -> str:
    """What the API says to a call, as curl would see it."""
    kind = {"Content-Type": "application/json"}
    where = f"{url}/gradio_api/call/denoise"
    data = json.dumps({"data": values}).encode()
    with urllib.request.urlopen(urllib.request.Request(where, data=data, headers=kind)) as begun:
        event = json.loads(begun.read())["event_id"]
    with urllib.request.urlopen(f"{where}/{event}") as said:
        return said.read().decode()


def test_a_call_with_values_of_a_wrong_type_is_one_line(url, files):
    meta = {"meta": {"_type": "gradio.FileData"}}
    image = {"path": uploaded(url, files / "noisy.png")[0], **meta}
    recipe = {"path": uploaded(url, files / "tiny.toml")[0], **meta}
    good = [image, "auto", "fast", 0, 1, 0, recipe, 0, ""]
    bad = [
        [], [image], ["/etc/passwd", *good[1:]], [3, *good[1:]], [{"path": 7}, *good[1:]],
        [image, ["a"], *good[2:]], [image, "auto", {"a": 1}, *good[3:]],
        *([image, "auto", "fast", seed, 1, 0, None, 0, ""] for seed in (1e300, "abc", None, -1)),
        *([*good[:4], share, 0, recipe, 0, ""] for share in ("x", None, [], 2)),
        [*good[:6], "x", 0, ""], *([*good[:7], beside, ""] for beside in (-1, "x", 99)),
        *([*good[:7], 0, axes] for axes in ("YX", "K", 7)),
    ]  # fmt: skip
    for values in bad:
        said = called(url, *values)
        assert "event: error" in said
        error = json.loads(said.partition("data: ")[2])["error"]
        assert 0 < len(error) < 400
        assert not any(odd in error for odd in ("\n", "Traceback", "Error", "0x"))
    assert '"state": "done"' in called(url, *good)


@pytest.mark.parametrize("name", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow)])
def test_stopped_during_a_job_it_ends_in_peace(files, name):
    from gradio_client import handle_file

    before = temporary_folders()
    with server() as (address, process):
        one = connected(address)
        job = one.submit(
            file=handle_file(files / "noisy.png"),
            recipe=handle_file(files / "endless.toml"),
            api_name="/denoise",
        )
        until(lambda: len(job.outputs()) >= 2)
        process.send_signal(signal.Signals[name])
        process.wait(CEILING)
        one.close()
    assert process.returncode == 0
    assert temporary_folders() <= before


@pytest.fixture
def sessions(tmp_path):
    with sessions_in(tmp_path, 10**8, IDLE_SECONDS=2.0) as made:
        yield made


def test_uploads_go_with_their_last_visitor_and_nobody_else(tmp_path, files, sessions):
    uploads = [shutil.copy(files / "noisy.png", files / f"{n}.png") for n in range(2)]
    first, second = sessions.get("first"), sessions.get("second")
    first.kept = second.kept = math.inf
    for path in uploads:
        first.open([path])
    second.open([uploads[1]])
    first.prepare(Options(), str(files / "tiny.toml"))
    sessions.close("first")
    assert [path.exists() for path in uploads] == [False, True]
    assert not (files / "tiny.toml").exists()
    sessions.close_all()
    assert not any(path.exists() for path in uploads)
    assert not list(tmp_path.glob("session-*"))


def test_a_folder_that_was_given_as_a_file_is_no_upload(files, sessions):
    first = sessions.get("first")
    upload = Path(shutil.copy(files / "noisy.png", files / "own.png"))
    first.open([upload])
    with pytest.raises(Exception, match="folder"):
        first._opened(files, 10**6)
    first.take(files)
    upload.unlink()
    upload.mkdir()  # and what cannot be removed does not stop the rest
    sessions.close("first")
    assert files.is_dir()
    assert not list(files.parent.glob("session-*/*"))


def test_who_leaves_does_not_take_what_another_has_just_sent(files, sessions):
    upload = shutil.copy(files / "noisy.png", files / "same.png")
    first = sessions.get("first")
    first.open([upload])
    first.prepare(Options(), str(files / "tiny.toml"))
    for path in (upload, files / "tiny.toml"):  # the same content goes to the same place
        shutil.copy(path, files / "sent")
        (files / "sent").rename(path)
    sessions.close("first")
    assert upload.exists()
    assert (files / "tiny.toml").exists()
    second = sessions.get("second")
    assert second.open([upload]) == []
    second.prepare(Options(), str(files / "tiny.toml"))
    sessions.close("second")
    assert not upload.exists()
    assert not (files / "tiny.toml").exists()


def test_who_left_without_a_word_is_forgotten_but_not_who_waits_or_looks(files, sessions):
    looking, working, gone = (sessions.get(name) for name in ("looking", "working", "gone"))
    looking.kept = math.inf
    working.kept = math.inf  # until it works: a busy machine may take longer to start
    working.open([files / "noisy.png"])
    working.prepare(Options(), str(files / "endless.toml"))
    news = working.run()
    next(news)
    working.kept = 2.0
    until(lambda: not gone.folder.exists(), lambda: next(news))
    assert looking.folder.exists()
    assert working.folder.exists()
    news.close()
    until(lambda: not working.folder.exists())
    assert looking.folder.exists()


CURL = r"""
set -eu
path=$(curl -sf -F "files=@$IMAGE" "$URL/gradio_api/upload" | sed 's/^\["//; s/"\]$//')
file="{\"path\": \"$path\", \"meta\": {\"_type\": \"gradio.FileData\"}}"
event=$(curl -sf -H "Content-Type: application/json" \
  -d "{\"data\": [$file, \"auto\", \"fast\", 0, 1, 0, null, 0, \"\"]}" \
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
    with server(
        "--auth", str(tmp_path / "users.txt"), "--max-megabytes", "1",
        "--allowed-host", "cat.example",
    ) as (url, process):  # fmt: skip
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
        for path in ("reset", "cancel", "upload", "queue/join", "call/denoise", "heartbeat/x"):
            assert answer(f"{url}/gradio_api/{path}") == 401
            with pytest.raises(urllib.error.HTTPError, match="401") as refused:
                urllib.request.urlopen(f"{url}/gradio_api/{path}", b"{}")
            refused.value.close()
        assert answer(url, Host="cat.example") == 200
    assert process.returncode == 0
    assert temporary_folders() <= before


@pytest.mark.slow  # a second server takes a while to start
def test_uploads_may_not_fill_the_disk(files):
    with server("--max-megabytes", "1") as (address, _):
        with pytest.raises(urllib.error.HTTPError, match="413") as refused:
            uploaded(address, files / "noisy.png", 1000)
        refused.value.close()
        for number in range(19):
            (files / "part.npy").write_bytes(bytes([number]) * 1_000_000)
            uploaded(address, files / "part.npy")
        (files / "part.npy").write_bytes(bytes([100]) * 1_000_000)
        with pytest.raises(urllib.error.HTTPError, match="413") as refused:
            uploaded(address, files / "part.npy")
        refused.value.close()


def test_bad_use_is_one_line(tmp_path, capsys):
    (tmp_path / "users.txt").write_text("ada\n")
    with pytest.raises(SystemExit) as stopped:
        cli.main(["web", "--auth", str(tmp_path / "users.txt")])
    assert stopped.value.code == 2
    assert "line 1" in capsys.readouterr().err
