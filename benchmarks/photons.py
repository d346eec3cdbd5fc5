"""What is gained on images of few photons: clean pictures counted one photon at a time.

    python -m benchmarks.photons --out docs/results/photons.csv

Every picture is scaled to a mean of so many photons in a pixel and drawn from a Poisson
distribution, as a photon counter or a fluorescence lifetime microscope does. `gain` is in dB over
the counts themselves; `bias` is the mean of the result over that of the clean picture, less 1.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import zspot
from benchmarks.pictures import PICTURES

PHOTONS = (10, 3, 1, 0.3, 0.1, 0.03, 0.01)
METHODS = ("auto", "auto-scratch")
FIELDS = ("picture", "photons", "method", "effort", "gain", "bias")


def scene(name: str, photons: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the counts of a picture, float32; colours are scaled together."""
    picture = PICTURES[name]().astype(np.float64)
    mean = picture * photons / picture.mean()
    counts = np.random.default_rng(0).poisson(mean)
    return mean.astype(np.float32), counts.astype(np.float32)


def rows(effort: str) -> Iterator[dict[str, object]]:
    """Denoise every picture at every mean by every method."""
    for name in PICTURES:
        for photons in PHOTONS:
            mean, counts = scene(name, photons)
            axis = -1 if mean.ndim == 3 else None
            noise = np.square(counts - mean).mean(dtype=np.float64)
            for method in METHODS:
                result = zspot.denoise(counts, method, channel_axis=axis, effort=effort)
                error = np.square(result - mean).mean(dtype=np.float64)
                gain, bias = 10 * np.log10(noise / error), result.mean() / mean.mean() - 1
                line = (name, photons, method, effort, f"{gain:.2f}", f"{bias:+.3f}")
                print(*line, flush=True)
                yield dict(zip(FIELDS, line, strict=True))


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--effort", default="fast", choices=("fast", "balanced", "best"))
    args = parser.parse_args()
    made = list(rows(args.effort))
    with args.out.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(made)


if __name__ == "__main__":
    main()
