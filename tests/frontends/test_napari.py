"""The napari plugin in a real viewer, on a screen that nobody sees."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import zspot
from tests.napari_help import (
    ENDLESS,
    RECIPE,
    RNG,
    manifest,
    napari,
    run,
    screen,
    viewer,
    wait,
    widget,
)
from tests.waiting import CEILING
from zspot.core.errors import ImageError

__all__ = ["napari", "screen", "viewer", "widget"]

# They warn of their own use of pydantic and numpy while they are imported.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def test_the_manifest_is_valid_and_every_command_is_there(napari):
    found = manifest()
    found.validate_imports()
    commands = {c.id for c in found.contributions.commands}
    used = {s.command for s in found.contributions.sample_data}
    assert used < commands


def test_a_stack_keeps_scale_units_and_metadata(viewer, widget):
    stack = RNG.integers(0, 4000, (2, 20, 24)).astype(np.uint16)
    before = stack.copy()
    viewer.add_image(
        stack, name="cells", scale=(2, 0.5, 0.5), translate=(1, 2, 3), metadata={"dye": "GFP"},
        units=("um", "um", "um"), axis_labels=("z", "y", "x"), colormap="green",
    )  # fmt: skip
    widget.seed.value = 7
    run(widget)
    out = viewer.layers["cells denoised"]
    source = viewer.layers["cells"]
    for name in ("scale", "translate", "units", "axis_labels"):
        assert np.array_equal(getattr(out, name), getattr(source, name)), name
    assert out.metadata["dye"] == "GFP"
    assert out.metadata["zspot"]["seed"] == 7
    assert out.colormap.name == "green"
    for plane, noisy in zip(out.data, before, strict=True):
        assert np.array_equal(plane, zspot.denoise(noisy, RECIPE, seed=7))
    assert np.array_equal(source.data, before)


def test_planes_of_a_layer_help_each_other(viewer, widget):
    rows, columns = np.indices((40, 44))
    stack = 1000 + 500 * np.sin(rows / 6) * np.cos(columns / 7) + RNG.normal(0, 90, (3, 40, 44))
    viewer.add_image(stack.astype(np.float32), name="cells", axis_labels=("z", "y", "x"))
    widget.beside.value = 1
    run(widget)
    expected = zspot.denoise(stack.astype(np.float32), RECIPE, axes="QYX", neighbours=1)
    assert np.array_equal(viewer.layers["cells denoised"].data, expected)


def test_the_current_plane_lies_where_it_was(viewer, widget):
    stack = RNG.integers(0, 200, (3, 20, 24)).astype(np.uint8)
    viewer.add_image(stack, name="s", scale=(2, 0.5, 0.5), translate=(10, 0, 0))
    viewer.dims.set_point(0, 14)  # the third plane
    widget.scope.value = "current plane"
    run(widget)
    out = viewer.layers["s denoised"]
    assert out.data.shape == (1, 20, 24)
    assert np.allclose(out.data_to_world((0, 5, 6)), viewer.layers["s"].data_to_world((2, 5, 6)))
    assert np.array_equal(out.data[0], zspot.denoise(stack[2], RECIPE))


def test_colour_is_denoised_together_and_alpha_kept(viewer, widget):
    picture = RNG.integers(0, 255, (20, 24, 4), dtype=np.uint8)
    viewer.add_image(picture, name="p", rgb=True)
    run(widget)
    out = viewer.layers["p denoised"]
    assert out.rgb
    assert np.array_equal(out.data[..., 3], picture[..., 3])
    assert np.array_equal(
        out.data[..., :3], zspot.denoise(picture[..., :3], RECIPE, channel_axis=-1)
    )


def test_strength_after_the_run(viewer, widget):
    picture = RNG.normal(size=(20, 24)).astype(np.float32)
    viewer.add_image(picture, name="p")
    run(widget)
    out = viewer.layers["p denoised"]
    result = zspot.run(picture, RECIPE)
    widget.strength.value = 0.5
    wait(lambda: np.array_equal(out.data, result.blend(0.5)))
    widget.keep.value = 1.0
    wait(lambda: np.array_equal(out.data, result.blend(0.5, 1)))
    widget.removed.value = True
    wait(lambda: "p denoised removed" in viewer.layers)
    assert np.allclose(viewer.layers["p denoised removed"].data, picture - out.data)
    widget.strength.value = 0
    wait(lambda: np.array_equal(out.data, picture))
    viewer.layers.remove(out)
    widget.strength.value = 1  # the layer is gone: nothing to do, no error
    assert not widget.strength.enabled


def test_what_was_removed_of_a_layer_with_holes(viewer, widget):
    plane = np.random.default_rng(0).normal(0, 1, (32, 40)).astype(np.float32)
    plane[:8], plane[20, 20] = np.nan, np.inf
    viewer.add_image(plane, name="holes")
    run(widget)
    widget.removed.value = True
    wait(lambda: "holes denoised removed" in viewer.layers)
    removed = viewer.layers["holes denoised removed"]
    assert np.isfinite(removed.contrast_limits).all()
    assert not removed.data[:8].any()


def test_the_result_is_seen_as_the_layer_was(viewer, widget):
    picture = RNG.integers(0, 200, (48, 64)).astype(np.uint16)
    viewer.add_image(picture, name="p", contrast_limits=(10, 150), gamma=0.7, blending="additive")
    run(widget)
    out = viewer.layers["p denoised"]
    assert not viewer.layers["p"].visible
    assert out.visible
    assert tuple(out.contrast_limits) == (10, 150)
    assert out.gamma == 0.7
    said = widget.text.value.splitlines()[0]
    assert len(said.split()) <= 25
    assert "range" in said
    assert "strength" not in said


def test_a_part_inside_of_a_shape(viewer, widget):
    stack = RNG.integers(0, 200, (2, 40, 48)).astype(np.uint8)
    viewer.add_image(stack, name="s", scale=(2, 0.5, 0.5), translate=(0, 3, 0))
    widget.scope.value = "inside the last shape"
    widget.layer.reset_choices()
    widget.begin()
    assert not widget.stop.enabled  # no shape: told, nothing runs
    viewer.dims.set_point(0, 2)  # the second plane
    box = np.array([[0, 4, 6], [0, 4, 26], [0, 20, 26], [0, 20, 6]])
    viewer.add_shapes([box], shape_type="rectangle", scale=(2, 0.5, 0.5), translate=(0, 3, 0))
    viewer.layers.selection.active = viewer.layers["s"]
    run(widget)
    out = viewer.layers["s denoised"]
    assert np.array_equal(out.data[0], zspot.denoise(stack[1, 4:20, 6:26], RECIPE))
    assert np.allclose(out.data_to_world((0, 0, 0)), viewer.layers["s"].data_to_world((1, 4, 6)))
    assert viewer.layers["s"].visible


def test_every_control_says_what_it_does(widget):
    for name in ("scope", "method", "effort", "seed", "noise", "stop", "strength", "keep"):
        assert getattr(widget, name).tooltip


def test_cancel_stops_the_run(viewer, widget, tmp_path):
    (tmp_path / "endless.toml").write_text(ENDLESS.to_toml())
    widget.recipe.value = tmp_path / "endless.toml"
    viewer.add_image(RNG.normal(size=(64, 64)), name="p")
    widget.choose_selected()
    widget.begin()
    wait(lambda: widget.bar.value > 0)
    assert "left" in widget.status.value
    widget.stop.native.click()
    wait(lambda: not widget.stop.enabled)
    assert "cancelled" in widget.status.value
    assert [layer.name for layer in viewer.layers] == ["p"]
    assert widget.start.enabled


CLOSED = """
import sys, threading
from pathlib import Path

