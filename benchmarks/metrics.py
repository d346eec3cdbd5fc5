"""How the benchmarks measure: quality in every convention, memory, and the machine.

The project's own convention is "float". The others are what published evaluations do differently,
so that a figure can be set beside one measured that way. Every row stores all of them. In every
convention the returned image is measured, which is the last iterate and never the best one, clipped
to [0, 1]; PSNR over all channels at once; SSIM is the mean of channels.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import bootstrap
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from zspot.core.errors import ZspotError

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the brightness of ITU-R BT.601."""

_EQUAL = 100.0  # dB of equal images, for means that are finite
_WANG: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
"""The window of Wang et al., IEEE TIP 2004: 11 x 11, Gaussian."""
_LINUX_MEMORY = Path("/proc/self")
RESAMPLES = 9999


class BenchmarkError(ZspotError, ValueError):
    """Bad use or input of a benchmark; the message says what, where and what to do."""


def quality(clean: np.ndarray, image: np.ndarray, *, gaussian: bool = False) -> tuple[float, float]:
    """PSNR in dB and SSIM (mean of channels) of an image (H, W) or (H, W, C) against the clean.

    Both in [0, 1]; the image is clipped to that. Equal images have 100 dB. `gaussian` changes the
    window of the SSIM.
    """
    image = np.clip(image, 0, 1)
    axis = -1 if clean.ndim == 3 else None
    window: dict[str, Any] = _WANG if gaussian else {"win_size": 7}
    ssim = structural_similarity(clean, image, data_range=1, channel_axis=axis, **window)
    with np.errstate(divide="ignore"):
        psnr = peak_signal_noise_ratio(clean, image, data_range=1)
    return min(float(psnr), _EQUAL), float(np.mean(ssim))


def aligned(clean: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    """Return the reference as the noisy image would have it without noise.

    References of cameras and microscopes are darker or brighter than the noisy image and lie a
    fraction of a pixel beside it, which no denoiser can know. In each channel noisy - clean is
    regressed on clean, its two derivatives and 1, and what that explains is added.

    Parameters
    ----------
    clean, noisy : ndarray, (H, W) or (H, W, C)
    """
    out, given = np.atleast_3d(clean).astype(np.float64), np.atleast_3d(noisy)
    for k in range(out.shape[-1]):
        plane = out[..., k]
        known = np.stack([plane, *np.gradient(plane), np.ones_like(plane)], axis=-1).reshape(-1, 4)
        share, *_ = np.linalg.lstsq(known, (given[..., k] - plane).ravel(), rcond=None)
        out[..., k] += (known @ share).reshape(plane.shape)
    return out.reshape(clean.shape).astype(clean.dtype)


def interval(change: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Return the ends of the bootstrap interval of a mean; NaN for fewer than three values.

    BCa (Efron 1987). Values that are all equal have an interval of no width.
    """
    if len(change) < 3:
        return float("nan"), float("nan")
    if np.ptp(change) == 0:
        return float(change[0]), float(change[0])
    found = bootstrap(
        (change,),
        np.mean,
        confidence_level=confidence,
        n_resamples=RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def mean_with_interval(values: Any) -> str:
    """Return a mean with its 95 % interval, as in "1.20 (1.10 to 1.31)"; alone for few values."""
    values = np.asarray(values, float)
    low, high = interval(values)
    return f"{values.mean():.2f}" + ("" if np.isnan(low) else f" ({low:.2f} to {high:.2f})")


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
    aligned : bool
        Measure against the reference with the noisy image's gain, offset and place.
    """

    summary: str
    rounded: bool = False
    gaussian: bool = False
    luma: bool = False
    aligned: bool = False

    def measure(
        self, clean: np.ndarray, image: np.ndarray, noisy: np.ndarray
    ) -> tuple[float, float]:
        """Return PSNR in dB and SSIM of an image (H, W) or (H, W, C) in [0, 1]."""
        image = np.clip(image, 0, 1)
        if self.aligned:
            clean = aligned(clean, noisy)
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
    "aligned": Convention("the reference with the noisy image's gain and place", aligned=True),
}


def columns(convention: str) -> tuple[str, str]:
    """Return the names of the columns that hold PSNR and SSIM in a convention.

    Raises
    ------
    BenchmarkError
        If there is no such convention.
    """
    if convention not in CONVENTIONS:
        raise BenchmarkError(f"convention {convention!r}: choose one of {', '.join(CONVENTIONS)}")
    if convention == DEFAULT:
        return "psnr", "ssim"
    suffix = convention.replace("-", "_")
    return f"psnr_{suffix}", f"ssim_{suffix}"


def measure_all(clean: np.ndarray, image: np.ndarray, noisy: np.ndarray) -> dict[str, float]:
    """Return PSNR and SSIM in every convention, by column."""
    out = {}
    for name, convention in CONVENTIONS.items():
        out.update(zip(columns(name), convention.measure(clean, image, noisy), strict=True))
    return out


# --- the machine ---------------------------------------------------------------------------------


@functools.cache
def hardware() -> str:
    """Return the processor's name and the number of its cores."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} cores"


@functools.cache
def commit() -> str | None:
    """Return the commit of this code, with -dirty for changes that are not committed."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


@functools.cache
def versions() -> str:
    """Return versions as JSON: those that decide a result, and of what measures it."""
    names = ("zspot", "torch", "numpy", "scipy", "scikit-image")
    found = {name: metadata.version(name) for name in names}
    return json.dumps({**found, "python": platform.python_version()})


def restart_peak() -> None:
    """Let the kernel count the most resident memory anew, where it can."""
    try:
        (_LINUX_MEMORY / "clear_refs").write_text("5")
    except OSError:
        return


def peak_mib(name: str = "VmHWM") -> float | None:
    """Return the most resident memory in MiB since `restart_peak`; None where unknown."""
    try:
        status = (_LINUX_MEMORY / "status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return None
