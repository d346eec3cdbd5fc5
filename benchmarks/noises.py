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
- `clean`: none, so that the reference itself is denoised.

`+8bit` rounds the noisy image, `cut+` cuts the middle out before the noise is drawn, not after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import convolve, convolve1d

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


KINDS: dict[str, tuple[Callable[..., np.ndarray], int]] = {
    "white": (white, 1),
    "poisson": (poisson, 2),
    "correlated": (correlated, 1),
    "common": (common, 1),
    "camera": (camera, 2),
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
