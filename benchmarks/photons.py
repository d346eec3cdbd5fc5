"""What is gained on images of few photons: clean pictures seen one photon at a time.

    python -m benchmarks.photons --out docs/results/photons.csv

Every picture is scaled to a mean of so many photons in a pixel and drawn from a Poisson
distribution. "counts" are as from a photon counter; of "pulses", as from a photomultiplier, each
photon adds a random height, exponentially distributed. `gain` is in dB over the noisy image itself;
`bias` is the mean of the result over that of the clean picture, less 1.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import zspot
from benchmarks.pictures import PICTURES

PHOTONS = (10, 3, 1, 0.3, 0.1, 0.03, 0.01)
METHODS = ("auto", "auto-scratch")
KINDS = ("counts", "pulses")
FIELDS = ("picture", "kind", "photons", "method", "effort", "gain", "bias")


def scene(name: str, photons: float, kind: str = "counts") -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of a picture and what is seen, float32; colours are scaled together."""
    picture = PICTURES[name]().astype(np.float64)
    mean, rng = picture * photons / picture.mean(), np.random.default_rng(0)
    seen = rng.poisson(mean)
    seen = rng.gamma(np.maximum(seen, 1e-9)) * (seen > 0) if kind == "pulses" else seen
    return mean.astype(np.float32), seen.astype(np.float32)


def rows(effort: str) -> Iterator[dict[str, object]]:
    """Denoise every picture at every mean by every method."""
    for name, kind, photons in itertools.product(PICTURES, KINDS, PHOTONS):
        mean, seen = scene(name, photons, kind)
        axis = -1 if mean.ndim == 3 else None
        noise = np.square(seen - mean).mean(dtype=np.float64)
        for method in METHODS:
            result = zspot.denoise(seen, method, channel_axis=axis, effort=effort)
            error = np.square(result - mean).mean(dtype=np.float64)
            gain, bias = 10 * np.log10(noise / error), result.mean() / mean.mean() - 1
            line = (name, kind, photons, method, effort, f"{gain:.2f}", f"{bias:+.3f}")
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
