"""zspot: denoise one noisy image, with no clean image and no training by you.

The default has weights trained on photographs; `auto-scratch` and `bsn-ins` use your image alone.

>>> import zspot
>>> clean = zspot.denoise(noisy, channel_axis=-1)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib

from zspot._version import __version__

TYPE_CHECKING = False  # as in typing, which takes a while to load
if TYPE_CHECKING:
    from typing import Any

    from zspot.algorithms import Method
    from zspot.api import OptionError, Result, denoise, run
    from zspot.api.trust import Trust, assess, assess_images
    from zspot.core.errors import FileError, ImageError, ZspotError
    from zspot.core.progress import Progress
    from zspot.files import denoise_file, denoise_many
    from zspot.noise import NoiseReport, analyze_noise, plot_noise
    from zspot.recipe import Recipe, RecipeError

# Loaded on first use, so that `import zspot` does not wait for torch.
_HOMES = {
    "zspot.algorithms": ("Method",),
    "zspot.api": ("Result", "denoise", "run"),
    "zspot.api.trust": ("Trust", "assess", "assess_images"),
    "zspot.core.errors": ("FileError", "ImageError", "OptionError", "RecipeError", "ZspotError"),
    "zspot.core.progress": ("Progress",),
    "zspot.files": ("denoise_file", "denoise_many"),
    "zspot.noise": ("NoiseReport", "analyze_noise", "plot_noise"),
    "zspot.recipe": ("Recipe",),
}

__all__ = [
    "FileError", "ImageError", "Method", "NoiseReport", "OptionError", "Progress", "Recipe",
    "RecipeError", "Result", "Trust", "ZspotError", "__version__", "analyze_noise", "assess",
    "assess_images", "denoise", "denoise_file", "denoise_many", "methods", "plot_noise", "run",
]  # fmt: skip


def methods() -> dict[str, Method]:
    """Return every method by name, with its summary and citation."""
    from zspot.algorithms import METHODS

    return dict(METHODS)


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'zspot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
