"""What a method invents where there is next to no signal: `python -m benchmarks.lowsignal`.

The truth is flat, or layered at a fraction of the noise. A row: the error of the result, and its
mean gradient, both over the deviation of the noise, for the method, for BM3D and for a Gaussian of
3 pixels, which invents nothing that it is not given.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from scipy.ndimage import gaussian_filter, sobel

import zspot

SIDE = 224
STRENGTHS = (30, 100, 300)  # of the noise; the layers are 12 above and below their mean


def scenes(seed: int = 0) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Yield the names of truth and noise, the truth and the noisy image."""
    rng = np.random.default_rng(seed)
    rows = np.mgrid[:SIDE, :SIDE][0]
    truths = {"flat": np.full((SIDE, SIDE), 100.0), "layers": 100 + 12 * np.sign(np.sin(rows / 14))}
    for name, truth in truths.items():
        for strength in STRENGTHS:
            yield name, f"white {strength}", truth, truth + strength * rng.normal(size=truth.shape)
            soft = gaussian_filter(rng.normal(size=truth.shape), 0.7)
            noisy = truth + strength * soft / soft.std()
            yield name, f"correlated {strength}", truth, noisy
        few = truth * 0.003
        yield name, "photons 0.3", few, rng.poisson(few).astype(float)
        looks = np.log(rng.exponential(size=truth.shape) + 1e-3)
        yield name, "log-speckle 1", truth, truth + 20 * (looks - looks.mean())


def measured(image: np.ndarray, truth: np.ndarray, noise: float) -> tuple[float, float]:
    """Return error and mean gradient of what an image shows beyond the truth, over the noise."""
    error = image - truth
    error = error - error.mean()
    gradient = np.hypot(sobel(error, 0), sobel(error, 1)).mean() / 8
    return float(error.std() / noise), float(gradient / noise)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", default="auto")
    parser.add_argument("--effort", default="fast")
    chosen = parser.parse_args()
    print("truth,noise,error,gradient,error_bm3d,gradient_bm3d,error_gauss,gradient_gauss")
    for name, kind, truth, noisy in scenes():
        deviation = float((noisy - truth).std())
        images = (
            zspot.denoise(noisy, method=chosen.method, effort=chosen.effort),
            zspot.denoise(noisy, method="bm3d"),
            gaussian_filter(noisy, 3),
        )
        values = [v for image in images for v in measured(image, truth, deviation)]
        print(",".join([name, kind, *(f"{value:.3f}" for value in values)]), flush=True)


if __name__ == "__main__":
    main()
