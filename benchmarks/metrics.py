"""How the benchmarks measure: floats clipped to [0, 1], data range 1, SSIM 7 x 7 uniform."""

from __future__ import annotations

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def quality(clean: np.ndarray, image: np.ndarray) -> tuple[float, float]:
    """PSNR in dB and SSIM (mean of channels) of an image (H, W) or (H, W, C) against the clean."""
    image = np.clip(image, 0, 1)
    axis = -1 if clean.ndim == 3 else None
    ssim = structural_similarity(clean, image, data_range=1, win_size=7, channel_axis=axis)
    return float(peak_signal_noise_ratio(clean, image, data_range=1)), float(np.mean(ssim))
