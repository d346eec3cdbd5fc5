"""Make the screenshots of docs/web.md and docs/napari.md.

Usage: python docs/scripts/screenshots.py FOLDER

The page needs playwright and chromium, napari a Qt binding and a screen (`xvfb-run -a`).
"""

from __future__ import annotations

import shutil
import sys
import time
import warnings
from pathlib import Path

CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
WAIT = 300_000  # ms


def web(folder: Path) -> None:
    """Picture the page during and after a run, on a wide and a phone-wide screen."""
    from playwright.sync_api import sync_playwright

    from zspot.frontends.web import Settings, serving

    with serving(Settings(port=0, jobs=0)) as (_, url), sync_playwright() as made:
        browser = made.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(WAIT)
        page.goto(url)
        page.get_by_role("button", name="Cell, 16-bit").click()
        page.locator(".zs-noise").wait_for()
        page.locator("#zs-start:not([disabled])").click()
        page.get_by_text("left").wait_for()
        page.screenshot(path=folder / "web-running.png")
        page.locator(".zs-trust").wait_for()
        page.wait_for_timeout(2000)
        page.screenshot(path=folder / "web-done.png", full_page=True)
        page.get_by_text("Removed", exact=True).click()
        page.get_by_text("400 %", exact=True).click()
        page.wait_for_timeout(1000)
        page.locator("#zs-viewer").screenshot(path=folder / "web-removed.png")
        page.get_by_text("Before / after", exact=True).click()
        page.get_by_text("Fit", exact=True).click()
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / "web-phone.png", full_page=True)
        browser.close()


def napari_viewer(folder: Path) -> None:
    """Picture the dock widget after a run."""
    warnings.simplefilter("ignore")
    import napari
    import npe2
    from qtpy.QtWidgets import QApplication

    import zspot.frontends.napari as plugin
    from zspot.frontends.napari._commands import denoise_stack, dots_layer

    manager = npe2.PluginManager.instance()
    if "zspot" not in manager:
        manifest = Path(plugin.__file__).with_name("napari.yaml")
        manager.register(npe2.PluginManifest.from_file(manifest))
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 900)
    data, options, _ = dots_layer()[0]
    viewer.add_image(data, **options)
    denoise_stack(viewer)
    while len(viewer.layers) == 1:
        QApplication.processEvents()
        time.sleep(0.02)
    viewer.grid.enabled = True
    viewer.reset_view()
    for _ in range(50):
        QApplication.processEvents()
        time.sleep(0.02)
    viewer.screenshot(str(folder / "napari.png"), canvas_only=False)
    viewer.close()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    web(folder)
    napari_viewer(folder)
