"""What the figures share: noise like a camera's, and pictures side by side."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np


def shared_noise(shape: tuple[int, ...], sigma: float, seed: int = 0) -> np.ndarray:
    """Return noise that neighbouring pixels share, as a camera leaves it."""
    white = np.random.default_rng(seed).normal(size=(shape[0] + 2, shape[1] + 2, *shape[2:]))
    rows = white[:-2] / 2 + white[1:-1] + white[2:] / 2
    noise = rows[:, :-2] / 2 + rows[:, 1:-1] + rows[:, 2:] / 2
    return sigma * noise / noise.std()


def noisy_copy(clean: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return the picture with noise, in 8 bits."""
    return np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)


def around_grey(difference: np.ndarray, times: float = 2.0) -> np.ndarray:
    """Return a difference as a picture around middle grey."""
    return np.clip(np.rint(128 + times * difference), 0, 255).astype(np.uint8)


def side_by_side(pictures: dict[str, np.ndarray], columns: int = 3) -> Any:
    """Draw pictures with their titles."""
    rows = -(-len(pictures) // columns)
    size = (3.4 * columns, 4.1 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for axis, (title, picture) in zip(axes.flat, pictures.items(), strict=False):
        axis.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_title(title, fontsize=11)
    for axis in axes.flat:
        axis.set_axis_off()
    return figure
