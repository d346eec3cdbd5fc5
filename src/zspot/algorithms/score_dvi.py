"""ScoreDVI: variational posterior of image and noise, guided by a blind Gaussian denoiser.

As published: 400 steps of Adam at 1e-3, three components, five samples a step, running mean with
decay 0.9, prior weight 0.5, 1 or 2 for noise up to 10, 25 and above of 255 (here of the image's
range). Departures: the posterior's mean starts as the noisy image and is predicted as a change of
it, the network is the hourglass of the deep image prior, and one prior serves all components where
the release trains three alike. The release runs a second time where the posterior stays wide; here
the gradient is clipped instead, and the score is divided by the variance of what the prior removes
where that exceeds the posterior's: divided by less, it ran away on weak noise (a CC crop of 38.5 dB
ended at 29.9, now at 38.6). Its prior noise variance is set per data set: `variance` of
`zspot.algorithms.score_dvi_posterior.Settings`; by default it is measured. Paper and release do not
differ otherwise.

The prior was trained by `training/train.py --noise gaussian`; another one can be given to
`make` as a file or a callable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspot.algorithms.method import Method

if TYPE_CHECKING:
    from zspot.engine.denoiser import Denoiser

_EFFORTS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 60, "components": 1, "samples": 1, "width": 24, "lr": 2e-3},
    "balanced": {"steps": 150, "components": 2, "samples": 1, "width": 32, "lr": 2e-3},
    "best": {},
}


def make(effort: str, prior: Any = "score") -> Denoiser:
    """Return the denoiser of an effort: "fast", "balanced" or "best" (as published)."""
    from zspot.algorithms.score_dvi_posterior import Settings, score_dvi  # loads torch

    return score_dvi(Settings(**_EFFORTS[effort]), prior)


METHOD = Method(
    name="score-dvi",
    summary="ScoreDVI: image and noise as distributions fitted to the one image; knows pictures "
    "through a denoiser of white noise that the project trained.",
    citation="Cheng, Liu, Tan. Score Priors Guided Deep Variational Inference for Unsupervised "
    "Real-World Single Image Denoising. ICCV 2023, pp. 12937-12948.",
    make=make,
    shares_fit=False,
    seconds=51,
)
