"""Recipes: what a zero-shot denoiser does, as plain data that can be stored and rerun."""

from zspot.recipe.recipe import *  # noqa: F403
from zspot.recipe.recipe import __all__ as __all__
