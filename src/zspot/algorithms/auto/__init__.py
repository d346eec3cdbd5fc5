"""`auto`: look at the noise, then choose the recipe, and say why."""

from zspot.algorithms.auto.denoiser import METHOD, make

__all__ = ["METHOD", "make"]
