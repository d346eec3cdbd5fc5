"""Images of so few photons that a pixel tells next to nothing: bins of pixels are denoised."""

import math
from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from zspot.core.errors import plainly
from zspot.engine import Denoised, Denoiser
from zspot.filters.photons import photon_gain

_WANTED = {"auto": 0.4, "auto-scratch": 1.0}  # photons in a bin
_LEAST = 32  # bins along the shorter side


def bin_side(plane: Tensor, method: str) -> tuple[int, str]:
    """Return the side of the bins to denoise in place of pixels of (C, H, W), and why; 1: none."""
    channels = plane.cpu().numpy()
    gains = [photon_gain(channel) for channel in channels]
    if method not in _WANTED or not all(gains):
        return 1, ""
    count = float(((channels.mean((1, 2)) - channels.min((1, 2))) / gains).mean())
    side = min(math.ceil(math.sqrt(_WANTED[method] / count)), min(plane.shape[1:]) // _LEAST)
    return max(1, side), f"a pixel has {plainly(count, 2)} photons: denoised in bins of {side} px"


def in_bins(denoise: Denoiser, plane: Tensor, side: int, *why: str, **how: Any) -> Denoised:
    """Denoise a plane (C, H, W) in bins of `side` x `side` pixels, enlarge the result, say why."""
    height, width = plane.shape[1:]
    above = plane - plane.amin((1, 2), keepdim=True)
    whole = F.pad(above[None], (0, -width % side, 0, -height % side), mode="replicate")
    bins = F.avg_pool2d(whole, side)[0]
    offset, scale = bins.mean((1, 2), keepdim=True), bins.std()
    done = denoise((bins - offset) / scale, **how)

    def enlarged(values: Tensor) -> Tensor:
        return F.interpolate(values[None], scale_factor=side, mode="bicubic")[0, :, :height, :width]

    found = enlarged(done.mean * scale + offset).clamp(min=0)
    share = above.mean((1, 2), keepdim=True) / found.mean((1, 2), keepdim=True).clamp(min=1e-12)
    mean = plane - above + share * found  # as many photons as were counted
    spread = None if done.deviation is None else enlarged(done.deviation * scale) * share
    return replace(done, mean=mean, deviation=spread, recipe=None, told=(*why, *done.told))
