"""Denoise a noisy picture and draw it before and after, with what was removed.

Without an argument: the cup of coffee that scikit-image carries (CC0, photograph by Rachel
Michetti), with simulated noise like that of a phone in the dark. With one: that file.

    python examples/before_after.py [noisy.png] [--picture demo-before-after.png]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np

ZOOM = 96  # pixels along a side of the enlarged crop
SIGMA = 28  # deviation of the noise, of 255


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("noisy", nargs="?", type=Path)
    arguments.add_argument("--picture", type=Path, default=Path("demo-before-after.png"))
    given = arguments.parse_args()
    noisy_file = given.noisy or _coffee(Path("demo-noisy.png"))
    clean_file = Path(f"demo-denoised{noisy_file.suffix}")
    command = ["zspot", "denoise", str(noisy_file), str(clean_file)]
    print("$", *command, flush=True)
    subprocess.run([sys.executable, "-m", *command, "--overwrite"], check=True)
    _draw(iio.imread(noisy_file), iio.imread(clean_file), given.picture)


def _coffee(path: Path) -> Path:
    """Write the cup of coffee with noise that neighbouring pixels share."""
    import skimage.data

    clean = skimage.data.coffee()[40:360, 140:460]
    white = np.random.default_rng(0).normal(size=(322, 322, 3))
    rows = white[:-2] / 2 + white[1:-1] + white[2:] / 2
    noise = rows[:, :-2] / 2 + rows[:, 1:-1] + rows[:, 2:] / 2
    noisy = clean + SIGMA * noise / noise.std()
    iio.imwrite(path, np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    return path


def _draw(before: np.ndarray, after: np.ndarray, path: Path) -> None:
    y, x = ((size - ZOOM) // 2 for size in before.shape[:2])
    crop = np.s_[y : y + ZOOM, x : x + ZOOM]
    removed = before.astype(float) - after.astype(float)
    grey = removed.mean(-1) if removed.ndim == 3 else removed
    pictures = {"noisy": before, "denoised": after, "removed": grey}
    figure, axes = plt.subplots(2, 3, figsize=(12, 8.3), layout="constrained")
    for (whole, part), (title, picture) in zip(axes.T, pictures.items(), strict=True):
        whole.imshow(picture, cmap="gray", interpolation="nearest")
        whole.set_title(title, fontsize=16)
        part.imshow(picture[crop], cmap="gray", interpolation="nearest")
    for axis in axes.flat:
        axis.set_axis_off()
    figure.savefig(path, dpi=80)
    print(f"before and after: {path.resolve()}")


if __name__ == "__main__":
    main()
