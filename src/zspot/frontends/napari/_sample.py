"""Sample data, as napari wants it."""

from functools import partial
from typing import Any

from zspot.frontends import SAMPLES
from zspot.io import read


def _layers(title: str) -> list[tuple[Any, dict[str, Any], str]]:
    return [(read(SAMPLES[title]).data, {"name": title}, "image")]


cat_layer, cell_layer, dots_layer = (partial(_layers, title) for title in SAMPLES)
