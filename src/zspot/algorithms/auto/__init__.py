"""`auto`, the default: look at the noise, then choose the recipe, and say why.

Its own; learning on is after Pang, Zheng, Quan and Ji, Recorrupted-to-Recorrupted, CVPR 2021.
"""

from zspot.algorithms.auto.choice import choose, pretrained_estimate
from zspot.algorithms.auto.denoiser import Auto
from zspot.algorithms.auto.evidence import Evidence, examine
from zspot.algorithms.auto.explain import explain, reason

__all__ = ["Auto", "Evidence", "choose", "examine", "explain", "pretrained_estimate", "reason"]
