"""Runs a recipe on one plane: fit, predict, tiles, memory, shared fits."""

from zspot.engine.denoiser import Denoised, Denoiser
from zspot.engine.forward import network_input
from zspot.engine.runner import run

__all__ = ["Denoised", "Denoiser", "network_input", "run"]
