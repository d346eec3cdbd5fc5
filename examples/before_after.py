"""Denoise a noisy picture and draw it before and after, with a zoomed crop and what was removed.

Without an argument: a part of the Hubble deep field that scikit-image carries, which has real
sensor noise and JPEG compression. With one: that file.

    python examples/before_after.py [noisy.png]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np

ZOOM = 96


def main() -> None:
    noisy_file = Path(sys.argv[1]) if len(sys.argv) > 1 else _hubble()
    clean_file = Path(f"demo-denoised{noisy_file.suffix}")
    command = ["zspot", "denoise", str(noisy_file), str(clean_file)]
    print("$", *command, flush=True)
    subprocess.run([sys.executable, "-m", *command, "--overwrite"], check=True)
    _draw(iio.imread(noisy_file), iio.imread(clean_file), Path("demo-before-after.png"))


def _hubble() -> Path:
    import skimage.data

    path = Path("demo-noisy.png")
    iio.imwrite(path, skimage.data.hubble_deep_field()[360:616, 500:756])
    return path


def _draw(before: np.ndarray, after: np.ndarray, path: Path) -> None:
    y, x = ((size - ZOOM) // 2 for size in before.shape[:2])
    crop = np.s_[y : y + ZOOM, x : x + ZOOM]
    removed = before.astype(float) - after.astype(float)
    grey = removed.mean(-1) if removed.ndim == 3 else removed
    pictures = [before, before[crop], after, after[crop], grey, grey[crop]]
    titles = [
        "noisy",
        "noisy, zoomed",
        "denoised",
        "denoised, zoomed",
        "removed",
        "removed, zoomed",
    ]
    figure, axes = plt.subplots(2, 3, figsize=(12, 8), layout="constrained")
    for axis, picture, title in zip(axes.T.flat, pictures, titles, strict=True):
        axis.imshow(picture, cmap="gray", interpolation="nearest")
        axis.set_title(title)
        axis.set_axis_off()
    figure.savefig(path, dpi=110)
    print(f"before and after: {path.resolve()}")


if __name__ == "__main__":
    main()
