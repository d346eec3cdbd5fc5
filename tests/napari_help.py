"""A napari viewer on a screen that nobody sees, and the widget in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.images import tiny
from tests.waiting import CEILING, until
from zspot.algorithms import bsn_ins

RECIPE = tiny(bsn_ins.recipe("fast"), steps=1)
ENDLESS = tiny(bsn_ins.recipe("fast"), steps=50_000)
RNG = np.random.default_rng(0)


INSTALL = (
    "apt-get install xvfb libgl1-mesa-dri libegl1 libxcb-cursor0 libxcb-icccm4 libxcb-image0 "
    "libxcb-keysyms1 libxcb-render-util0 libxcb-xkb1 libxkbcommon-x11-0"
)


def skip_without_window() -> None:
    """Skip where Qt lacks a library: it would not raise an error but end the whole process."""
    command = [sys.executable, "-c", "from qtpy.QtWidgets import QApplication; QApplication([])"]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=CEILING, check=False)
    if tried.returncode != 0:
        said = " ".join(tried.stderr.split())[-200:]
        pytest.skip(f"Qt opens no window ({said}): {INSTALL}")


@pytest.fixture(scope="session")  # Qt stays with the screen that it has found first
def screen():
    """A screen that nobody sees. Qt's own off-screen platform has no OpenGL, which napari needs."""
    pytest.importorskip("qtpy", reason="no Qt binding for napari", exc_type=ImportError)
    if os.environ.get("DISPLAY") or sys.platform != "linux":
        skip_without_window()
        yield
        return
    if shutil.which("Xvfb") is None:
        pytest.skip(f"no DISPLAY and no Xvfb: {INSTALL}")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x1024x24"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL, **quiet)
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    try:
        if not number:
            pytest.skip("Xvfb does not start")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("QT_QPA_PLATFORM", "xcb")
            patch.setenv("DISPLAY", f":{number}")
            skip_without_window()
            yield
    finally:
        server.terminate()
        server.wait(CEILING)


@pytest.fixture(scope="module")
def napari(screen):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("napari", reason="napari is not installed")
        try:
            import napari.qt  # noqa: F401
        except Exception as error:
            pytest.skip(f"napari finds no Qt binding: {error}")
        import npe2

        manager = npe2.PluginManager.instance()
        if "zspot" not in manager:
            manager.register(manifest())
    return module


def manifest():
    import npe2

    import zspot.frontends.napari as plugin

    return npe2.PluginManifest.from_file(Path(plugin.__file__).with_name("napari.yaml"))


@pytest.fixture
def viewer(napari):
    made = napari.Viewer(show=False)
    yield made
    made.close()


def wait(condition) -> None:
    """Wait for a condition while Qt goes on."""
    from qtpy.QtWidgets import QApplication

    def go_on() -> None:
        QApplication.processEvents()
        time.sleep(0.01)

    until(condition, go_on)


@pytest.fixture
def widget(viewer, tmp_path):
    from zspot.frontends.napari._widget import DenoiseWidget

    _, made = viewer.window.add_plugin_dock_widget("zspot", "Denoise")
    assert isinstance(made, DenoiseWidget)
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE.to_toml())
    made.method.value = "recipe file"
    made.recipe.value = path
    return made


def run(widget) -> None:
    widget.layer.reset_choices()
    widget.choose_selected()
    widget.begin()
    assert widget.stop.enabled
    assert not widget.start.enabled
    wait(lambda: not widget.stop.enabled)


def noisy(*shape: int) -> np.ndarray:
    return RNG.normal(100, 10, shape).astype(np.float32)


def press(widget) -> None:
    """Press Denoise and wait for the end."""
    widget.start.native.click()
    assert widget.stop.enabled
    wait(lambda: not widget.stop.enabled)


def names(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


@pytest.fixture
def told():
    """What the user was told, newest last."""
    from napari.utils.notifications import notification_manager

    notification_manager.records.clear()
    return lambda: [record.message for record in notification_manager.records]
