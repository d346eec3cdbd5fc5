"""Images of so few photons that a pixel tells next to nothing: bins of pixels are denoised."""

import math
from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from zspot.core.errors import plainly
from zspot.engine import Denoised, Denoiser
from zspot.noise.counts import photon

_WANTED = {"auto": 0.4, "auto-scratch": 1.0}  # photons in a bin
_LEAST = 32  # bins along the shorter side


def bin_side(plane: Tensor, method: str) -> tuple[int, Tensor]:
    """Return the side of the bins to denoise, 1 for pixels themselves, and what a photon adds."""
    units = plane.new_tensor([photon(channel) for channel in plane.cpu().numpy()])[:, None, None]
    if (units == 0).any():
        return 1, units
    count = float(((plane - plane.amin((1, 2), keepdim=True)) / units).mean())
    side = math.ceil(math.sqrt(_WANTED[method] / count))
    return max(1, min(side, min(plane.shape[1:]) // _LEAST)), units


def in_bins(
    denoise: Denoiser, plane: Tensor, side: int, units: Tensor | None = None, **how: Any
) -> Denoised:
    """Denoise a plane (C, H, W) in bins, of whole photons if `units` are known, and enlarge it."""
    height, width = plane.shape[1:]
    above = plane - plane.amin((1, 2), keepdim=True)
    counts = above if units is None else (above / units).round()
    whole = F.pad(counts[None], (0, -width % side, 0, -height % side), mode="replicate")
    bins = F.avg_pool2d(whole, side)[0]
    offset, scale = bins.mean((1, 2), keepdim=True), bins.std()
    done = denoise((bins - offset) / scale, **how)

    def enlarged(values: Tensor) -> Tensor:
        return F.interpolate(values[None], scale_factor=side, mode="bicubic")[0, :, :height, :width]

    found = enlarged(done.mean * scale + offset).clamp(min=0)
    share = above.mean((1, 2), keepdim=True) / found.mean((1, 2), keepdim=True).clamp(min=1e-12)
    mean = plane - above + share * found  # as many photons as were counted
    spread = None if done.deviation is None else enlarged(done.deviation * scale) * share
    few = f"a pixel has {plainly(float(counts.mean()), 2)} photons: denoised in bins of"
    told = done.told if units is None else (f"{few} {side} x {side}", *done.told)
    return replace(done, mean=mean, deviation=spread, told=told)
