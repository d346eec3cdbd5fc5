"""Runs a recipe on one plane."""

from zspot.engine.denoiser import Denoiser, from_recipe
from zspot.engine.runner import Denoised, network_input, run

__all__ = ["Denoised", "Denoiser", "from_recipe", "network_input", "run"]
