"""Time, memory and quality of `auto` from small to very large photographs.

    python -m benchmarks.large --data DIR [--megapixels 0.06,0.25,1,4,12,48] [--out FILE.csv]
    python -m benchmarks.large --figure FILE.png --out FILE.csv

The second draws the cost curve of rows that were written before.

A clean photograph of each size is a mosaic of the development set PolyU's clean images, mirrored
at every second place so that edges meet, under the noise of a camera (`benchmarks.noises`).
Each size is a process of its own. `alone` is the mean PSNR of up to 12 crops of 512 x 512 pixels,
spread over the picture, that are denoised by themselves, `same` that of the same crops in the whole
result.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks import datasets, noises

NOISE = "camera:0.005/0.02"
COLUMNS = (
    "megapixels", "height", "width", "seconds", "cpu_s", "fit_s", "predict_s", "finish_s", "look_s",
    "peak_gb", "noisy_psnr", "psnr", "same", "alone", "tile", "reason",
)  # fmt: skip


def photograph(data: Path, height: int, width: int) -> np.ndarray:
    """Return a clean photograph (height, width, 3) in [0, 1], float32."""
    names = datasets.find(data, "polyu").names()
    tiles = []
    for name in names[::2]:
        clean = datasets.load(data, datasets.Entry("polyu", ""), name).clean
        assert clean is not None
        tiles.append(np.asarray(clean, np.float32))
    side = min(min(t.shape[:2]) for t in tiles)
    rows = []
    for y in range(-(-height // side)):
        row = [tiles[(7 * y + x) % len(tiles)][:side, :side] for x in range(-(-width // side))]
        row = [t[:, ::-1] if x % 2 else t for x, t in enumerate(row)]
        rows.append(np.concatenate([t[::-1] if y % 2 else t for t in row], axis=1))
    return np.concatenate(rows)[:height, :width]


def child(asked: argparse.Namespace) -> dict[str, object]:
    """Denoise one photograph in this process and measure it."""
    import resource
    import time

    import zspot

    megapixels = float(asked.megapixels)
    method = {"method": asked.method, "effort": asked.effort, "channel_axis": -1}
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(megapixels * 1e6 / height)
    clean = photograph(asked.data, height, width)
    noisy = noises.parse(NOISE)(clean, 0)
    noisy = np.rint(255 * noisy.clip(0, 1)).astype(np.uint8)
    cpu = time.process_time()
    done = zspot.run(noisy, **method, max_memory=asked.max_memory)
    cpu = time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    crops = _crops(height, width)
    alone = [zspot.denoise(np.ascontiguousarray(noisy[c]), **method) for c in crops]
    tile = done.recipe.predict.tile if done.recipe else 0
    stages = ("fit", "predict", "finish", "look")
    seconds = {f"{stage}_s": round(done.timings.get(stage, 0.0), 2) for stage in stages}
    return {
        "megapixels": megapixels, "height": height, "width": width,
        "seconds": round(done.timings["total"], 2), "cpu_s": round(cpu, 2), **seconds,
        "peak_gb": round(peak / 1e9, 3), "noisy_psnr": _psnr(clean, noisy),
        "psnr": _psnr(clean, done.image),
        "same": _mean(_psnr(clean[c], done.image[c]) for c in crops),
        "alone": _mean(_psnr(clean[c], a) for c, a in zip(crops, alone, strict=True)),
        "tile": tile, "reason": done.reason,
    }  # fmt: skip


def _crops(height: int, width: int) -> list[tuple[slice, slice]]:
    """Return 3 x 4 crops of 512 pixels spread over a picture of two megapixels or more."""
    if height < 1024 or width < 1536:
        return []
    rows = [round(k * (height - 512) / 2) for k in range(3)]
    columns = [round(k * (width - 512) / 3) for k in range(4)]
    return [np.s_[y : y + 512, x : x + 512] for y in rows for x in columns]


def _psnr(clean: np.ndarray, image: np.ndarray) -> float:
    total = sum(
        float(np.square(image[y : y + 256] / 255 - clean[y : y + 256], dtype=np.float64).sum())
        for y in range(0, len(clean), 256)
    )
    return round(-10 * float(np.log10(total / clean.size)), 3)


def _mean(values) -> float | str:
    found = list(values)
    return round(sum(found) / len(found), 3) if found else ""


def draw(table: Path, out: Path) -> None:
    """Draw seconds of each stage, and peak memory, against megapixels."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    with table.open(newline="") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: float(row["megapixels"]))
    sizes = [float(row["megapixels"]) for row in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for stage in ("all", "look", "fit", "predict", "finish"):
        column = "seconds" if stage == "all" else f"{stage}_s"
        seconds = [float(row[column]) for row in rows]
        if any(seconds):
            left.plot(sizes, seconds, marker="o", label=stage, lw=2.5 if stage == "all" else 1.2)
    left.set(xscale="log", yscale="log", xlabel="megapixels", ylabel="seconds on the clock")
    right.plot(sizes, [float(row["peak_gb"]) for row in rows], marker="o", color="tab:red")
    right.set(xscale="log", xlabel="megapixels", ylabel="peak memory of the process, GB", ylim=0)
    left.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(out, dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--megapixels", default="0.06,0.25,1,4,12,48")
    parser.add_argument("--max-memory", default=None)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--figure", type=Path, help="draw the rows of --out; nothing is run")
    parser.add_argument("--method", default="auto")
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.figure:
        if arguments.out is None:
            parser.error("--figure draws the rows of a file: name it with --out")
        draw(arguments.out, arguments.figure)
        return
    if arguments.data is None:
        parser.error("--data names the folder of the image sets")
    if arguments.child:
        print(json.dumps(child(arguments)))
        return
    rows = []
    asked = ["--method", arguments.method, "--effort", arguments.effort]
    for size in arguments.megapixels.split(","):
        words = [sys.executable, "-m", "benchmarks.large", "--child", "--data", str(arguments.data)]
        words += ["--megapixels", size, *asked]
        words += ["--max-memory", arguments.max_memory] if arguments.max_memory else []
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            print(size, done.stderr.strip().splitlines()[-1], flush=True)
            continue
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(*(rows[-1][name] for name in COLUMNS[:-1]), flush=True)
    if arguments.out:
        with arguments.out.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
