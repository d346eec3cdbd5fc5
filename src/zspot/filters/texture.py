"""Put back what was removed where it was too much to be noise.

Noise of one brightness has one strength. Where much more was removed than elsewhere at the same
brightness, it was texture: a fine mesh, say, that a network took for noise.
"""

import torch
from torch import Tensor

from zspot.filters.local_mean import LocalMean

_WINDOW = 6.0  # deviation of the window, pixels
_BINS = 8  # of brightness
_LARGEST = 2.0  # no brightness counts as noisier than this many times the median


def restore_texture(estimate: Tensor, noisy: Tensor, tolerance: float) -> Tensor:
    """Return `estimate` with what was removed put back where its local strength stands out.

    Both images are (C, H, W). `tolerance` is the removed strength, relative to the median at that
    brightness, from which texture starts to come back; all of it is back at twice that.
    """
    removed = noisy - estimate
    average = LocalMean(noisy, _WINDOW)
    strength = average(removed.square().mean(0)).clamp(min=0).sqrt()
    usual = _usual(strength, average(estimate.mean(0)))
    share = ((strength / usual.clamp(min=1e-12) - tolerance) / tolerance).clamp(0, 1)
    return estimate + share * removed


def _usual(strength: Tensor, brightness: Tensor) -> Tensor:
    """Median strength among pixels of like brightness, (H, W)."""
    order = brightness.flatten().argsort()
    usual = torch.empty_like(strength).flatten()
    for part in order.chunk(_BINS):
        usual[part] = strength.flatten()[part].median()
    return usual.clamp(max=_LARGEST * float(strength.median())).view_as(strength)