import napari
import numpy as np
from qtpy.QtCore import QTimer

way, recipe = sys.argv[1:]
viewer = napari.Viewer(show=True)
viewer.add_image(np.random.default_rng(0).normal(size=(3, 64, 64)).astype("float32"), name="s")
_, widget = viewer.window.add_plugin_dock_widget("zspot", "Denoise")
widget.choose_selected()
widget.method.value, widget.recipe.value = "recipe file", Path(recipe)

def stop():
    if widget.bar.value == 0 and not widget.status.value.startswith("learning"):
        QTimer.singleShot(50, stop)
    elif way == "viewer":
        viewer.close()
    else:
        viewer.window.remove_dock_widget("all") if way == "dock" else viewer.layers.clear()
        leave()

def leave():
    if way == "dock" and any(t.name == "zspot-job" for t in threading.enumerate()):
        QTimer.singleShot(50, leave)
    else:
        viewer.close()

QTimer.singleShot(0, widget.begin)
QTimer.singleShot(50, stop)
napari.run()
"""


@pytest.mark.parametrize("way", ["viewer", "dock", "layer"])
def test_closed_while_it_works_it_ends_in_peace(screen, tmp_path, way):
    (tmp_path / "endless.toml").write_text(ENDLESS.to_toml())
    command = [sys.executable, "-W", "ignore", "-c", CLOSED, way, tmp_path / "endless.toml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CEILING, check=False)
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    assert "Traceback" not in done.stderr


def test_menu_commands(viewer, napari):
    from zspot.frontends.napari import _commands

    noisy = np.full((64, 64), 7, np.uint8)  # constant: `auto` returns at once
    viewer.add_image(noisy, name="p")
    _commands.denoise_plane(viewer)
    wait(lambda: "p denoised" in viewer.layers)
    viewer.layers.selection.active = viewer.layers["p"]
    _commands.denoise_stack(viewer)
    wait(lambda: len(viewer.layers) == 3)
    viewer.layers.selection.active = viewer.layers["p"]
    _commands.noise_report(viewer)
    widget = _commands.open_widget(viewer)
    wait(lambda: "no noise" in widget.text.value)


def test_what_cannot_be_denoised_is_told(viewer, widget, monkeypatch):
    from napari.utils.notifications import notification_manager

    notification_manager.records.clear()
    widget.begin()
    assert "no image layer" in notification_manager.records[-1].message

    def refuse(*_, **__):
        raise ImageError("this one is broken")

    monkeypatch.setattr("zspot.files.planes.run", refuse)
    viewer.add_image(np.zeros((20, 20), np.float32), name="p", contrast_limits=(0, 1))
    run(widget)
    assert "this one is broken" in widget.status.value
    widget.recipe.value = "nope.toml"
    widget.begin()
    assert not widget.stop.enabled
    assert "recipe" in notification_manager.records[-1].message


@pytest.mark.parametrize("name", ["cat", "cell", "dots"])
def test_sample_data_opens(viewer, name):
    (layer,) = viewer.open_sample("zspot", name)
    assert layer.data.ndim in (2, 3)
