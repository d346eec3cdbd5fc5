"""Menu commands, which open the dock widget and press its buttons, and sample data."""

from functools import partial
from typing import Any

import napari

from zspot.frontends import SAMPLES
from zspot.frontends.napari._planes import PLANE, STACK
from zspot.frontends.napari._widget import DenoiseWidget
from zspot.io import read


def open_widget(viewer: napari.Viewer) -> DenoiseWidget:
    """Return the dock widget for the selected layer, opened if it was not."""
    _, widget = viewer.window.add_plugin_dock_widget("zspot", "Denoise")
    assert isinstance(widget, DenoiseWidget)
    widget.choose_selected()
    return widget


def denoise_plane(viewer: napari.Viewer) -> None:
    """Denoise what is shown of the selected layer."""
    open_widget(viewer).begin(PLANE)


def denoise_stack(viewer: napari.Viewer) -> None:
    """Denoise every plane of the selected layer."""
    open_widget(viewer).begin(STACK)


def noise_report(viewer: napari.Viewer) -> None:
    """Say what the noise of the shown plane is like."""
    open_widget(viewer).measure()


def _layers(title: str) -> list[tuple[Any, dict[str, Any], str]]:
    return [(read(SAMPLES[title]).data, {"name": title}, "image")]


cat_layer, cell_layer, dots_layer = (partial(_layers, title) for title in SAMPLES)
