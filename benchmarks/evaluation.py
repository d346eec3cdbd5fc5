"""Conventions of measuring, fixed in one place.

The project's own is "float". The others are what published evaluations do differently, so that a
figure can be set beside one measured that way. Every row stores all of them.

In every convention the returned image is measured, which is the last iterate and never the best
one, clipped to the range of the data; PSNR over all channels at once; SSIM is the mean of channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.metrics import quality

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the brightness of ITU-R BT.601."""


@dataclass(frozen=True)
class Convention:
    """One way to measure an image against the clean one.

    Attributes
    ----------
    summary : str
    rounded : bool
        Round the image to 8 bits first.
    gaussian : bool
        SSIM with an 11 x 11 Gaussian window of deviation 1.5 instead of the uniform 7 x 7.
    luma : bool
        Measure the brightness of colour images only.
    """

    summary: str
    rounded: bool = False
    gaussian: bool = False
    luma: bool = False

    def measure(self, clean: np.ndarray, image: np.ndarray) -> tuple[float, float]:
        """Return PSNR in dB and SSIM of an image (H, W) or (H, W, C) in [0, 1]."""
        image = np.clip(image, 0, 1)
        if self.rounded:
            image = (np.round(image * 255) / 255).astype(clean.dtype)
        if self.luma and clean.ndim == 3:
            clean, image = (x @ np.asarray(LUMA, x.dtype) for x in (clean, image))
        return quality(clean, image, gaussian=self.gaussian)


DEFAULT = "float"
CONVENTIONS = {
    "float": Convention("floats clipped to [0, 1], SSIM with a uniform 7 x 7 window"),
    "8bit": Convention("rounded to 8 bits first", rounded=True),
    "gaussian": Convention("SSIM with an 11 x 11 Gaussian window", gaussian=True),
    "8bit-gaussian": Convention("both of these", rounded=True, gaussian=True),
    "luma": Convention("brightness (BT.601) of colour images only", luma=True),
}


def columns(convention: str) -> tuple[str, str]:
    """Return the names of the columns that hold PSNR and SSIM in a convention."""
    if convention == DEFAULT:
        return "psnr", "ssim"
    suffix = convention.replace("-", "_")
    return f"psnr_{suffix}", f"ssim_{suffix}"


def measure_all(clean: np.ndarray, image: np.ndarray) -> dict[str, float]:
    """Return PSNR and SSIM in every convention, by column."""
    out = {}
    for name, convention in CONVENTIONS.items():
        out.update(zip(columns(name), convention.measure(clean, image), strict=True))
    return out
