"""Noise to add to clean sets, drawn with NumPy from a stated seed, anew for each image.

Written as `kind:numbers`, the numbers separated by `/`:

- `white:25`: Gaussian of deviation 25 of 255, not clipped.
- `poisson:0.02/0.02`: Poisson-Gaussian, variance = gain * value + read ** 2, not clipped.
- `correlated:25`: Gaussian of deviation 25 of 255, correlated by 0.51 at one pixel, 0.08 at two
  (the residuals of SIDD: 0.5 and 0.1) and 0.4 between channels.
- `common:10`: correlated as before, but most of it (0.8 of the deviation) the same in all channels.
- `camera:0.01/0.01`: Poisson-Gaussian noise of these numbers on a Bayer sensor, demosaicked
  bilinearly, white-balanced, developed with the sRGB curve, clipped and rounded to 8 bits. It is
  not the simulator that the warm start was trained with.
- `shared:20/0.5`: white, correlated by 0.5 between channels.
- `rows:25/0.3`, `columns`, `both`, `diagonal`: correlated by 0.3 at one pixel in that direction.
- `ringing:25`: correlated by +0.1 at one pixel and -0.2 at two, as resampling leaves noise.
- `photons:5`: Poisson, 5 photons at the brightest. `rician:0.1`: of the magnitude of MRI.
- `speckle:0.2`: multiplicative, of relative deviation 0.2. `log-speckle:4`: its logarithm, 4 looks.
- `offsets:10/8`: white of deviation 10 and an offset of deviation 8 in every row.
- `jpeg:20/60`: white of deviation 20, then JPEG of quality 60. `levels:20/16`: then 16 levels.
- `upscaled:20/1.5`: white noise enlarged 1.5 times. `grain:20`: of film, strongest in mid-tones,
  a little blurred and the same in all channels.
- `clean`: none, so that the reference itself is denoised.

`+8bit` rounds the noisy image, `cut+` cuts the middle out before the noise is drawn, not after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import imageio.v3 as iio
import numpy as np
from scipy.ndimage import convolve, convolve1d, gaussian_filter, zoom
from scipy.signal import convolve2d
from scipy.special import digamma

from benchmarks.metrics import BenchmarkError

Rng = np.random.Generator
_SIDE = 0.3  # weight of a neighbour in the correlating filter: 2 a / (1 + 2 a^2) = 0.51
_SHARED = 0.4  # of the variance, common to all channels
_PATTERN = 0.8  # share, of the deviation, of a pattern that all channels have
_BALANCE = (2.0, 1.0, 1.5)  # gains of red, green and blue, as in daylight


def white(clean: np.ndarray, rng: Rng, sigma: float) -> np.ndarray:
    """Add white Gaussian noise of deviation `sigma` / 255."""
    return clean + rng.normal(0, sigma / 255, clean.shape)


def poisson(clean: np.ndarray, rng: Rng, gain: float, read: float) -> np.ndarray:
    """Add Poisson-Gaussian noise of variance gain * value + read ** 2."""
    return rng.poisson(clean / gain) * gain + rng.normal(0, read, clean.shape)


def correlated(clean: np.ndarray, rng: Rng, sigma: float) -> np.ndarray:
    """Add Gaussian noise of deviation `sigma` / 255, correlated between neighbours."""
    own, common = rng.normal(size=clean.shape), rng.normal(size=clean.shape[:2])
    if clean.ndim == 3:
        own = np.sqrt(1 - _SHARED) * own + np.sqrt(_SHARED) * common[..., None]
    kernel = np.array([_SIDE, 1, _SIDE]) / np.sqrt(1 + 2 * _SIDE**2)
    for axis in (0, 1):
        own = convolve1d(own, kernel, axis=axis, mode="wrap")
    return clean + sigma / 255 * own


def common(clean: np.ndarray, rng: Rng, sigma: float) -> np.ndarray:
    """Add correlated noise, most of it common to all channels."""
    own = correlated(clean, rng, sigma) - clean
    return clean + (_PATTERN * own[..., :1] + (1 - _PATTERN**2) ** 0.5 * own)


def camera(clean: np.ndarray, rng: Rng, gain: float, read: float) -> np.ndarray:
    """Take a noisy picture with a Bayer sensor; see the module."""
    if clean.ndim != 3 or clean.shape[2] != 3:
        raise BenchmarkError("noise camera needs colour images: choose another noise for this set")
    light = np.where(clean <= 0.04045, clean / 12.92, ((clean + 0.055) / 1.055) ** 2.4)
    sensor = light / _BALANCE
    red, blue = np.zeros(clean.shape[:2], bool), np.zeros(clean.shape[:2], bool)
    red[::2, ::2], blue[1::2, 1::2] = True, True
    mosaic = np.stack([red, ~(red | blue), blue], -1)
    raw = (sensor * mosaic).sum(-1)
    noise = poisson(raw, rng, gain, read) - raw
    tent = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    plus = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
    # Demosaicking is linear: only the noise goes through it, so the target has no artefacts.
    planes = [
        convolve(noise * mosaic[..., k], kernel, mode="mirror")
        for k, kernel in enumerate((tent, plus, tent))
    ]
    light = np.clip(light + np.stack(planes, -1) * _BALANCE, 0, 1)
    out = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(out * 255) / 255


def shared(clean: np.ndarray, rng: Rng, sigma: float, between: float) -> np.ndarray:
    """Add white noise that is correlated between channels."""
    own, common = rng.normal(size=clean.shape), rng.normal(size=clean.shape[:2])
    part = common[..., None] if clean.ndim == 3 else common
    return clean + sigma / 255 * (np.sqrt(between) * part + np.sqrt(1 - between) * own)


def _filtered(clean: np.ndarray, rng: Rng, sigma: float, kernel: np.ndarray) -> np.ndarray:
    kernel = kernel / np.linalg.norm(kernel)
    noise = rng.normal(0, sigma / 255, clean.shape)
    kernel = kernel if clean.ndim == 2 else kernel[..., None]
    return clean + convolve(noise, kernel, mode="wrap")


def _directed(*directions: np.ndarray) -> Callable[[np.ndarray, Rng, float, float], np.ndarray]:
    def add(clean: np.ndarray, rng: Rng, sigma: float, lag_one: float) -> np.ndarray:
        """Add noise correlated by `lag_one`, up to 0.7, between neighbours in some directions."""
        side = (1 - np.sqrt(1 - 2 * lag_one**2)) / (2 * lag_one)
        kernel = np.ones((1, 1))
        for direction in directions:
            kernel = convolve2d(kernel, np.where(direction == 2, 1, side * direction))
        return _filtered(clean, rng, sigma, kernel)

    return add


_ROW = np.array([[1, 2, 1]])
_FALLING = np.diag([1, 2, 1])


def ringing(clean: np.ndarray, rng: Rng, sigma: float) -> np.ndarray:
    """Add noise correlated by +0.1 at one pixel and -0.2 at two, down and across."""
    noise = np.fft.fft2(rng.normal(0, sigma / 255, clean.shape), axes=(0, 1))
    for axis in (0, 1):
        angle = 2 * np.pi * np.fft.fftfreq(clean.shape[axis])
        power = 1 + 2 * 0.1 * np.cos(angle) - 2 * 0.2 * np.cos(2 * angle)
        noise *= np.sqrt(power).reshape([-1 if k == axis else 1 for k in range(clean.ndim)])
    return clean + np.fft.ifft2(noise, axes=(0, 1)).real


def photons(clean: np.ndarray, rng: Rng, peak: float) -> np.ndarray:
    """Count photons."""
    return rng.poisson(clean * peak) / peak


def rician(clean: np.ndarray, rng: Rng, sigma: float) -> np.ndarray:
    """Take the magnitude of a complex image with noise in both parts."""
    return np.hypot(clean + rng.normal(0, sigma, clean.shape), rng.normal(0, sigma, clean.shape))


def speckle(clean: np.ndarray, rng: Rng, relative: float) -> np.ndarray:
    """Multiply by gamma noise of mean 1."""
    return clean * rng.gamma(relative**-2, relative**2, clean.shape)


def log_speckle(clean: np.ndarray, rng: Rng, looks: float) -> np.ndarray:
    """Add the logarithm of gamma noise, as logarithmic detectors leave it."""
    return clean + 0.15 * (np.log(rng.gamma(looks, 1 / looks, clean.shape)) - _mean_log(looks))


def _mean_log(looks: float) -> float:
    return float(digamma(looks) - np.log(looks))


def offsets(clean: np.ndarray, rng: Rng, sigma: float, rows: float) -> np.ndarray:
    """Add white noise and an offset in every row."""
    shape = (len(clean), *[1] * (clean.ndim - 1))
    return white(clean, rng, sigma) + rng.normal(0, rows / 255, shape)


def jpeg(clean: np.ndarray, rng: Rng, sigma: float, quality: float) -> np.ndarray:
    """Add white noise and save as JPEG."""
    noisy = np.clip(np.rint(255 * white(clean, rng, sigma)), 0, 255).astype(np.uint8)
    coded = iio.imwrite("<bytes>", noisy, extension=".jpg", quality=int(quality))
    return iio.imread(coded, extension=".jpg") / 255


def levels(clean: np.ndarray, rng: Rng, sigma: float, count: float) -> np.ndarray:
    """Add white noise and keep so many levels."""
    return np.clip(np.rint(white(clean, rng, sigma) * (count - 1)) / (count - 1), 0, 1)


def upscaled(clean: np.ndarray, rng: Rng, sigma: float, times: float) -> np.ndarray:
    """Add white noise that was enlarged."""
    height, width, *rest = clean.shape
    small = rng.normal(
        size=(int(np.ceil(height / times)) + 2, int(np.ceil(width / times)) + 2, *rest)
    )
    large = np.asarray(zoom(small, [times, times, *[1 for _ in rest]], order=3))
    noise = large[:height, :width]
    return clean + sigma / 255 * noise / noise.std()


def grain(clean: np.ndarray, rng: Rng, sigma: float) -> np.ndarray:
    """Add the grain of film."""
    noise = gaussian_filter(rng.normal(size=clean.shape[:2]), 0.6, mode="wrap")
    noise = sigma / 255 * noise / noise.std()
    if clean.ndim == 3:
        noise = noise[..., None]
    return clean + noise * 2 * np.sqrt(np.clip(clean * (1 - clean), 0, None))


KINDS: dict[str, tuple[Callable[..., np.ndarray], int]] = {
    "white": (white, 1),
    "poisson": (poisson, 2),
    "correlated": (correlated, 1),
    "common": (common, 1),
    "camera": (camera, 2),
    "shared": (shared, 2),
    "rows": (_directed(_ROW), 2),
    "columns": (_directed(_ROW.T), 2),
    "both": (_directed(_ROW, _ROW.T), 2),
    "diagonal": (_directed(_FALLING), 2),
    "ringing": (ringing, 1),
    "photons": (photons, 1),
    "rician": (rician, 1),
    "speckle": (speckle, 1),
    "log-speckle": (log_speckle, 1),
    "offsets": (offsets, 2),
    "jpeg": (jpeg, 2),
    "levels": (levels, 2),
    "upscaled": (upscaled, 2),
    "grain": (grain, 1),
}
"""Function and number of its parameters, by name."""


@dataclass(frozen=True)
class Noise:
    """What is done to a set's images.

    Attributes
    ----------
    add : callable or None
        From the clean image in [0, 1] and a seed to the noisy one, float32; None keeps the set's.
    cut : bool
        Cut the middle out before noise is added, not after.
    rounded : bool
        Round the noisy image to 8 bits; methods get it as uint8.
    """

    add: Callable[[np.ndarray, int], np.ndarray] | None = None
    cut: bool = False
    rounded: bool = False


def parse(text: str) -> Noise:
    """Read noise as in `white:25` or `cut+correlated:4+8bit`.

    Raises
    ------
    BenchmarkError
        If the kind is unknown or its numbers are not positive.
    """
    words = [word for word in text.split("+") if word]
    kinds = [word for word in words if word not in ("cut", "8bit")]
    if len(kinds) > 1:
        raise BenchmarkError(f"noise {text!r}: one kind of noise at a time")
    return Noise(_adder(kinds[0]) if kinds else None, "cut" in words, "8bit" in words)


def _adder(text: str) -> Callable[[np.ndarray, int], np.ndarray]:
    if text == "clean":
        return lambda clean, seed: clean
    kind, _, rest = text.partition(":")
    if kind not in KINDS:
        raise BenchmarkError(f"noise {text!r}: choose one of {', '.join(KINDS)}, as in white:25")
    function, count = KINDS[kind]
    try:
        numbers = [float(word) for word in rest.split("/")]
    except ValueError:
        numbers = []
    if len(numbers) != count or min(numbers) <= 0:
        raise BenchmarkError(f"noise {text!r}: {kind} needs {count} positive number(s), as in "
                             f"{kind}:{'/'.join(['0.02'] * count)}")  # fmt: skip

    def add(clean: np.ndarray, seed: int) -> np.ndarray:
        return function(clean, np.random.default_rng(seed), *numbers).astype(np.float32)

    return add
