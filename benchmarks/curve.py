"""Quality against time: the efforts of `auto` and of `bsn-ins` on the same crops, as a figure.

    python -m benchmarks.curve --data DIR --bsn-ins results/bsn_ins.csv --out FIGURE.png

`--bsn-ins` is what `benchmarks.bsn_ins` wrote; only images with a row for every effort of it that
is drawn are used, and `auto` is run on the same crops here. Times are those of this machine at the
time of each run; the rows are written beside the figure as CSV.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import torch

import zspot
from benchmarks.bsn_ins import load
from benchmarks.metrics import quality

EFFORTS = ("fast", "balanced", "best")


def stored(
    path: Path, efforts: tuple[str, ...], crop: int
) -> dict[tuple[str, int], dict[str, dict]]:
    """Rows of `benchmarks.bsn_ins` by image and crop, then effort; images that have them all."""
    with path.open(newline="") as stream:
        rows = [
            row
            for row in csv.DictReader(stream)
            if row["variant"] in efforts and int(row["crop"]) == crop
        ]
    images: dict[tuple[str, int], dict[str, dict]] = {}
    for row in rows:
        if not row["fit_s"]:
            continue  # its times were lost: it has no place on the curve
        images.setdefault((row["image"], int(row["crop"])), {})[row["variant"]] = row
    return {key: found for key, found in images.items() if len(found) == len(efforts)}


def auto_rows(data: Path, image: str, crop: int) -> list[list]:
    """Run every effort of `auto` on one crop."""
    noisy, clean = load(data, image, crop)
    rows = []
    for effort in EFFORTS:
        result = zspot.run(
            noisy, "auto", effort=effort, channel_axis=-1 if noisy.ndim == 3 else None
        )
        psnr, ssim = quality(clean / 255, result.image / 255)
        rows.append(["auto", effort, image, crop, psnr, ssim, result.timings["total"]])
    return rows


def main() -> None:
    """Run `auto`, write the rows and draw the means."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bsn-ins", type=Path, required=True)
    parser.add_argument("--efforts", default=",".join(EFFORTS), help="of bsn-ins")
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows: list[list] = []
    efforts = tuple(arguments.efforts.split(","))
    for (image, crop), found in stored(arguments.bsn_ins, efforts, arguments.crop).items():
        for effort, row in found.items():
            seconds = float(row["fit_s"]) + float(row["predict_s"])
            values = [float(row["psnr"]), float(row["ssim"]), seconds]
            rows.append(["bsn-ins", effort, image, crop, *values])
        rows += auto_rows(arguments.data, image, crop)
    with arguments.out.with_suffix(".csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["method", "effort", "image", "crop", "psnr", "ssim", "seconds"])
        writer.writerows(rows)
    draw(rows, arguments.out)


def draw(rows: list[list], out: Path) -> None:
    """Draw one line per method through the means of its efforts."""
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for method, marker in (("auto", "o"), ("bsn-ins", "s")):
        points = []
        for effort in EFFORTS:
            mine = [r for r in rows if r[0] == method and r[1] == effort]
            if mine:
                seconds, psnr = (statistics.mean(r[k] for r in mine) for k in (6, 4))
                points.append((seconds, psnr))
                below = effort == "balanced"  # or neighbours would write over each other
                place = {"xytext": (0, -14 if below else 8), "textcoords": "offset points"}
                axes.annotate(effort, (seconds, psnr), ha="center", **place)
                print(f"{method:8} {effort:9} {len(mine)} images {psnr:.2f} dB {seconds:.1f} s")
        axes.plot(*zip(*points, strict=True), marker=marker, label=method)
    axes.set(xscale="log", xlabel="seconds per image (one thread)", ylabel="PSNR (dB)")
    axes.margins(0.12)
    axes.grid(alpha=0.3)
    axes.legend(loc="center")
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    main()
