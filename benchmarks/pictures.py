"""Five clean pictures that differ as widely as what people bring, for the matrix of noises.

A colour photograph and a page of text come with scikit-image; a micrograph, a star field and the
layers of a retina are drawn here, always the same. All are float32 in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage.data
from scipy.ndimage import gaussian_filter, gaussian_filter1d

SIDE = 224  # pixels


def photograph() -> np.ndarray:
    """Cut from a photograph of a cup of coffee."""
    return skimage.data.coffee()[90 : 90 + SIDE, 150 : 150 + SIDE] / 255


def page() -> np.ndarray:
    """Cut from a scanned page; its grain is below 1 of 255 once it is averaged."""
    scan = skimage.data.page()[:191, 10 : 10 + SIDE] / 255
    return np.pad(scan, [(0, SIDE - 191), (0, 0)], mode="reflect")


def micrograph() -> np.ndarray:
    """Filaments and nuclei on a dark background, blurred as by a lens."""
    rng = np.random.default_rng(0)
    image = np.zeros((SIDE, SIDE))
    for _ in range(60):
        points = np.cumsum(gaussian_filter1d(rng.normal(0, 1, (2, 160)), 8), 1) * 1.5
        rows, columns = np.rint(points + rng.uniform(0, SIDE, (2, 1))).astype(int) % SIDE
        image[rows, columns] += rng.uniform(0.5, 2)
    image = gaussian_filter(image, 1.2) * 2.5
    y, x = np.indices(image.shape)
    for _ in range(9):
        row, column = rng.uniform(20, SIDE - 20, 2)
        inside = ((y - row) / rng.uniform(9, 16)) ** 2 + ((x - column) / rng.uniform(9, 16)) ** 2
        texture = 1 + gaussian_filter(rng.normal(0, 1, image.shape), 2.5) * 2
        image += 0.5 * gaussian_filter((inside < 1) * texture, 1.2)
    return np.clip(0.04 + 0.9 * image / image.max(), 0, 1)


def stars() -> np.ndarray:
    """Stars of many magnitudes on a sky that is not quite even."""
    rng = np.random.default_rng(1)
    y, x = np.indices((SIDE, SIDE))
    image = 0.08 + 0.05 * np.exp(-((y - 90) ** 2 + (x - 140) ** 2) / 2 / 60**2)
    for flux in 0.05 * rng.pareto(1.1, 220) + 0.03:
        row, column = rng.uniform(0, SIDE, 2)
        image += min(flux, 3) * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 2 / 1.3**2)
    return np.clip(image, 0, 1)


def layers() -> np.ndarray:
    """Bent layers of different brightness, as in a section through a retina."""
    rng = np.random.default_rng(2)
    depth = np.arange(SIDE)[:, None] - 12 * np.sin(np.arange(SIDE) / 40) - 40
    image = np.full((SIDE, SIDE), 0.06)
    top = 20.0
    for value in (0.55, 0.3, 0.45, 0.22, 0.4, 0.15, 0.75, 0.5, 0.85):
        bottom = top + rng.uniform(6, 20)
        image[(depth >= top) & (depth < bottom)] = value
        top = bottom
    image[depth >= top] = 0.35 * np.exp(-(depth[depth >= top] - top) / 30)
    return gaussian_filter(image, 0.8)


PICTURES: dict[str, Callable[[], np.ndarray]] = {
    f.__name__: f for f in (photograph, micrograph, page, stars, layers)
}


@dataclass(frozen=True)
class Pictures:
    """The set of these pictures; `data` is not needed."""

    data: Path

    def names(self) -> list[str]:
        """Return the names of the pictures."""
        return list(PICTURES)

    def load(self, name: str) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Return (None, clean)."""
        return None, PICTURES[name]().astype(np.float32)
