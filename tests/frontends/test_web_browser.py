"""The web page in a browser; skipped where there is none."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import urllib.error
import urllib.request
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zspot
from tests.waiting import CEILING, until
from tests.web_help import TINY, command_line, files, url
from zspot.io import read
from zspot.recipe import Recipe

__all__ = ["files", "url"]

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 1000 * CEILING  # milliseconds, as playwright counts


# ---- in a browser


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no browser: apt-get install chromium")
    with playwright.sync_playwright() as made:
        one = made.chromium.launch(executable_path=path, args=CHROMIUM, timeout=PATIENCE)
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
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    page.wait_for_selector("#zs-start")
    try:
        yield page
    finally:
        context.close()
    assert [line for line in said if line.startswith("error")] == []


def load_again(page) -> None:
    """Load the page again; of the one that is left, gradio reports each connection that it cuts."""
    page.evaluate("console.error = () => {}")
    page.reload()


def upload(page, path: Path) -> None:
    page.locator("#zs-file input[type=file]").set_input_files(path)


def choose_recipe(page, path: Path) -> None:
    page.locator(".zs-noise").wait_for()  # the page is at rest again after the upload
    page.get_by_text("Options").click()
    page.locator("#zs-recipe").wait_for()
    page.locator("#zs-recipe input[type=file]").set_input_files(path)
    page.locator("#zs-recipe .file-preview").wait_for()


def start(page) -> None:
    page.locator("#zs-start:not([disabled])").click()


def shown(page) -> dict:
    """What the viewer was told to show."""
    page.wait_for_function("document.querySelector('.zv-under')?.src")
    return json.loads(page.evaluate("JSON.stringify({"
        "under: document.querySelector('.zv-under').src,"
        "over: document.querySelector('.zv-over').src,"
        "width: document.querySelector('.zv-canvas').getBoundingClientRect().width})"))  # fmt: skip


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


def test_several_files_one_after_another_into_a_zip(page, files):
    for number, axis in ((2, 0), (3, 1)):
        shutil.copy(files / "noisy.png", files / f"noisy{number}.png")
        flipped = np.flip(np.asarray(Image.open(files / "noisy.png")), axis)
        Image.fromarray(flipped).save(files / f"noisy{number}.png")
    names = ["noisy.png", "noisy2.png", "noisy3.png"]
    page.locator("#zs-file input[type=file]").set_input_files([files / n for n in names])
    choose_recipe(page, files / "tiny.toml")
    start(page)
    page.locator(".zs-trust").wait_for()
    before = shown(page)["under"]
    page.get_by_label("Look at").click()
    page.get_by_role("option", name="noisy2.png").click()
    page.wait_for_function(f"document.querySelector('.zv-under').src != {before!r}")
    page.locator(".zs-trust").wait_for()
    page.get_by_label("number input for Strength").fill("0")
    page.get_by_label("range slider for Strength").press("Home")
    with page.expect_download() as got:
        page.locator("#zs-download").click()
    assert got.value.suggested_filename == "denoised.zip"
    with zipfile.ZipFile(got.value.path()) as packed:
        made = {n: np.asarray(Image.open(io.BytesIO(packed.read(n)))) for n in packed.namelist()}
    assert sorted(made) == [n.replace(".png", "-denoised.png") for n in names]
    own = {n: np.asarray(Image.open(files / n)) for n in names}
    assert np.array_equal(made["noisy2-denoised.png"], own["noisy2.png"])
    alone = np.asarray(Image.open(io.BytesIO(command_line(files))))
    assert np.array_equal(made["noisy-denoised.png"], alone)
    # a second run beside the first, and the recipe that ran
    start(page)
    page.locator("#zs-used").wait_for()
    page.get_by_text("Earlier / after", exact=True).click()
    page.get_by_text("of the run before; right").wait_for()
    with page.expect_download() as got:
        page.locator("#zs-used").click()
    assert Recipe.load(Path(got.value.path())) == TINY


def test_download_waits_for_the_strength_shown(page, files):
    large = np.random.default_rng(0).integers(0, 255, (420, 540, 3), dtype=np.uint8)
    Image.fromarray(large).save(files / "large.png")
    upload(page, files / "large.png")
    choose_recipe(page, files / "tiny.toml")
    start(page)
    page.locator(".zs-trust").wait_for()
    slider = page.get_by_label("range slider for Strength")
    for key in ("ArrowLeft", "ArrowLeft", "Home"):
        slider.press(key)
    with page.expect_download() as got:
        page.locator("#zs-download").click()
    assert np.array_equal(np.asarray(Image.open(got.value.path())), large)
    start(page)  # a new result is offered at once
    page.locator("#zs-stop[disabled]").wait_for()
    page.locator("#zs-download:not([disabled])").wait_for()


def test_axes_and_neighbours_as_through_the_other_doors(page, files):
    stack = np.random.default_rng(0).integers(0, 255, (32, 3, 40), dtype=np.uint8)
    np.save(files / "odd.npy", stack)
    upload(page, files / "odd.npy")
    choose_recipe(page, files / "tiny.toml")
    page.get_by_label("Axes").fill("YTX")
    page.get_by_label("Neighbours").fill("1")
    start(page)
    page.locator(".zs-trust").wait_for()
    assert page.locator("#zs-plane0 input[type=range]").get_attribute("max") == "3"
    with page.expect_download() as got:
        page.locator("#zs-download").click()
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)  # as the page has for one visitor
    expected = zspot.denoise(stack, TINY, axes="YTX", neighbours=1)
    torch.set_num_threads(before)
    assert np.array_equal(np.load(got.value.path()), expected)


def test_cancel_stops_and_a_bad_file_is_told(page, files):
    upload(page, files / "noisy.png")
    choose_recipe(page, files / "endless.toml")
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
        assert one.request.get(address, timeout=PATIENCE).ok
    until(lambda: is_gone(address))  # who leaves takes his files with him


def is_gone(address: str) -> bool:
    try:
        urllib.request.urlopen(address).close()
    except urllib.error.HTTPError as gone:
        gone.close()
        return True
    return False


def test_an_example_a_stack_and_a_phone(browser, url):
    phone = {"width": 390, "height": 844}
    with visit(browser, url, viewport=phone, has_touch=True) as page:
        page.get_by_role("button", name="Stack of four planes").click()
        page.get_by_text("of the first of 4 planes").wait_for()
        page.locator("#zs-plane0").wait_for()
        for zoom in ("Fit", "400 %"):
            page.get_by_text(zoom, exact=True).click()
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= phone["width"] + 2, zoom  # nothing sticks out sideways
        before = shown(page)["under"]
        page.locator("#zs-plane0 input[type=range]").press("End")
        page.wait_for_function(f"document.querySelector('.zv-under').src != {before!r}")


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
    page.get_by_label("Method", exact=True).click()
    page.get_by_role("option", name="bsn-ins (your image alone, ").wait_for()
    page.keyboard.press("Escape")
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


PASTE = """async (address) => {
  const blob = await (await fetch(address)).blob();
  const data = new DataTransfer();
  data.items.add(new File([blob], "pasted.png", { type: "image/png" }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
}"""


def test_wheel_double_click_tone_and_clipboard(page, files):
    upload(page, files / "noisy.png")
    choose_recipe(page, files / "tiny.toml")
    start(page)
    page.locator(".zs-trust").wait_for()
    stage, fit = page.locator(".zv-stage"), shown(page)["width"]
    corner = {"x": 40, "y": 40}
    stage.hover(position=corner)
    page.mouse.wheel(0, -100)
    page.wait_for_function(
        f"document.querySelector('.zv-canvas').getBoundingClientRect().width > {1.15 * fit}"
    )
    stage.dblclick(position=corner)
    assert shown(page)["width"] == 64
    stage.dblclick(position=corner)
    assert shown(page)["width"] == fit
    page.get_by_label("Brightness of the display, in stops").press("End")
    drawn = "[...document.querySelectorAll('.zv-canvas img')].map(i => i.style.filter)"
    assert all("zv-curve" in one for one in page.evaluate(drawn))
    page.get_by_text("Removed", exact=True).click()
    assert page.evaluate(drawn) == ["", ""]
    details = page.locator(".zs-trust details")
    assert not details.locator("table").is_visible()
    details.get_by_text("Details").click()
    details.get_by_text("The recipe was given.").wait_for()
    page.evaluate(PASTE, shown(page)["under"])
    page.get_by_text("pasted").first.wait_for()
    page.locator(".zs-trust").wait_for(state="detached")


def test_the_result_comes_into_sight_on_a_phone(browser, url, files):
    with visit(browser, url, viewport={"width": 390, "height": 844}, has_touch=True) as page:
        upload(page, files / "noisy.png")
        choose_recipe(page, files / "tiny.toml")
        start(page)
        page.locator(".zs-trust").wait_for()
        page.wait_for_function(
            "document.querySelector('.zv-frame').getBoundingClientRect().bottom < innerHeight"
        )
