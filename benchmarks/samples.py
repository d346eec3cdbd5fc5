"""The images to try that zspot brings: pictures of scikit-image's package, noise of a fixed seed.

    python -m benchmarks.samples

writes them to `zspot.frontends.SAMPLES`.
"""

import numpy as np

from zspot.frontends import SAMPLES
from zspot.io import ImageFile, write

SIDE = 192


def cat() -> np.ndarray:
    """Return a cat by a phone in the dark: noise correlated between neighbours, uint8 (H, W, 3)."""
    from skimage.data import chelsea

    clean = chelsea()[40 : 40 + SIDE, 110 : 110 + SIDE].astype(np.float64)
    white = np.random.default_rng(0).normal(size=(SIDE + 2, SIDE + 2, 3))
    rows = white[:-2] / 2 + white[1:-1] + white[2:] / 2
    noise = rows[:, :-2] / 2 + rows[:, 1:-1] + rows[:, 2:] / 2
    return np.clip(np.rint(clean + 18 * noise / noise.std()), 0, 255).astype(np.uint8)


def cell() -> np.ndarray:
    """Return a cell under the microscope: counted light, uint16 (H, W)."""
    from skimage.data import cell as picture

    clean = picture()[278 : 278 + SIDE, 332 : 332 + SIDE].astype(np.float64)
    rng = np.random.default_rng(1)
    counts = rng.poisson(clean / 255 * 60) + rng.normal(0, 2, clean.shape)
    return np.clip(np.rint(400 + 40 * counts), 0, 65535).astype(np.uint16)


def stack() -> np.ndarray:
    """Return four planes of drifting dots, white noise, float32 (4, H, W)."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:96, :96]
    places = rng.uniform(8, 88, (12, 2))
    planes = []
    for t in range(4):
        dots = sum(np.exp(-((y - a - 1.5 * t) ** 2 + (x - b - t) ** 2) / 18.0) for a, b in places)
        planes.append(dots + rng.normal(0, 0.15, y.shape))
    return np.stack(planes).astype(np.float32)


MADE = {"YXS": cat, "YX": cell, "ZYX": stack}  # by their axes, in the order of `SAMPLES`


def main() -> None:
    """Write the images."""
    for path, (axes, make) in zip(SAMPLES.values(), MADE.items(), strict=True):
        write(path, ImageFile(make(), axes), overwrite=True)


if __name__ == "__main__":
    main()
