"""How noise and clean values of real images vary together, by distance.

`lambda_n` of the theory is the noise correlation, `lambda_v` the value deviation in units of the
noise (additive), or of the noise times the value (multiplicative).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

REACH = 16
"""Largest distance measured, in pixels."""

LAG_FIELDS = (
    "set", "image", "distance", "noise_correlation", "value_deviation", "value_correlation",
    "lambda_v_additive", "lambda_v_multiplicative",
)  # fmt: skip
IMAGE_FIELDS = (
    "set", "image", "noise_sd", "value_sd", "value_rms", "exponent", "dark_share",
)  # fmt: skip


def lag_rows(clean: np.ndarray, noise: np.ndarray) -> list[dict[str, Any]]:
    """One row for each distance up to `REACH`, of images (C, H, W) in [0, 1]; channels averaged.

    Distances are grouped to half pixels: 1 is the four nearest neighbours, 1.5 the diagonal ones.
    """
    centred = noise - noise.mean(axis=(1, 2), keepdims=True)
    from_mean = clean - clean.mean(axis=(1, 2), keepdims=True)
    both, squares = [], []
    for n, x in zip(centred, from_mean, strict=True):
        both.append((_products(n, n) / n.var(), _products(x, x) / max(x.var(), 1e-12)))
        x2 = x**2
        squares.append(_products(x2, np.ones_like(x)) + _products(np.ones_like(x), x2)
                       - 2 * _products(x, x))  # fmt: skip
    noise_map, value_map = np.mean(both, axis=0)
    # Rounding can leave the mean square of equal values a hair below 0.
    square_map = np.clip(np.mean(squares, axis=0), 0, None)
    groups = _distances()
    sd, rms = math.sqrt(centred.var()), math.sqrt((clean**2).mean())
    rows = []
    for distance in np.unique(groups[(groups > 0) & (groups <= REACH)]):
        here = groups == distance
        deviation = math.sqrt(square_map[here].mean())
        rows.append(
            {
                "distance": distance,
                "noise_correlation": f"{noise_map[here].mean():.5f}",
                "value_deviation": f"{deviation:.6f}",
                "value_correlation": f"{value_map[here].mean():.5f}",
                "lambda_v_additive": f"{deviation / sd:.5f}",
                "lambda_v_multiplicative": f"{deviation / (sd * rms):.5f}",
            }
        )
    return rows


def image_row(clean: np.ndarray, noise: np.ndarray) -> dict[str, Any]:
    """What the theory needs to know of an image (C, H, W) in [0, 1] besides its correlations.

    `dark_share`: pixels whose squared value, from black, is below the noise variance times the
    noise correlation of next neighbours, where the theory says that guessing black would be better.
    """
    sd = noise.std()
    near = float(lag_rows(clean, noise)[0]["noise_correlation"])
    return {
        "noise_sd": f"{sd:.6f}",
        "value_sd": f"{math.sqrt(clean.var(axis=(1, 2)).mean()):.6f}",
        "value_rms": f"{math.sqrt((clean**2).mean()):.6f}",
        "exponent": f"{_exponent(clean):.4f}",
        "dark_share": f"{np.mean(clean**2 < abs(near) * sd**2):.6f}",
    }


def _exponent(clean: np.ndarray) -> float:
    """Power of the brightness with which squared deviations of next neighbours grow.

    0 fits additive deviations, 2 multiplicative ones. Slope of a line through the logarithms in 16
    bins of equally many pairs, by the pair's mean brightness; pairs at black are left out.
    """
    a, b = clean[:, :, :-1].ravel(), clean[:, :, 1:].ravel()
    brightness, squares = (a + b) / 2, (a - b) ** 2
    order = np.argsort(brightness)
    bins = np.array_split(order[brightness[order] > 0], 16)
    points = np.array([(brightness[i].mean(), squares[i].mean()) for i in bins])
    points = points[points[:, 1] > 0]
    if len(points) < 3 or np.ptp(points[:, 0]) < 1e-6:
        return math.nan
    brightness, squares = np.log(points).T
    return float(np.polyfit(brightness, squares, 1)[0])


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean of a[p] b[p + lag] over the pairs inside the image, for all lags up to `REACH`."""
    height, width = a.shape
    size = (height + REACH, width + REACH)

    def correlate(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        spectrum = np.conj(np.fft.rfft2(u, size)) * np.fft.rfft2(v, size)
        full = np.fft.irfft2(spectrum, size)
        return np.roll(full, (REACH, REACH), (0, 1))[: 2 * REACH + 1, : 2 * REACH + 1]

    ones = np.ones_like(a)
    return correlate(a, b) / correlate(ones, ones)


def _distances() -> np.ndarray:
    """Distance of each lag, rounded to half pixels."""
    lag = np.arange(-REACH, REACH + 1)
    return np.round(2 * np.hypot(lag[:, None], lag[None])) / 2
