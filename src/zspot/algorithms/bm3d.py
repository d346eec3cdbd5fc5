"""BM3D through the package `bm3d` (extra `bm3d`; its licence is non-commercial).

The package is told zspot's own estimate of the level of white noise, `zspot.noise.pca_level`, and,
of noise
that the estimate cannot be made of, the deviation of what the warm start removes. Three channels
are denoised together by the package's colour version, any other number one by one. Nothing is
fitted or random, and all efforts are the same: the package has nothing to trade.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspot.algorithms.method import Method

if TYPE_CHECKING:
    import torch

    from zspot.core.progress import Report
    from zspot.engine import Denoised
    from zspot.engine.denoiser import Denoiser

_BYTES = 600  # per number of the image: `benchmarks.memory`
_COLOURS = 3
_LEAST_SIDE = 48


def make(effort: str) -> Denoiser:
    """Return the denoiser, the same for every effort.

    Raises
    ------
    OptionError
        When it is run without the package.
    """

    def run(
        plane: torch.Tensor,
        *,
        seed: int,
        report: Report | None = None,
        memory: int | None = None,
    ) -> Denoised:
        import numpy as np
        import torch

        from zspot.core.progress import Clock
        from zspot.engine import Denoised, budget

        bm3d = _package()
        least = budget.resident() + _BYTES * plane.numel()
        budget.check(least, memory, plane.shape, "bm3d")
        channels = 1 if len(plane) == _COLOURS else len(plane)
        clock = Clock(report, {"filter": (channels, 1.0)})
        levels = _levels(plane)
        height, width = plane.shape[1:]
        # Mirrored where it is smaller than the package's search needs.
        room = [(0, 0), *((0, max(0, _LEAST_SIDE - size)) for size in (height, width))]
        image = np.pad(plane.cpu().numpy().astype(np.float64), room, mode="symmetric")
        if len(plane) == _COLOURS:
            out = bm3d.bm3d_rgb(np.moveaxis(image, 0, -1), list(levels))
            out = np.moveaxis(out, -1, 0)
            clock.tick("filter")
        else:
            out = np.empty_like(image)
            for index, level in enumerate(levels):
                out[index] = np.asarray(bm3d.bm3d(image[index], level)).reshape(out.shape[1:])
                clock.tick("filter")
        said = ", ".join(f"{level:.3f}" for level in levels)
        return Denoised(
            torch.from_numpy(out[:, :height, :width].astype(np.float32)),
            reason=f"noise level estimated as {said} of the image's deviation; the package bm3d "
            "has a non-commercial licence",
        )

    return run


def _package():
    """Return the package, or say how to get it."""
    from zspot.core.errors import OptionError

    try:
        import bm3d
    except ImportError:
        raise OptionError(
            "method bm3d needs the package bm3d (non-commercial licence): "
            'pip install "zspot[bm3d]", or choose another method'
        ) from None
    return bm3d


def _levels(plane: torch.Tensor) -> tuple[float, ...]:
    from zspot import engine
    from zspot.algorithms.auto.choice import warm_start
    from zspot.noise.pca_level import white_level

    level = white_level(plane)
    if level is None:
        removed = plane - engine.run(warm_start("fast"), plane).mean
        level = tuple(removed.square().mean((1, 2)).sqrt().tolist())
    return tuple(max(value, 1e-3) for value in level)


METHOD = Method(
    name="bm3d",
    summary="BM3D, grey and colour, told zspot's noise level. For white noise. Needs the extra "
    "`bm3d`, whose licence is non-commercial.",
    citation="Dabov, Foi, Katkovnik, Egiazarian. Image Denoising by Sparse 3-D Transform-Domain "
    "Collaborative Filtering. IEEE Trans. Image Process. 16(8), 2007, pp. 2080-2095.",
    make=make,
    shares_fit=False,
    seconds=5,
)
