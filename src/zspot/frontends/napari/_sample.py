"""Sample data, as napari wants it."""

from functools import partial
from typing import Any

from zspot.frontends.sample_images import EXAMPLES

LayerData = tuple[Any, dict[str, Any], str]


def _layers(name: str) -> list[LayerData]:
    example = EXAMPLES[name]
    return [(example.make(), {"name": example.title}, "image")]


cat_layer, cell_layer, dots_layer = (partial(_layers, name) for name in ("cat", "cell", "dots"))
