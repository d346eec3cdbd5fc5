"""The napari plugin with a second layer that teaches, and the recipe that ran as a file."""

from __future__ import annotations

import numpy as np
import pytest

import zspot
from tests.images import tiny
from tests.napari_help import RECIPE, RNG, napari, noisy, press, screen, told, viewer, widget
from zspot.algorithms import n2n
from zspot.recipe import Recipe

__all__ = ["napari", "screen", "told", "viewer", "widget"]

# They warn of their own use of pydantic and numpy while they are imported.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def n2n_widget(widget, tmp_path):
    path = tmp_path / "n2n.toml"
    path.write_text(tiny(n2n.recipe("fast"), steps=2).to_toml())
    widget.recipe.value = path
    return Recipe.load(path)


def test_n2n_shows_a_box_for_the_second_layer(widget):
    assert widget.second.native.isHidden()
    widget.method.value = "n2n"
    assert not widget.second.native.isHidden()
    assert not widget.beside.enabled
    assert widget.effort.enabled
    widget.method.value = "auto"
    assert widget.second.native.isHidden()
    assert widget.beside.enabled


def test_a_second_layer_teaches_n2n(viewer, widget, tmp_path):
    first = viewer.add_image(noisy(2, 20, 24), name="first")
    second = viewer.add_image(noisy(2, 20, 24), name="second")
    recipe = n2n_widget(widget, tmp_path)
    assert not widget.second.native.isHidden()
    widget.layer.value, widget.second.value = first, second
    press(widget)
    out = viewer.layers["first denoised"].data
    assert np.array_equal(out, zspot.denoise(first.data, recipe, axes="QYX", second=second.data))
    viewer.dims.set_point(0, 1)
    widget.scope.value = "current plane"
    press(widget)
    alone = zspot.denoise(first.data[1], recipe, second=second.data[1])
    assert np.array_equal(viewer.layers["first denoised [1]"].data[0], alone)


def test_a_second_layer_of_colours_without_their_transparency(viewer, widget, tmp_path):
    pictures = RNG.integers(0, 255, (2, 20, 24, 4), dtype=np.uint8)
    first, second = (
        viewer.add_image(one, name=n, rgb=True) for one, n in zip(pictures, "ab", strict=True)
    )
    recipe = n2n_widget(widget, tmp_path)
    widget.layer.value, widget.second.value = first, second
    press(widget)
    one, other = (picture[..., :3] for picture in pictures)
    expected = zspot.denoise(one, recipe, channel_axis=-1, second=other)
    assert np.array_equal(viewer.layers["a denoised"].data[..., :3], expected)


def test_a_second_layer_that_does_not_fit_is_told(viewer, widget, told):
    first = viewer.add_image(noisy(20, 24), name="first")
    viewer.add_image(noisy(20, 25), name="wide")
    viewer.add_image(noisy(20, 24, 3), name="colours", rgb=True)
    widget.method.value, widget.layer.value = "n2n", first
    for second, said in (
        (None, "choose a second layer"),
        (first, "choose a second layer"),
        (viewer.layers["wide"], "wide has shape (20, 25) and first (20, 24)"),
        (viewer.layers["colours"], "colours has shape (20, 24, 3) and first (20, 24)"),
    ):
        widget.second.value = second
        widget.start.native.click()
        assert not widget.stop.enabled
        assert said in told()[-1]
    assert len(told()) == 4


def test_the_recipe_that_ran_is_saved_and_runs_again(viewer, widget, tmp_path, told):
    assert not widget.save.enabled
    widget.save_recipe(tmp_path / "no.toml")
    assert "no recipe ran" in told()[-1]
    viewer.add_image(noisy(20, 24), name="p")
    press(widget)
    assert widget.save.enabled
    path = tmp_path / "ran.toml"
    widget.save_recipe(path)
    assert Recipe.load(path) == zspot.run(viewer.layers["p"].data, RECIPE).recipe
    assert str(path) in widget.status.value
    widget.save_recipe(tmp_path / "nowhere" / "ran.toml")
    assert "nowhere" in told()[-1]
    assert {file.name for file in tmp_path.iterdir()} == {"tiny.toml", "ran.toml"}


def test_of_several_results_the_recipe_of_the_selected_is_saved(viewer, widget, tmp_path):
    rows, columns = np.indices((32, 32))
    white = (100 * np.sin(rows / 5) + RNG.normal(0, 9, (32, 32))).astype(np.float32)
    layers = [
        viewer.add_image(np.ones((32, 32), np.float32), name="still", contrast_limits=(0, 2)),
        viewer.add_image(white, name="first"),
        viewer.add_image(white + columns, name="second"),
    ]
    viewer.layers.selection = set(layers)
    press(widget)
    path = tmp_path / "ran.toml"
    widget.save_recipe(path)
    assert "the recipe of first" in widget.status.value
    viewer.layers.selection.active = viewer.layers["second denoised"]
    widget.save_recipe(path)
    assert "the recipe of second" in widget.status.value


def test_where_no_recipe_ran_there_is_none_to_save(viewer, widget, tmp_path, told):
    viewer.add_image(np.ones((20, 24), np.float32), name="still", contrast_limits=(0, 2))
    press(widget)
    assert not widget.save.enabled
    widget.save_recipe(tmp_path / "no.toml")
    assert "no recipe ran" in told()[-1]
    assert not (tmp_path / "no.toml").exists()


def test_the_dialog_asks_before_a_recipe_is_replaced(viewer, widget, tmp_path, monkeypatch):
    from qtpy.QtWidgets import QFileDialog

    asked = []

    def accept(dialog) -> int:
        asked.append(dialog)
        assert dialog.acceptMode() == QFileDialog.AcceptMode.AcceptSave
        assert not dialog.testOption(QFileDialog.Option.DontConfirmOverwrite)
        assert dialog.defaultSuffix() == "toml"  # added before it asks
        return len(asked) - 1  # cancelled, then accepted

    monkeypatch.setattr(QFileDialog, "exec", accept)
    monkeypatch.setattr(QFileDialog, "selectedFiles", lambda _: [str(tmp_path / "ran.toml")])
    viewer.add_image(noisy(20, 24), name="p")
    press(widget)
    widget.save.native.click()
    assert not (tmp_path / "ran.toml").exists()
    widget.save.native.click()
    assert (tmp_path / "ran.toml").exists()
