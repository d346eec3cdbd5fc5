"""What a visitor of the web page did before, and a part of the picture tried first."""

from __future__ import annotations

import io
import os
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import zspot
from tests.frontends.test_web_browser import (
    browser,
    choose_recipe,
    load_again,
    page,
    shown,
    start,
    upload,
)
from tests.images import tiny
from tests.waiting import until
from tests.web_help import TINY, files, sessions_in, url
from zspot.algorithms import METHODS
from zspot.files import Options, denoise_file
from zspot.frontends.job import Cancelled
from zspot.frontends.web import views

__all__ = ["browser", "files", "page", "url"]


def looked_at(page) -> str:
    return page.locator("#zs-which input").input_value()


def test_a_part_in_view_then_the_whole_then_the_page_again(page, files):
    noisy = np.tile(iio.imread(files / "noisy.png"), (5, 6, 1))
    iio.imwrite(files / "noisy.png", noisy)
    upload(page, files / "noisy.png")
    choose_recipe(page, files / "tiny.toml")
    page.get_by_label("Method", exact=True).click()  # with its time for this image
    page.get_by_role("option", name="dip (your image alone, 5 min 9 s)").wait_for()
    page.keyboard.press("Escape")
    whole = shown(page)["under"]
    page.get_by_text("400 %", exact=True).click()
    page.locator("#zs-try:not([disabled])").click()
    page.locator(".zs-trust").wait_for()
    name = looked_at(page)
    assert name.startswith("noisy, part ")
    assert name.endswith(f".tif ({TINY.method})")
    x, y, width, height = map(int, name.removeprefix("noisy, part ").split(".tif")[0].split(","))
    with page.expect_download() as got:
        page.locator("#zs-download").click()
    part = np.ascontiguousarray(noisy[y : y + height, x : x + width])
    assert part.shape[:2] == (height, width)
    assert part.size < noisy.size
    # the bytes that the other doors give of that part
    made = tifffile.imread(Path(got.value.path()))
    assert np.abs(made - zspot.denoise(part, TINY, channel_axis=2).astype(float)).max() <= 1
    start(page)  # the whole file
    page.wait_for_function(
        "document.querySelector('#zs-which input').value.startsWith('noisy.png')"
    )
    page.locator(".zs-trust").wait_for()
    assert shown(page)["under"] == whole
    load_again(page)
    page.locator(".zs-trust").wait_for()
    assert looked_at(page).startswith("noisy.png")
    assert shown(page)["under"] == whole
    # what was done before stays when another file is opened, and is no part of its download
    Image.fromarray(noisy[:40]).save(files / "other.png")
    upload(page, files / "other.png")
    page.wait_for_function("document.querySelector('#zs-which input').value == 'other.png'")
    page.locator(".zs-trust").wait_for(state="detached")
    page.get_by_label("Look at").click()
    page.get_by_role("option", name=f"noisy.png ({TINY.method})").click()
    page.locator(".zs-trust").wait_for()
    with page.expect_download() as got:
        page.locator("#zs-download").click()
    assert got.value.suggested_filename == "noisy-denoised.png"


@pytest.fixture
def sessions(tmp_path):
    with sessions_in(tmp_path, 10**6, AWAY_SECONDS=1.0) as made:
        yield made


def run(session, recipe: Path, axes: str | None = None, part=None) -> None:
    session.prepare(Options(axes=axes), str(recipe), part=part)
    for _ in session.run():
        pass


def shown_of(session) -> str:
    return views.pictures(session.current, 0, session.current.blended(0))


def test_who_loads_the_page_again_finds_his_files_and_nobody_else(files, sessions):
    first = sessions.back("", "first")
    first.open([files / "noisy.png"])
    run(first, files / "tiny.toml")
    folder = first.folder.name
    sessions.leave("first")
    assert sessions.back("session-of-another", "second") is not first
    assert sessions.back(folder, "third") is first
    assert first.current.results
    sessions.leave("third")
    until(lambda: not first.folder.exists())
    assert sessions.back(folder, "fourth") is not first


def test_earlier_results_give_way_when_there_is_no_room(files, sessions):
    session = sessions.get("one")
    for number in range(4):  # 9216 values each
        iio.imwrite(files / f"{number}.png", iio.imread(files / "noisy.png"))
        session.open([files / f"{number}.png"])
        run(session, files / "tiny.toml")
    assert [one.path.name for one in session.files] == ["3.png", "2.png", "1.png", "0.png"]
    iio.imwrite(files / "large.png", np.zeros((720, 1360), np.uint8))
    session.open([files / "large.png"])
    assert [one.path.name for one in session.files] == ["large.png", "3.png", "2.png"]
    session.open([])
    assert session.at is None
    assert len(session.files) == 2


def test_a_run_that_is_stopped_leaves_the_result_of_before(files, sessions):
    session = sessions.get("one")
    session.open([files / "noisy.png"])
    run(session, files / "tiny.toml")
    before = session.current.results
    session.blend(0.5, 0)
    session.prepare(Options(), str(files / "endless.toml"), part=(0, "4,4,24,24"))
    news = session.run()
    next(news)
    session.cancel()
    with pytest.raises(Cancelled):
        list(news)
    assert [one.path.name for one in session.files] == ["noisy.png"]
    assert session.current.results is before
    assert "strength 0.5" in shown_of(session)


