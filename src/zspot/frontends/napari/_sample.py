"""Sample data, as napari wants it."""

from typing import Any

from zspot.frontends.sample_images import EXAMPLES

LayerData = tuple[Any, dict[str, Any], str]


def _layers(name: str) -> list[LayerData]:
    example = EXAMPLES[name]
    return [(example.make(), {"name": example.title}, "image")]


def cat_layer() -> list[LayerData]:
    """Return a cat with camera noise."""
    return _layers("cat")


def cell_layer() -> list[LayerData]:
    """Return a cell with microscope noise, 16 bit."""
    return _layers("cell")


def dots_layer() -> list[LayerData]:
    """Return a stack of four noisy planes."""
    return _layers("dots")
