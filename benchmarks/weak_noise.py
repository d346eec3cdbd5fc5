"""Is an image that is nearly clean left nearly alone?

    python -m benchmarks.weak_noise --data DIR [--sets polyu,cc] [--limit 8] [--out FILE.csv]

Noise of 0, 1 and 2 of 255, white or correlated, is added to the middle of each reference and the
sum rounded to 8 bits. The references of the camera and microscope sets are means of many shots,
those of the white-noise sets single photographs or scans. Where a reference holds noise of its own,
a denoiser that removes it is counted as wrong.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from pathlib import Path

import numpy as np
import torch

import zspot
from benchmarks import datasets
from benchmarks.noises import parse

MEANS = ("sidd_val", "fmdd", "polyu", "cc")
SINGLE = ("set9", "bsd68", "mcmaster")
NOISES = ("", "white:1", "correlated:1", "white:2", "correlated:2")
COLUMNS = ("set", "image", "noise", "noisy_psnr", "psnr", "removed", "reason")
_SIDE = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join((*MEANS, *SINGLE)))
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in arguments.sets.split(","):
        for image, clean in references(arguments.data, name, arguments.limit):
            for noise in NOISES:
                row = (name, image, noise, *trial(clean, noise, arguments.effort))
                print(*row[:2], row[2] or "none", *(f"{v:.2f}" for v in row[3:6]), flush=True)
                rows.append(row)
    summarise(rows)
    if arguments.out:
        with arguments.out.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            writer.writerows(rows)


def references(data: Path, name: str, limit: int | None):
    """Yield (image name, clean middle in 0 to 1), evenly chosen if there is a limit."""
    names = datasets.find(data, name).names()
    some = names[:: -(-len(names) // limit)] if limit else names
    entry = datasets.Entry(name, "white:25" if name in SINGLE else "")
    for image in some:
        clean = datasets.load(data, entry, image).clean
        assert clean is not None
        yield image, datasets.middle(clean, _SIDE).astype(np.float64)


def trial(clean: np.ndarray, noise: str, effort: str) -> tuple[float, float, float, str]:
    """Return PSNR before and after, the strength of what was removed (of 255), and the reason."""
    noisy = parse(noise)(clean, 0) if noise else clean
    noisy = np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8)
    result = zspot.run(noisy, effort=effort, channel_axis=-1 if noisy.ndim == 3 else None)
    clean = clean * 255
    removed = np.sqrt(np.mean((result.image.astype(float) - noisy) ** 2))
    return _psnr(clean, noisy), _psnr(clean, result.image), float(removed), result.reason


def _psnr(clean: np.ndarray, image: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((image - clean) ** 2), 1e-6)))


def summarise(rows: list[tuple]) -> None:
    print("set        noise            n  noisy   PSNR least gain worse removed")
    for name in dict.fromkeys(row[0] for row in rows):
        for noise in NOISES:
            mine = [row for row in rows if (row[0], row[2]) == (name, noise)]
            before, after, removed = (statistics.mean(row[k] for row in mine) for k in (3, 4, 5))
            gains = [row[4] - row[3] for row in mine]
            print(
                f"{name:10} {noise or 'none':14} {len(mine):3} {before:6.2f} {after:6.2f} "
                f"{min(gains):10.2f} {sum(g < 0 for g in gains):5} {removed:7.2f}"
            )


if __name__ == "__main__":
    main()