def test_a_part_keeps_what_is_no_picture(files, sessions):
    stack = np.random.default_rng(0).normal(100, 5, (2, 48, 64)).astype(np.float32)
    stack[1, :20, :30] = -9999
    tifffile.imwrite(files / "holes.tif", stack, extratags=[(42113, "s", 0, "-9999", True)])
    session = sessions.get("one")
    session.open([files / "holes.tif"])
    run(session, files / "tiny.toml", part=(1, "10,10,40,30"))
    part = session.current
    hole = stack[1, 10:40, 10:50] == -9999
    assert np.array_equal(part.image.data == -9999, hole)
    assert np.array_equal(part.results[0].image[hole], stack[1, 10:40, 10:50][hole])
    for wrong in ("500,500,10,10", "0,0,1", "0,0,0,9", "x"):
        with pytest.raises(zspot.OptionError, match="the part cannot be tried"):
            run(session, files / "tiny.toml", part=(0, wrong))


def test_a_fourth_band_that_is_no_transparency_as_on_the_command_line(files, sessions):
    bands = np.random.default_rng(0).integers(0, 255, (24, 32, 4), dtype=np.uint8)
    Image.fromarray(bands, "RGBA").save(files / "bands.png")
    session = sessions.get("one")
    session.open([files / "bands.png"])
    run(session, files / "tiny.toml", "YXC")
    target = files / "expected.png"
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)  # as the page has for one visitor
    denoise_file(files / "bands.png", target, TINY, axes="YXC")
    torch.set_num_threads(before)
    assert np.array_equal(iio.imread(session.blend(1, 0)), iio.imread(target))
    assert len(session.current.places) == 4
    assert session.current.counted == [("Channel", 4)]
    run(session, files / "tiny.toml")  # and with the file's own letters again
    assert "earlier" not in shown_of(session)  # planes of other axes do not compare
    assert np.array_equal(iio.imread(session.blend(1, 0))[..., 3], bands[..., 3])


def test_a_plane_is_found_by_the_names_of_its_axes(page, files):
    stack = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 24, 32), dtype=np.uint8)
    tifffile.imwrite(files / "five.ome.tif", stack, metadata={"axes": "TCZYX"})
    upload(page, files / "five.ome.tif")
    for name, most in (("Time", 2), ("Channel", 3), ("Depth", 4)):
        slider = page.get_by_label(f"range slider for {name}")
        slider.wait_for()
        assert slider.get_attribute("max") == str(most)
    before = shown(page)["under"]
    page.get_by_label("range slider for Depth").press("End")
    page.get_by_label("range slider for Time").press("End")
    page.wait_for_function(f"document.querySelector('.zv-under').src != {before!r}")
    page.wait_for_function("document.querySelector('.zv-under').src.includes('before-15')")
    seen = np.asarray(Image.open(io.BytesIO(page.request.get(shown(page)["under"]).body())))
    assert np.array_equal(seen[..., 0], stack[1, 0, 3])


def test_many_axes_have_three_sliders(files, sessions):
    stack = np.random.default_rng(0).integers(0, 255, (2, 3, 2, 2, 20, 30), dtype=np.uint8)
    tifffile.imwrite(files / "six.tif", stack)
    session = sessions.get("one")
    assert session.open([files / "six.tif"]) == []
    session.current.axes = "QTCZYX"
    assert session.current.counted == [
        ("Plane of the stack and Time", 6),
        ("Channel", 2),
        ("Depth", 2),
    ]


def test_n2n_asks_for_the_second_image_and_gives_the_bytes_of_the_command_line(page, files):
    noisy = iio.imread(files / "noisy.png")
    iio.imwrite(files / "second.png", noisy[:, ::-1])
    iio.imwrite(files / "small.png", noisy[:20])
    recipe = zspot.Recipe.from_dict(METHODS["n2n"].make("fast").to_dict())
    recipe = tiny(recipe)
    (files / "n2n.toml").write_text(recipe.to_toml())
    upload(page, files / "noisy.png")
    page.locator(".zs-noise").wait_for()
    page.get_by_text("Options").click()
    page.get_by_label("Method", exact=True).click()
    page.get_by_role("option", name="n2n (your two images)").click()
    page.get_by_text("needs the second one").wait_for()
    start(page)
    page.get_by_role("alert").get_by_text("learns from two noisy images").wait_for()
    page.wait_for_timeout(1000)  # what was refused leaves the page as it was
    page.locator("#zs-start").get_by_text("Denoise").wait_for()
    assert shown(page)["under"]
    page.locator("#zs-recipe input[type=file]").set_input_files(files / "n2n.toml")
    page.locator("#zs-second input[type=file]").set_input_files(files / "small.png")
    page.locator("#zs-second .file-preview").wait_for()
    start(page)
    alert = page.get_by_role("alert").get_by_text("must show the same scene")
    alert.wait_for()
    assert "session-" not in alert.inner_text()
    page.locator("#zs-second").get_by_role("button", name="Clear").click()
    page.locator("#zs-second input[type=file]").set_input_files(files / "second.png")
    page.locator("#zs-second .file-preview").wait_for()
    start(page)
    page.locator(".zs-trust").wait_for()
    with page.expect_download() as got:
        page.locator("#zs-download").click()
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)  # as the page has for one visitor
    denoise_file(files / "noisy.png", files / "e.png", recipe, second=files / "second.png")
    torch.set_num_threads(before)
    assert Path(got.value.path()).read_bytes() == (files / "e.png").read_bytes()
