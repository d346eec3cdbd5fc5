"""The closed-form self-similarity denoiser on white noise of known level, beside BM3D's figures.

    python -m benchmarks.selfsim_trial --data DATA [--sets set9 bsd68 mcmaster fmdd]
        [--reference bm3d.csv] [--out rows.csv] [--threads 1]

White sets get Gaussian noise of the stated level, `numpy.random.default_rng(0)`, not clipped. FMDD
has its own, Poisson-Gaussian: gain and read noise are fitted to the pair (an oracle), and the
generalised Anscombe transform makes the noise white. Rows: dataset, name, psnr, ssim, seconds.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch

from benchmarks.metrics import quality
from zspot.selfsim import denoise_selfsim

LEVELS = {"set9": 25, "bsd68": 25, "mcmaster": 50}
COLUMNS = ("dataset", "name", "psnr", "ssim", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(LEVELS))
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = []
    for dataset in arguments.sets:
        for row in measure(arguments.data, dataset):
            rows.append(row)
            print(*row.values(), flush=True)
            if arguments.out:
                write(arguments.out, rows)
    summarise(rows, read(arguments.reference) if arguments.reference else [])


def measure(data: Path, dataset: str) -> Iterator[dict]:
    """Denoise a set image by image."""
    for path in sorted((data / dataset / "clean").iterdir()):
        clean = iio.imread(path) / 255
        if dataset in LEVELS:
            level = LEVELS[dataset] / 255
            noisy = clean + np.random.default_rng(0).normal(0, level, clean.shape)
            started = time.perf_counter()
            out = denoise(noisy, level)
        else:
            noisy = iio.imread(data / dataset / "noisy" / path.name) / 255
            gain, read_noise = fit_noise(noisy, clean)
            started = time.perf_counter()
            out = denoise_poisson(noisy, gain, read_noise)
        seconds = time.perf_counter() - started
        yield dict(zip(COLUMNS, (dataset, path.stem, *quality(clean, out), seconds), strict=True))


def denoise(noisy: np.ndarray, level: float) -> np.ndarray:
    planes = np.moveaxis(np.atleast_3d(noisy), 2, 0).astype(np.float32)
    out = np.moveaxis(denoise_selfsim(torch.from_numpy(planes), level).numpy(), 0, 2)
    return out.reshape(noisy.shape)


def fit_noise(noisy: np.ndarray, clean: np.ndarray) -> tuple[float, float]:
    """Fit variance = gain * clean + read noise to a pair, least squares over brightness bins."""
    edges = np.unique(np.quantile(clean, np.linspace(0, 0.98, 25)))
    which = np.digitize(clean, edges)
    bins = [which == index for index in range(1, len(edges) + 1) if (which == index).sum() > 99]
    level = np.array([clean[pick].mean() for pick in bins])
    variance = np.array([np.square(noisy - clean)[pick].mean() for pick in bins])
    weight = 1 / (variance + variance.mean() / 10)
    design = np.stack([level, np.ones_like(level)], 1)
    gain, rest = np.linalg.lstsq(design * weight[:, None], variance * weight, rcond=None)[0]
    return max(float(gain), 1e-6), float(rest)


def denoise_poisson(noisy: np.ndarray, gain: float, read_noise: float) -> np.ndarray:
    """Denoise through the generalised Anscombe transform and its closed-form unbiased inverse.

    M. Makitalo, A. Foi, IEEE Transactions on Image Processing 22, 2013.
    """
    rest = read_noise / gain**2 + 3 / 8
    stable = 2 * np.sqrt(np.maximum(noisy / gain + rest, 0))
    flat = np.maximum(denoise(stable, 1.0), 2 * np.sqrt(3 / 8))
    root = np.sqrt(1.5)
    counts = flat**2 / 4 + root / (4 * flat) - 11 / (8 * flat**2) + 5 * root / (8 * flat**3) - 1 / 8
    return (counts - read_noise / gain**2) * gain


def read(path: Path) -> list[dict]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def write(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def summarise(rows: list[dict], reference: list[dict]) -> None:
    """Print means per set, and the reference's over the same images."""
    known = {(row["dataset"], Path(row["name"]).stem): row for row in reference}
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        some = [row for row in rows if row["dataset"] == dataset]
        print(f"{dataset} ({len(some)}):", *means(some))
        pairs = [(row, known[key]) for row in some if (key := (dataset, row["name"])) in known]
        if pairs:
            print(f"  of {len(pairs)}: ours", *means([ours for ours, _ in pairs]))
            print(f"  of {len(pairs)}: reference", *means([theirs for _, theirs in pairs]))


def means(rows: list[dict]) -> list[str]:
    return [f"{key} {np.mean([float(row[key]) for row in rows]):.4f}" for key in COLUMNS[2:]]


if __name__ == "__main__":
    main()
