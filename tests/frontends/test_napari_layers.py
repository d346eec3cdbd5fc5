"""The napari plugin with several layers, and with layers that are the user's."""

from __future__ import annotations

import numpy as np
import pytest

import zspot
from tests.napari_help import (
    ENDLESS,
    RECIPE,
    names,
    napari,
    noisy,
    press,
    run,
    screen,
    told,
    viewer,
    wait,
    widget,
)

__all__ = ["napari", "screen", "told", "viewer", "widget"]

# They warn of their own use of pydantic and numpy while they are imported.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

SELECTED = "all selected layers"


@pytest.fixture
def channels(viewer):
    """Three additive layers of one size, the first and the last selected."""
    layers = [
        viewer.add_image(noisy(20, 24), name=name, blending="additive", colormap=name)
        for name in ("red", "green", "blue")
    ]
    viewer.layers.selection = {layers[0], layers[2]}
    return layers


def test_all_selected_layers_are_denoised_each_beside_its_source(viewer, widget, channels):
    assert widget.layer.value == SELECTED
    press(widget)
    assert names(viewer) == ["red", "red denoised", "green", "blue", "blue denoised"]
    for name in ("red", "blue"):
        source, out = viewer.layers[name], viewer.layers[f"{name} denoised"]
        assert np.array_equal(out.data, zspot.denoise(source.data, RECIPE))
        assert (source.visible, out.visible) == (False, True)
        assert (out.colormap.name, out.blending) == (name, "additive")
        assert f"{name}:" in widget.text.value
    assert viewer.layers["green"].visible
    assert viewer.layers.selection == {channels[0], channels[2]}
    assert widget.layer.value == SELECTED  # so that Denoise does the same again


def test_strength_and_what_was_removed_are_of_all_results(viewer, widget, channels):
    press(widget)
    sources = [channels[0], channels[2]]
    results = [zspot.run(source.data, RECIPE) for source in sources]
    outs = [viewer.layers[f"{source.name} denoised"] for source in sources]
    widget.strength.value, widget.keep.value = 0.5, 1.0
    for out, result in zip(outs, results, strict=True):
        wait(lambda out=out, result=result: np.array_equal(out.data, result.blend(0.5, 1)))
    widget.removed.value = True
    wait(lambda: "blue denoised removed" in viewer.layers)
    assert names(viewer)[-2:] == ["red denoised removed", "blue denoised removed"]  # on top: seen
    for source, out in zip(sources, outs, strict=True):
        shown = viewer.layers[f"{out.name} removed"]
        assert np.allclose(shown.data, source.data - out.data)
    assert widget.layer.value == SELECTED
    widget.removed.value = False
    wait(lambda: len(viewer.layers) == 5)
    viewer.layers.remove(outs[0])
    widget.strength.value = 0.0  # of the one that is left
    wait(lambda: np.array_equal(outs[1].data, sources[1].data))


def test_the_layer_chosen_in_the_box_is_done_alone(viewer, widget, channels):
    widget.layer.value = channels[1]
    press(widget)
    assert names(viewer) == ["red", "green", "green denoised", "blue"]
    assert widget.layer.value is channels[1]
    viewer.layers.selection.active = channels[2]
    assert SELECTED not in widget.layer.choices
    assert widget.layer.value is channels[1]


def test_what_of_the_selected_cannot_be_denoised_is_told_and_the_others_done(viewer, widget, told):
    layers = [
        viewer.add_image(noisy(20, 24), name="good"),
        viewer.add_labels(np.ones((20, 24), int), name="cells"),
        viewer.add_image(noisy(2, 20, 24), name="stack"),
        viewer.add_image(noisy(20, 24).astype(bool), name="mask"),
    ]
    viewer.layers.selection = set(layers)
    press(widget)
    assert {"good denoised", "stack denoised"} < set(names(viewer))
    assert len(viewer.layers) == 6
    assert [text for text in told() if "cells" in text and "image" in text]
    assert [text for text in told() if "mask: image has dtype bool" in text]
    assert "mask" in widget.status.value
    assert not any("\n" in text for text in told())


def test_nothing_runs_where_none_of_the_selected_can_be_denoised(viewer, widget, told):
    first = viewer.add_image(noisy(20, 24), name="first")
    second = viewer.add_image(noisy(20, 24), name="second")
    viewer.layers.selection = {first, second}
    widget.scope.value = "inside the last shape"
    widget.start.native.click()
    assert not widget.stop.enabled
    assert "rectangle" in told()[-1]


def test_menu_commands_take_all_that_is_selected(viewer, napari):
    from zspot.frontends.napari import _commands

    layers = [viewer.add_image(np.full((2, 20, 24), 7, np.uint8), name=name) for name in "ab"]
    viewer.layers.selection = set(layers)
    _commands.denoise_plane(viewer)
    wait(lambda: len(viewer.layers) == 4)
    assert viewer.layers["a denoised"].data.shape == (1, 20, 24)
    widget = _commands.open_widget(viewer)
    wait(lambda: not widget.stop.enabled)
    _commands.denoise_stack(viewer)
    wait(lambda: len(viewer.layers) == 6)
    _commands.noise_report(viewer)
    wait(lambda: "a:" in widget.text.value and "b:" in widget.text.value)


