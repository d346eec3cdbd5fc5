"""`auto`, the default: look at the noise, choose the recipe, and say why."""

from zspot.algorithms.auto.choice import choose, pretrained_estimate
from zspot.algorithms.auto.denoiser import Auto
from zspot.algorithms.auto.evidence import Evidence, examine
from zspot.algorithms.auto.explain import explain, reason

__all__ = ["Auto", "Evidence", "choose", "examine", "explain", "pretrained_estimate", "reason"]
