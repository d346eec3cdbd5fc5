"""What figures are asked for, and the parts that they share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zspot.io.atomic import atomic_write


@dataclass(frozen=True)
class Options:
    """What the command line asked for; see there."""

    data: Path
    rows: Path
    out: Path
    methods: str | None = None
    image: str = "sidd_val/2_4"
    crop: int = 128
    effort: str = "balanced"
    failing: str = "bsn-ins"
    dark: float = 0.08
    inr_lr: float | None = None
    clock: str = "wall"
    overwrite: bool = False


def save(figure: Figure, path: Path, overwrite: bool, dpi: int = 150) -> Path:
    """Write a figure as PNG, whole or not at all."""
    with atomic_write(path, overwrite=overwrite) as handle:
        figure.savefig(handle, format="png", dpi=dpi)
    return path


def show(axes: Axes, image: np.ndarray, gain: float, title: str) -> None:
    """Draw an image in [0, 1], made brighter by `gain`."""
    axes.imshow(np.clip(image * gain, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title, fontsize=8)
    axes.set_axis_off()


def brightening(clean: np.ndarray) -> float:
    """Return the factor that makes a dark picture visible; 1 for others."""
    bright = float(np.percentile(clean, 99.5))
    return 1.0 if bright > 0.6 else 0.9 / max(bright, 0.02)
