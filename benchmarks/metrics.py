"""How the benchmarks measure: floats clipped to [0, 1], data range 1, SSIM 7 x 7 uniform."""

from __future__ import annotations

from typing import Any

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

_GAUSSIAN: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
"""The window of Wang et al., IEEE TIP 2004: 11 x 11, Gaussian."""


def quality(clean: np.ndarray, image: np.ndarray, *, gaussian: bool = False) -> tuple[float, float]:
    """PSNR in dB and SSIM (mean of channels) of an image (H, W) or (H, W, C) against the clean.

    Both in [0, 1]; the image is clipped to that. `gaussian` changes the window of the SSIM.
    """
    image = np.clip(image, 0, 1)
    axis = -1 if clean.ndim == 3 else None
    window: dict[str, Any] = _GAUSSIAN if gaussian else {"win_size": 7}
    ssim = structural_similarity(clean, image, data_range=1, channel_axis=axis, **window)
    return float(peak_signal_noise_ratio(clean, image, data_range=1)), float(np.mean(ssim))
