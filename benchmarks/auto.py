"""What `auto` reaches on the development sets.

    python -m benchmarks.auto --data DIR [--sets sidd_val,cc] [--effort balanced] [--out FILE.csv]

White noise is added to the clean sets with `np.random.default_rng(0)`, started anew for each
image, not clipped. Floats clipped to [0, 1], data range 1, SSIM window 7 x 7 uniform.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from pathlib import Path

import torch

import zspot
from benchmarks import datasets
from benchmarks.metrics import quality

SETS = {
    "sidd_val": None, "fmdd": None, "polyu": None, "cc": None,
    "set9": 25, "bsd68": 25, "mcmaster": 50,
}  # fmt: skip
COLUMNS = (
    "set", "image", "noisy_psnr", "noisy_ssim", "psnr", "ssim", "seconds", "cpu_s", "reason",
)  # fmt: skip


def pairs(data: Path, name: str, limit: int | None):
    """Yield (image name, noisy, clean) of a set, floats in [0, 1] or noisy beyond."""
    sigma = SETS[name]
    entry = datasets.Entry(name, f"white:{sigma}" if sigma else "")
    for image in datasets.find(data, name).names()[:limit]:
        pair = datasets.load(data, entry, image)
        assert pair.clean is not None
        yield image, pair.noisy, pair.clean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--method", default="auto")
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = []
    for name in arguments.sets.split(","):
        for image, noisy, clean in pairs(arguments.data, name, arguments.limit):
            axis = -1 if noisy.ndim == 3 else None
            started = time.process_time()
            result = zspot.run(noisy, arguments.method, effort=arguments.effort, channel_axis=axis)
            before, after = quality(clean, noisy), quality(clean, result.image)
            row = [name, image, *before, *after, result.timings["total"]]
            row += [round(time.process_time() - started, 2), result.reason]
            rows.append(row)
            print(*row[:2], *(f"{v:.3f}" for v in row[2:8]), row[8], flush=True)
    print("set          n  noisy   PSNR   SSIM worse median s    cpu")
    for name in arguments.sets.split(","):
        mine = [r for r in rows if r[0] == name]
        noisy, psnr, ssim = (statistics.mean(r[k] for r in mine) for k in (2, 4, 5))
        worse = sum(r[4] < r[2] for r in mine)
        seconds, cpu = (statistics.median(r[k] for r in mine) for k in (6, 7))
        print(
            f"{name:10} {len(mine):3} {noisy:6.2f} {psnr:6.2f} {ssim:6.4f} {worse:5} "
            f"{seconds:8.1f} {cpu:6.1f}"
        )
    if arguments.out:
        with arguments.out.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            writer.writerows(rows)


if __name__ == "__main__":
    main()
