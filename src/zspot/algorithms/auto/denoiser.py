"""auto: the default; chooses by the noise it finds and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspot.algorithms.method import Method

if TYPE_CHECKING:
    from zspot.engine.denoiser import Denoiser


def make(effort: str) -> Denoiser:
    """Return the denoiser of an effort: "fast", "balanced" or "best"."""
    from zspot.algorithms.auto.choice import auto  # loads torch

    return auto(effort)


METHOD = Method(
    name="auto",
    summary="The default: looks at the noise and chooses. A network trained on photographs with "
    "simulated noise, taught on by the image itself where the noise is white.",
    citation="zspot, 2026; learning on: Pang, Zheng, Quan, Ji. Recorrupted-to-Recorrupted: "
    "Unsupervised Deep Learning for Image Denoising. CVPR 2021, pp. 2043-2052.",
    make=make,
    seconds=3,
)
