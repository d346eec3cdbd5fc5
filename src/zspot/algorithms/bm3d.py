"""BM3D through the package `bm3d` (extra `bm3d`; its licence is non-commercial)."""

import numpy as np
import torch
from torch import Tensor

from zspot.algorithms.auto import pretrained_estimate
from zspot.core.errors import OptionError, install
from zspot.core.progress import Clock, Report
from zspot.engine import Denoised, Denoiser, budget, run
from zspot.noise.pca_level import white_level

_BYTES = 600  # per number of the image
_COLOURS = 3  # channels that the package denoises together
_LEAST_SIDE = 48  # pixels that the package's search needs
_LEAST_LEVEL = 1e-3  # of the image's deviation


def make(effort: str) -> Denoiser:
    """Return the denoiser, the same for all efforts; it raises when run without the package."""
    return _denoise


def _denoise(
    plane: Tensor, *, seed: int, report: Report | None = None, memory: int | None = None,
    sigma: float | None = None,
) -> Denoised:  # fmt: skip
    try:
        import bm3d
    except ImportError:
        what = "method bm3d needs the package bm3d (non-commercial licence)"
        raise OptionError(f"{what}; {install('bm3d')}, or choose another method") from None
    budget.check(budget.resident() + _BYTES * plane.numel(), memory, plane.shape, "bm3d")
    together = len(plane) == _COLOURS
    clock = Clock(report, {"filter": (1 if together else len(plane), 1.0)})
    levels = _levels(plane) if sigma is None else (max(sigma, _LEAST_LEVEL),) * len(plane)
    room = [(0, 0), *((0, max(0, _LEAST_SIDE - size)) for size in plane.shape[1:])]
    image = np.pad(plane.cpu().numpy().astype(np.float64), room, mode="symmetric")
    if together:
        out = np.moveaxis(bm3d.bm3d_rgb(np.moveaxis(image, 0, -1), list(levels)), -1, 0)
        clock.tick("filter")
    else:
        out = np.empty_like(image)
        for index, level in enumerate(levels):
            out[index] = np.asarray(bm3d.bm3d(image[index], level)).reshape(out.shape[1:])
            clock.tick("filter")
    height, width = plane.shape[1:]
    said = ", ".join(f"{level:.3f}" for level in levels)
    licence = "the package bm3d has a non-commercial licence"
    known = "estimated as" if sigma is None else "told to be"
    why = f"noise level {known} {said} of the image's deviation; {licence}"
    return Denoised(torch.from_numpy(out[:, :height, :width].astype(np.float32)), reason=why)


def _levels(plane: Tensor) -> tuple[float, ...]:
    level = white_level(plane)
    if level is None:
        removed = plane - run(pretrained_estimate("fast"), plane).mean
        level = tuple(removed.square().mean((1, 2)).sqrt().tolist())
    return tuple(max(value, _LEAST_LEVEL) for value in level)