def test_progress_is_over_all_and_cancel_keeps_what_is_done(viewer, widget, tmp_path):
    (tmp_path / "endless.toml").write_text(ENDLESS.to_toml())
    widget.recipe.value = tmp_path / "endless.toml"
    still = np.ones((64, 64), np.float32)  # nothing to do: done at once
    layers = [viewer.add_image(still, name="still", contrast_limits=(0, 2))]
    layers.append(viewer.add_image(noisy(64, 64), name="endless"))
    layers.append(viewer.add_image(noisy(64, 64), name="never"))
    viewer.layers.selection = set(layers)
    widget.start.native.click()
    wait(lambda: widget.bar.value > 333)
    assert widget.bar.value < 400
    widget.stop.native.click()
    wait(lambda: not widget.stop.enabled)
    assert widget.status.value == "cancelled: 1 of 3 layers are done"
    assert names(viewer) == ["still", "still denoised", "endless", "never"]
    assert widget.strength.enabled
    assert widget.start.enabled


def test_cancel_leaves_the_sliders_to_the_result_before(viewer, widget, tmp_path):
    viewer.add_image(noisy(64, 64), name="p")
    run(widget)
    (tmp_path / "endless.toml").write_text(ENDLESS.to_toml())
    widget.recipe.value = tmp_path / "endless.toml"
    widget.start.native.click()
    assert not widget.strength.enabled
    wait(lambda: widget.bar.value > 0)
    widget.stop.native.click()
    wait(lambda: not widget.stop.enabled)
    widget.strength.value = 0
    wait(lambda: np.array_equal(viewer.layers["p denoised"].data, viewer.layers["p"].data))


def test_a_second_run_replaces_the_result_and_keeps_its_looks(viewer, widget):
    source = viewer.add_image(noisy(20, 24), name="p", scale=(2, 2))
    press(widget)
    out = viewer.layers["p denoised"]
    widget.removed.value = True
    wait(lambda: "p denoised removed" in viewer.layers)
    out.contrast_limits, widget.seed.value = (80, 120), 5
    press(widget)
    assert names(viewer) == ["p", "p denoised"]  # what an earlier run removed is of no use
    assert viewer.layers["p denoised"] is out
    assert np.array_equal(out.data, zspot.denoise(source.data, RECIPE, seed=5))
    assert out.metadata["zspot"]["seed"] == 5
    assert tuple(out.contrast_limits) == (80, 120)
    assert widget.layer.value is source


def test_other_parts_of_a_layer_have_results_of_their_own(viewer, widget):
    viewer.add_image(noisy(3, 20, 24), name="s")
    widget.scope.value = "current plane"
    for plane in (0, 2, 2):
        viewer.dims.set_point(0, plane)
        press(widget)
    widget.scope.value = "whole layer"
    press(widget)
    found = names(viewer)
    assert len(found) == 4
    assert found.count("s") == 1


def rename(layer) -> None:
    layer.name = "mine"


def paint(layer) -> None:
    layer.data[:3] = 0


def exchange(layer) -> None:
    layer.data = layer.data * 2


@pytest.mark.parametrize("change", [rename, paint, exchange])
def test_a_result_that_the_user_renamed_or_edited_is_left(viewer, widget, change):
    viewer.add_image(noisy(20, 24), name="p")
    press(widget)
    out = viewer.layers["p denoised"]
    change(out)
    kept = out.data.copy()
    widget.strength.value = 0.5
    assert not widget.strength.enabled
    press(widget)
    assert len(viewer.layers) == 3
    assert out in viewer.layers
    assert np.array_equal(out.data, kept)


def test_a_result_that_was_moved_stays_there_at_another_strength(viewer, widget):
    source = viewer.add_image(noisy(20, 24), name="p")
    press(widget)
    out = viewer.layers["p denoised"]
    out.translate = (0, 30)
    widget.strength.value = 0
    wait(lambda: np.array_equal(out.data, source.data))
    assert tuple(out.translate) == (0, 30)


def test_what_was_removed_is_the_users_once_it_is_renamed(viewer, widget):
    viewer.add_image(noisy(20, 24), name="p")
    press(widget)
    widget.removed.value = True
    wait(lambda: "p denoised removed" in viewer.layers)
    shown = viewer.layers["p denoised removed"]
    shown.name = "mine"
    widget.removed.value = False
    press(widget)
    assert shown in viewer.layers


def test_a_widget_that_is_opened_again_knows_the_layers_of_the_last(viewer, widget):
    viewer.add_image(noisy(20, 24), name="p")
    press(widget)
    viewer.window.remove_dock_widget("all")
    _, again = viewer.window.add_plugin_dock_widget("zspot", "Denoise")
    again.method.value, again.recipe.value = "recipe file", widget.recipe.value
    again.layer.value = viewer.layers["p"]
    press(again)
    assert names(viewer) == ["p", "p denoised"]


@pytest.mark.parametrize(
    "name", ["strength", "keep", "removed", "save", "stop", "beside", "effort"]
)
def test_a_control_that_is_switched_off_looks_so(viewer, widget, name):
    control = getattr(widget, name)
    looks = []
    for on in (True, False):
        control.enabled = on
        looks.append(control.native.grab().toImage())
    assert looks[0] != looks[1]
