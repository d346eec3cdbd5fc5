"""Between the noisy image and the denoised one: how strong, and how much detail comes back."""

import numpy as np
import torch
from scipy.fft import dct
from torch.nn import functional as F

from zspot.core.plane import channels_first

SIDE = 8  # of a window, pixels
_STRIDE = 2  # between windows, pixels
_STANDS_OUT = 3.0  # times the noise's deviation; 0.3 % of normal noise exceeds it
_MEDIAN_OF_NORMAL = 0.6745  # median of the magnitude of a normal number of deviation 1
_ROWS = 512  # of the image worked on at a time, which bounds the memory


def blend(
    noisy: np.ndarray, image: np.ndarray, detail: np.ndarray | None, strength: float, keep: float
) -> np.ndarray:
    """Return noisy + strength * (image - noisy + keep * `removed_detail`), rounded for integers."""
    if strength == 0:
        return noisy.copy()
    if strength == 1 and (keep == 0 or detail is None):
        return image.copy()
    change = _difference(image, noisy)
    if keep > 0 and detail is not None:
        change += keep * detail
    if noisy.dtype.kind == "f":
        out = noisy + strength * change
    else:  # whole numbers that wrap around: exact for 64 bits too, where floats are not
        out = noisy.astype(np.int64) + np.rint(strength * change).astype(np.int64)
    # Rounding may not leave the interval by its last digit.
    low, high = np.minimum(noisy, image), np.maximum(noisy, image)
    return np.clip(out.astype(noisy.dtype), low, high)


def removed_detail(noisy: np.ndarray, image: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """Return structure in noisy - image, float64: image + detail lies between the two."""
    removed = -_difference(image, noisy)
    largest = float(np.abs(removed).max(initial=0.0))
    channels = channels_first(removed, channel_axis)
    if largest == 0 or min(channels.shape[1:]) < SIDE:
        return np.zeros_like(removed)
    found = np.stack([_structure(c / largest) * largest for c in channels])
    found = found[0] if channel_axis is None else np.moveaxis(found, 0, channel_axis)
    return np.clip(found, np.minimum(removed, 0), np.maximum(removed, 0))


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a - b as float64 without overflow for integers of any width; 0 where one is NaN."""
    if a.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            difference = a.astype(np.float64) - b.astype(np.float64)
        return np.where(np.isfinite(difference), difference, 0.0)
    return np.subtract(a, b, dtype=np.int64, casting="unsafe").astype(np.float64)


def _structure(removed: np.ndarray) -> np.ndarray:
    """Return what stands out of the noise in a channel (H, W) of magnitudes up to 1."""
    plane = torch.from_numpy(np.ascontiguousarray(removed, dtype=np.float32))[None, None]
    height, width = removed.shape
    # One stride more on the far sides, so that every pixel is in some window.
    far = (0, SIDE + -width % _STRIDE, 0, SIDE + -height % _STRIDE)
    padded = F.pad(plane, far, "replicate")
    rows = torch.from_numpy(dct(np.eye(SIDE), axis=0, norm="ortho")).float()
    basis = torch.einsum("ai,bj->abij", rows, rows).reshape(SIDE**2, 1, SIDE, SIDE)
    # The noise's deviation for each cosine; windows side by side are enough for a median.
    apart = F.conv2d(plane, basis, stride=SIDE).flatten(2).abs()
    usual = (apart.median(dim=2).values / _MEDIAN_OF_NORMAL).view(1, -1, 1, 1)
    total = torch.zeros_like(padded)
    for top in range(0, padded.shape[2] - SIDE + 1, _ROWS):
        part = padded[:, :, top : top + _ROWS + SIDE - _STRIDE]
        found = F.conv2d(part, basis, stride=_STRIDE)
        found *= found.abs() > _STANDS_OUT * usual
        back = F.conv_transpose2d(found, basis, stride=_STRIDE)
        total[:, :, top : top + back.shape[2]] += back
    places = torch.ones(1, 1, *((n - SIDE) // _STRIDE + 1 for n in padded.shape[2:]))
    windows = F.conv_transpose2d(places, torch.ones(1, 1, SIDE, SIDE), stride=_STRIDE)
    return (total / windows)[0, 0, :height, :width].double().numpy()
