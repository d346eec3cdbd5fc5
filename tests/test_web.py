"""The web page: its HTTP interface, and the page in a browser (slow)."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, PngImagePlugin

import zspot
from tests.conftest import tiny
from zspot.algorithms import bsn_ins
from zspot.frontends import cli
from zspot.io import read

TINY = tiny(bsn_ins.recipe("fast"), steps=2)
LONG = tiny(bsn_ins.recipe("fast"), steps=5000)
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SECONDS = 60_000  # how long to wait for the page, in ms: machines that test are busy


def temporary_folders() -> set[str]:
    import tempfile

    return {p.name for p in Path(tempfile.gettempdir()).glob("zspot-web-*")}


@contextmanager
def server(*options: str):
    """Serve the page with the command line, as a user does."""
    pytest.importorskip("gradio", reason="gradio is not installed")
    process = subprocess.Popen(
        [sys.executable, "-m", "zspot", "web", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    if found is None:
        process.kill()
        pytest.fail(f"no address: {line} {process.communicate()[1]}")
    try:
        yield found[0], process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()
        process.stderr.close()


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
    (tmp_path / "long.toml").write_text(LONG.to_toml())
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    return tmp_path


def command_line(files: Path, *options: str) -> bytes:
    target = files / "cli.png"
    arguments = ["denoise", files / "noisy.png", target, "--recipe", files / "tiny.toml", *options]
    with pytest.raises(SystemExit):
        cli.main([str(a) for a in [*arguments, "--quiet"]])
    return target.read_bytes()


@pytest.fixture
def client(url):
    gradio_client = pytest.importorskip("gradio_client", reason="gradio is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        made = gradio_client.Client(url, verbose=False, analytics_enabled=False)
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
        recipe=handle_file(files / "long.toml"),
        api_name="/denoise",
    )
    end = time.monotonic() + 120
    while len(job.outputs()) < 3:
        assert time.monotonic() < end
        time.sleep(0.05)
    done = [out[1]["done"] for out in job.outputs()]
    assert done == sorted(done)
    assert done[-1] < 1
    assert "left" in job.outputs()[-1][1]["left"]
    job.cancel()
    # The core is free again at once, or this would wait for 5000 steps.
    report = client.predict(handle_file(files / "noisy.png"), api_name="/noise")
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
    subprocess.run(["bash", "-c", CURL], cwd=files, env=environment, check=True, timeout=300)
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
        gradio_client = pytest.importorskip("gradio_client")
        one = gradio_client.Client(
            url, auth=("ada", "secret"), verbose=False, analytics_enabled=False
        )
        (files / "large.npy").write_bytes(b"\x93NUMPY" + bytes(2_000_000))
        with pytest.raises(Exception, match=r"(?i)413|size|too large"):
            one.predict(gradio_client.handle_file(files / "large.npy"), api_name="/noise")
        one.close()
    assert process.returncode == 0
    assert temporary_folders() <= before


def test_bad_use_is_one_line(tmp_path, capsys):
    (tmp_path / "users.txt").write_text("ada\n")
    with pytest.raises(SystemExit) as stopped:
        cli.main(["web", "--auth", str(tmp_path / "users.txt")])
    assert stopped.value.code == 2
    assert "line 1" in capsys.readouterr().err


# ---- in a browser


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no browser: apt-get install chromium")
    with playwright.sync_playwright() as made:
        one = made.chromium.launch(executable_path=path, args=CHROMIUM)
        yield one
        one.close()


@pytest.fixture
def page(browser, url):
    with visit(browser, url) as one:
        yield one


@contextmanager
def visit(browser, url: str, **options):
    """A visitor with a session of his own, whose console must show no error.

    Gradio itself warns "Method not implemented" there at every upload.
    """
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda m: said.append(f"{m.type}: {m.text} {m.location['url']}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_default_timeout(SECONDS)
    page.goto(url)
    page.wait_for_selector("#zs-start")
    yield page
    context.close()
    assert [line for line in said if line.startswith("error")] == []


def upload(page, path: Path) -> None:
    page.locator("#zs-file input[type=file]").set_input_files(path)


def choose_recipe(page, path: Path) -> None:
    page.get_by_text("Options").click()
    page.locator("#zs-recipe input[type=file]").set_input_files(path)
    page.get_by_text(path.name).wait_for()


def start(page) -> None:
    page.locator("#zs-start:not([disabled])").click()


def shown(page) -> dict:
    """What the viewer was told to show."""
    return json.loads(page.evaluate("document.querySelector('.zv-under').src && JSON.stringify({"
        "under: document.querySelector('.zv-under').src,"
        "over: document.querySelector('.zv-over').src,"
        "width: document.querySelector('.zv-canvas').getBoundingClientRect().width})"))  # fmt: skip


@pytest.mark.slow
def test_upload_run_compare_strength_download(page, files):
    upload(page, files / "noisy.png")
    page.locator(".zs-noise").get_by_text("The noise is").wait_for()
    choose_recipe(page, files / "tiny.toml")
    start(page)
    page.locator(".zs-trust").wait_for()
    # compare: before left, after right, and the divider moves with the arrow keys
    divider = page.get_by_label("Divider between before and after, per cent")
    clip = page.locator(".zv-over").evaluate("e => e.style.clipPath")
    divider.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".zv-over").evaluate("e => e.style.clipPath") != clip
    for label, times in (("100 %", 1), ("200 %", 2), ("400 %", 4)):
        page.get_by_text(label, exact=True).click()
        assert shown(page)["width"] == 64 * times
    sizes = page.evaluate("[...document.querySelectorAll('.zv-canvas img')].map(i => i.width)")
    assert sizes[0] == sizes[1]  # both pictures have the zoom
    for view in ("Removed", "Uncertainty", "After", "Before / after"):
        page.get_by_text(view, exact=True).click()
        assert page.evaluate("document.querySelector('.zv-under').naturalWidth") == 64 or (
            page.wait_for_function("document.querySelector('.zv-under').naturalWidth == 64")
        )
    with page.expect_download() as got:
        page.locator("#zs-download").click()
    assert got.value.suggested_filename == "noisy-denoised.png"
    full = Path(got.value.path()).read_bytes()
    assert full == command_line(files)
    # strength 0 is the input again, without another run
    after = shown(page)["over"]
    page.get_by_label("number input for Strength").fill("0")
    page.get_by_label("number input for Strength").press("Enter")
    page.get_by_label("range slider for Strength").press("Home")
    page.wait_for_function(f"document.querySelector('.zv-over').src != {after!r}")
    with page.expect_download() as got:
        page.locator("#zs-download").click()
    target = files / "zero.png"
    target.write_bytes(Path(got.value.path()).read_bytes())
    zero, noisy = read(target), read(files / "noisy.png")
    assert np.array_equal(zero.data, noisy.data)
    assert zero.metadata["resolution"] == noisy.metadata["resolution"]


@pytest.mark.slow
def test_cancel_stops_and_a_bad_file_is_told(page, files):
    upload(page, files / "noisy.png")
    choose_recipe(page, files / "long.toml")
    start(page)
    page.get_by_text(re.compile(r"learning: \d+ %, about")).wait_for()
    bar = page.get_by_role("progressbar")
    assert 0 <= int(bar.get_attribute("aria-valuenow")) < 100
    page.locator("#zs-stop").click()
    page.get_by_text("Cancelled: nothing was changed.").wait_for()
    page.locator("#zs-start:not([disabled])").wait_for()
    assert page.locator(".zs-trust").count() == 0
    page.get_by_role("button", name="Clear").first.click()
    upload(page, files / "bad.png")
    alert = page.get_by_role("alert")
    alert.get_by_text("bad.png").wait_for()
    assert page.locator("#zs-start").is_disabled()


@pytest.mark.slow
def test_two_at_once_see_their_own(browser, url, files):
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 56), dtype=np.uint8)).save(
        files / "other.png"
    )
    with visit(browser, url) as one, visit(browser, url) as two:
        for page, name in ((one, "noisy.png"), (two, "other.png")):
            upload(page, files / name)
            page.locator(".zs-noise").wait_for()
            choose_recipe(page, files / "tiny.toml")
        start(one)
        start(two)
        for page, name in ((one, "noisy"), (two, "other")):
            page.locator(".zs-trust").wait_for()
            with page.expect_download() as got:
                page.locator("#zs-download").click()
            assert got.value.suggested_filename == f"{name}-denoised.png"
        folders = {re.search(r"session-\w+", shown(page)["under"])[0] for page in (one, two)}
        assert len(folders) == 2
        address = shown(two)["under"]
        assert one.request.get(address).ok
    # Who leaves takes his files with him.
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(address).close()
        except urllib.error.HTTPError as gone:
            gone.close()
            break
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.slow
def test_an_example_a_stack_and_a_phone(browser, url):
    phone = {"width": 390, "height": 844}
    with visit(browser, url, viewport=phone, has_touch=True) as page:
        page.get_by_role("button", name="Stack of four planes").click()
        page.get_by_text("of the first of 4 planes").wait_for()
        assert page.locator("#zs-plane").is_visible()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= phone["width"] + 2  # nothing sticks out sideways
        before = shown(page)["under"]
        page.locator("#zs-plane input[type=range]").press("End")
        page.wait_for_function(f"document.querySelector('.zv-under').src != {before!r}")


@pytest.mark.slow
def test_keyboard_and_labels(page, files):
    upload(page, files / "noisy.png")
    page.locator(".zs-noise").wait_for()
    choose_recipe(page, files / "tiny.toml")
    page.locator("#zs-start:not([disabled])").focus()
    page.keyboard.press("Enter")
    page.locator(".zs-trust").wait_for()
    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, input, select, textarea')].filter(e =>
          e.offsetParent && !(e.labels && e.labels.length) && !e.ariaLabel && !e.title
          && !e.getAttribute('aria-labelledby') && !e.textContent.trim()).map(e => e.outerHTML)"""
    )
    assert unnamed == []
    without = page.evaluate("[...document.images].filter(i => i.offsetParent && "
                            "!i.hasAttribute('alt')).map(i => i.src)")  # fmt: skip
    assert without == []
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(
            page.evaluate("""(() => { const e = document.activeElement;
          return e.name || e.ariaLabel || e.textContent.trim().slice(0, 20); })()""")
        )
    assert {"zv-view", "zv-zoom"} <= seen
    assert any("Download" in name for name in seen)
    assert any("Strength" in name for name in seen)
