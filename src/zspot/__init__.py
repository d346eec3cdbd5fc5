"""zspot: denoise one image using nothing but itself.

>>> import zspot
>>> clean = zspot.denoise(noisy, channel_axis=-1)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from zspot._version import __version__

if TYPE_CHECKING:
    from zspot.algorithms import Method
    from zspot.api import OptionError, Result, denoise, run
    from zspot.api.trust import Trust, assess, assess_images
    from zspot.core.errors import FileError, ImageError, ZspotError
    from zspot.core.progress import Progress
    from zspot.files import denoise_file, denoise_many
    from zspot.noise import NoiseReport, analyze_noise, plot_noise
    from zspot.recipe import Recipe, RecipeError

# Loaded on first use, so that `import zspot` does not wait for torch.
_HOME = {
    "OptionError": "zspot.core.errors",
    "Result": "zspot.api",
    "denoise": "zspot.api",
    "run": "zspot.api",
    "FileError": "zspot.core.errors",
    "ImageError": "zspot.core.errors",
    "ZspotError": "zspot.core.errors",
    "NoiseReport": "zspot.noise",
    "analyze_noise": "zspot.noise",
    "Method": "zspot.algorithms",
    "Progress": "zspot.core.progress",
    "Recipe": "zspot.recipe",
    "RecipeError": "zspot.core.errors",
    "Trust": "zspot.api.trust",
    "assess": "zspot.api.trust",
    "assess_images": "zspot.api.trust",
    "denoise_file": "zspot.files",
    "denoise_many": "zspot.files",
    "plot_noise": "zspot.noise",
}

__all__ = [
    "FileError",
    "ImageError",
    "Method",
    "NoiseReport",
    "OptionError",
    "Progress",
    "Recipe",
    "RecipeError",
    "Result",
    "Trust",
    "ZspotError",
    "__version__",
    "analyze_noise",
    "assess",
    "assess_images",
    "denoise",
    "denoise_file",
    "denoise_many",
    "methods",
    "plot_noise",
    "run",
]


def methods() -> dict[str, Method]:
    """Return every method by name, with its summary and citation."""
    from zspot.algorithms import METHODS

    return dict(METHODS)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'zspot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
