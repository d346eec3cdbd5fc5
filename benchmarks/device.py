"""Every method on a GPU against the CPU: `python -m benchmarks.device --data DIR --out cuda.csv`.

Denoises the middle of the first image of a set on both, with the same seed. The random numbers of
a GPU are others, so that methods that learn agree in quality only; the same recipe without
learning agrees in every pixel. With `--share` the GPU's memory is also cut to that share while
`auto` denoises the image tiled to four megapixels, to see that it goes on in less, then on the CPU.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pandas as pd
import torch

import zspot
from benchmarks import metrics
from benchmarks.datasets import middle


def compare(noisy: np.ndarray, clean: np.ndarray, method: str, args: argparse.Namespace) -> dict:
    """Denoise on both devices and return PSNR, seconds and the largest difference."""
    row: dict[str, Any] = {"method": method, "effort": args.effort}
    axis = -1 if noisy.ndim == 3 else None
    out = {}
    for device in ("cpu", args.device):
        started = time.perf_counter()
        result = zspot.run(noisy, method, effort=args.effort, channel_axis=axis, device=device)
        row[f"seconds {device}"] = round(time.perf_counter() - started, 2)
        out[device] = result.image.astype(np.float64)
        row[f"psnr {device}"] = round(metrics.quality(clean / 255, out[device] / 255)[0], 2)
    difference = np.abs(out["cpu"] - out[args.device])
    row |= {"largest difference": difference.max(), "mean difference": round(difference.mean(), 4)}
    return row


def short_of_memory(noisy: np.ndarray, share: float, device: str) -> str:
    """Denoise four megapixels with a share of the GPU's memory and return the reason."""
    torch.cuda.set_per_process_memory_fraction(share)
    side = 2048
    times = (-(-side // noisy.shape[0]), -(-side // noisy.shape[1]), *([1] * (noisy.ndim - 2)))
    large = np.tile(noisy, times)[:side, :side]
    axis = -1 if noisy.ndim == 3 else None
    started = time.perf_counter()
    result = zspot.run(large, "auto", effort="fast", channel_axis=axis, device=device)
    torch.cuda.set_per_process_memory_fraction(1.0)
    return f"share {share}: {time.perf_counter() - started:.1f} s; {result.reason}"


def main() -> None:
    """Print a row per method, and write them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", default="sidd_val")
    parser.add_argument("--methods", nargs="+", default=["auto"])
    parser.add_argument("--effort", default="fast", choices=["fast", "balanced", "best"])
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--share", type=float, nargs="*", default=[], help="of the GPU's memory")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    path = sorted((args.data / args.set / "noisy").iterdir())[0]
    noisy = middle(iio.imread(path), args.crop)
    clean = middle(iio.imread(args.data / args.set / "clean" / path.name), args.crop)
    rows = []
    for method in args.methods:
        rows.append(compare(noisy, clean, method, args))
        print(rows[-1], flush=True)
    for share in args.share:
        print(short_of_memory(noisy, share, args.device), flush=True)
    if args.out is not None:
        pd.DataFrame(rows).to_csv(args.out, index=False)


if __name__ == "__main__":
    main()
