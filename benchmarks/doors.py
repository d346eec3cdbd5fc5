"""A newcomer's walk through each door, timed: until something is there, and until it reacts.

    python -m benchmarks.doors --out docs/results/doors.csv

Each step is walked several times, in processes of their own; the median counts. All doors get the
same picture and must give the same pixels. Needs the extras `web` and `napari`, Chromium, a screen
(`xvfb-run`) and the packages of the tests.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from zspot.frontends import SAMPLES

Told = Callable[[str, str, float], None]  # door, step, seconds
_TIMES = 3
_PATIENCE = 300_000  # milliseconds
_SCRIPT = """
import time; begun = time.perf_counter()
import imageio.v3 as iio, zspot
print(time.perf_counter() - begun)
iio.imwrite("python.png", zspot.denoise(iio.imread("noisy.png"), channel_axis=2))
print(time.perf_counter() - begun)
"""
_NAPARI = """
import time; begun = time.perf_counter()
import warnings; warnings.simplefilter("ignore")
import imageio.v3 as iio, napari
from qtpy.QtWidgets import QApplication

def until(there):
    while not there():
        QApplication.processEvents(); time.sleep(0.01)
    now = time.perf_counter() - begun
    print(now, flush=True)

viewer = napari.Viewer(show=True)
viewer.add_image(iio.imread("noisy.png"), rgb=True, name="noisy")
until(lambda: viewer.window._qt_window.isVisible())
_, widget = viewer.window.add_plugin_dock_widget("zspot", "Denoise")
until(lambda: widget.native.isVisible())
widget.begin()
until(lambda: "noisy denoised" in viewer.layers)
full = viewer.layers["noisy denoised"].data.copy()
widget.strength.value = 0.5
until(lambda: (viewer.layers["noisy denoised"].data != full).any())
iio.imwrite("napari.png", full)
viewer.close()
"""


def command_line(told: Told) -> None:
    """Help, and a picture."""
    told("command line", "zspot --help", _seconds("-m", "zspot", "--help"))
    walk = _seconds("-m", "zspot", "denoise", "noisy.png", "line.png")
    told("command line", "zspot denoise noisy.png clean.png", walk)
    Path("line.png").replace("command line.png")


def python(told: Told) -> None:
    """A script."""
    imported, done = map(float, _output("-c", _SCRIPT).split())
    told("Python", "import zspot", imported)
    told("Python", "read the file, denoise it, write the result", done - imported)


def napari(told: Told) -> None:
    """The plugin."""
    window, widget, result, strength = map(float, _output("-c", _NAPARI).split())
    told("napari", "until the window is there, with the picture", window)
    told("napari", "Plugins > Denoise", widget - window)
    told("napari", "Denoise, until the result is shown", result - widget)
    told("napari", "Strength, until the result has changed", strength - result)


def web(told: Told) -> None:
    """The page, in a browser."""
    from playwright.sync_api import sync_playwright

    door, begun = "web page", time.perf_counter()
    with _server() as url, sync_playwright() as made:
        told(door, "zspot web, until it prints its address", time.perf_counter() - begun)
        browser = made.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(_PATIENCE)
        begun = time.perf_counter()

        def step(name: str) -> None:
            nonlocal begun
            told(door, name, time.perf_counter() - begun)
            begun = time.perf_counter()

        page.goto(url)
        page.wait_for_selector("#zs-start")
        step("open it, until it can be used")
        painted = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        told(door, "first contentful paint", page.evaluate(painted) / 1000)
        begun = time.perf_counter()
        page.locator("#zs-file input[type=file]").set_input_files("noisy.png")
        page.wait_for_function("document.querySelector('.zv-under')?.naturalWidth > 0")
        step("drop a file, until picture and noise report are there")
        page.locator("#zs-start:not([disabled])").click()
        page.locator(".zs-trust").wait_for()
        step("Denoise, until the result and its verdict are there")
        before = page.evaluate("document.querySelector('.zv-over').src")
        with page.expect_download() as got:
            page.locator("#zs-download").click()
        shutil.copy(got.value.path(), "web page.png")
        begun = time.perf_counter()
        page.get_by_label("range slider for Strength").press("Home")
        page.wait_for_function(f"document.querySelector('.zv-over').src != {before!r}")
        step("Strength, until the picture has changed")
        page.reload()
        page.locator(".zs-trust").wait_for()
        step("load the page again, until the result is there")
        browser.close()


DOORS = {"command line": command_line, "Python": python, "web page": web, "napari": napari}


@contextmanager
def _server() -> Iterator[str]:
    command = [sys.executable, "-m", "zspot", "web", "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        try:
            yield found[0]
        finally:
            process.terminate()


def _output(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def _seconds(*arguments: str) -> float:
    begun = time.perf_counter()
    _output(*arguments)
    return time.perf_counter() - begun


def _same() -> None:
    """Stop if a door gave other pixels than the first."""
    made = [iio.imread(f"{name}.png") for name in DOORS if Path(f"{name}.png").exists()]
    for other in made[1:]:
        if not np.array_equal(made[0], other):
            raise SystemExit("the doors do not give the same pixels")


def main() -> None:
    """Walk and write a row for each step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--doors", nargs="*", default=list(DOORS), choices=list(DOORS))
    asked = parser.parse_args()
    out, seconds = asked.out.absolute(), defaultdict(list)

    def told(door: str, step: str, took: float) -> None:
        seconds[door, step].append(took)
        print(f"{door}: {step}: {took:.2f} s", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        shutil.copy(next(iter(SAMPLES.values())), "noisy.png")
        for _ in range(_TIMES):
            for door in asked.doors:
                DOORS[door](told)
        _same()
    with out.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["door", "step", "seconds"])
        for (door, step), took in seconds.items():
            writer.writerow([door, step, f"{statistics.median(took):.2f}"])


if __name__ == "__main__":
    main()
