"""The level of white noise, from the directions in which patches of the picture vary least."""

import torch
from torch import Tensor
from torch.nn import functional as F

PATCH = 8
SMALLEST = 8  # one in so many eigenvalues, from the smallest up, is averaged
_SAMPLES = 1 << 18  # patches that are looked at, about
_EXACT = 1 << 12  # patches whose products float32 adds up exactly enough
_FEWEST = 25  # patches needed per pixel of a patch
# The least eigenvalues of noise are too small, by this over the root of patches per patch pixel.
_SHRINKAGE = 0.72
_ENOUGH = 2000  # patches per pixel of a patch, from which texture makes up for that


def white_level(y: Tensor) -> tuple[float, ...] | None:
    """Estimate the deviation of white noise, for each channel; None if the image is too small."""
    # After Pyatykh, Hesser, Zheng, IEEE TIP 22(2), 2013, and Chen, Zhu, Heng, ICCV 2015.
    _, height, width = y.shape
    count = (height - PATCH + 1) * (width - PATCH + 1)
    plenty = count / PATCH**2
    if min(height, width) < PATCH or plenty < _FEWEST:
        return None
    step = max(1, round((count / _SAMPLES) ** 0.5))
    small = (1 - _SHRINKAGE / min(plenty, _ENOUGH) ** 0.5) / (1 - _SHRINKAGE / _ENOUGH**0.5)
    levels = []
    for channel in y:
        patches = F.unfold(channel[None, None], PATCH, stride=step)[0]
        parts = (patches - patches.mean(1, keepdim=True)).split(_EXACT, 1)
        products = torch.stack([(part @ part.T).double() for part in parts]).sum(0)
        # eigvalsh sorts from the smallest up.
        variances = torch.linalg.eigvalsh(products / (patches.shape[1] - 1))[: PATCH**2 // SMALLEST]
        levels.append(float(variances.mean().clamp(min=0).sqrt()) / small)
    return tuple(levels)
