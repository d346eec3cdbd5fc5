"""A stack denoised with a shared fit (`--share-fit`) against a fit for each plane.

    python -m benchmarks.robustness.stacks --data DIR --method bsn-ins --effort fast --every 50 \\
        --out results/stack.json

Makes a stack of uint16 planes: a window slides over a clean micrograph of `DIR/fmdd/clean`,
mirrored at its borders, its brightness falls (bleaching), and every plane gets fresh noise:
Poisson-Gaussian, correlated between neighbours as after resampling, or white. The whole stack is
denoised with a shared fit; every `--every`-th plane also by itself. Prints the seconds of a plane
and the PSNR of those planes. `--chain` starts each plane from the one before instead, `--share` and
`--rate` try other settings of `zspot.engine.shared_fit`.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import tifffile
import torch

import zspot
from benchmarks import metrics
from zspot.engine import shared_fit as sharing
from zspot.files import denoise_file

PEAK = 40.0  # photons of the brightest pixel
READ = 0.03  # deviation of the noise that does not depend on the signal, of the range
UNIT = 20_000  # counts of the brightest pixel, over a dark level
DARK = 2_000
FADE = 0.4  # share of the brightness that is lost from the first plane to the last


def clean_planes(picture: np.ndarray, count: int, size: int, step: int) -> Iterator[np.ndarray]:
    """Yield the windows (size, size) of a picture in [0, 1] that slides `step` pixels a plane."""
    for number in range(count):
        rows = _mirror(np.arange(size) + number * step, picture.shape[0])
        cols = _mirror(np.arange(size) + number * step // 2, picture.shape[1])
        fade = 1 - FADE * number / max(1, count - 1)
        yield fade * picture[np.ix_(rows, cols)]


def _mirror(index: np.ndarray, size: int) -> np.ndarray:
    index = index % (2 * size - 2)
    return np.where(index < size, index, 2 * size - 2 - index)


def noisy(clean: np.ndarray, seed: int, white: bool) -> np.ndarray:
    """Return camera counts, uint16, of a clean plane in [0, 1]."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(clean.shape[0] + 2, clean.shape[1] + 2))
    side = 0.0 if white else 0.5
    noise = side * noise[:-2] + noise[1:-1] + side * noise[2:]
    noise = side * noise[:, :-2] + noise[:, 1:-1] + side * noise[:, 2:]
    noise /= 1 + 2 * side**2
    values = clean + noise * np.sqrt(clean / PEAK + READ**2)
    return np.clip(np.rint(DARK + UNIT * values), 0, 65535).astype(np.uint16)


def quality(clean: np.ndarray, plane: np.ndarray) -> float:
    """Return the PSNR in dB, of the range of the first plane."""
    return metrics.quality(clean, (plane.astype(np.float64) - DARK) / UNIT)[0]


def picture_of(folder: Path) -> np.ndarray:
    """Return the first clean micrograph, stretched to [0, 1]."""
    image = iio.imread(sorted((folder / "fmdd" / "clean").iterdir())[0]).astype(np.float64)
    image = image if image.ndim == 2 else image.mean(2)
    return (image - image.min()) / (image.max() - image.min())


def chained(source: Path, target: Path, method: str, options: dict[str, Any]) -> str:
    """Denoise a stack with each plane started from the one before; return the last reason."""
    last = None
    with tifffile.TiffFile(source) as stack, tifffile.TiffWriter(target, bigtiff=True) as out:
        for page in stack.pages:
            last = zspot.run(page.asarray(), method, after=last, **options)
            out.write(last.image, photometric="minisblack", contiguous=True)
    return "" if last is None else last.reason


def trial(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Denoise the stack both ways and return what was measured."""
    source, target = folder / "stack.tif", folder / "clean.tif"
    picture = picture_of(args.data)
    made = clean_planes(picture, args.planes, args.size, args.step)
    with tifffile.TiffWriter(source, bigtiff=True) as tif:
        for number, plane in enumerate(made):
            tif.write(noisy(plane, number, args.white), photometric="minisblack", contiguous=True)
    options: dict[str, Any] = {"effort": args.effort, "seed": 0, "device": args.device}
    started = time.perf_counter()
    if args.chain:
        reason = chained(source, target, args.method, options)
    else:
        last, _ = denoise_file(source, target, args.method, share_fit=True, **options)
        reason = last.reason
    shared_seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows, seconds = _beside(args, picture, source, target, options)
    return {
        "seconds per plane": {
            "per plane": seconds / len(rows),
            "shared": shared_seconds / args.planes,
        },
        "psnr": {name: float(np.mean([r[name] for r in rows])) for name in list(rows[0])[1:]},
        "largest memory MiB": peak,
        "last reason": reason,
        "threads": torch.get_num_threads(),
        "settings": {k: str(v) for k, v in vars(args).items()},
        "planes": rows,
    }


def _beside(
    args: argparse.Namespace, picture: np.ndarray, source: Path, target: Path, options: dict
) -> tuple[list[dict[str, float]], float]:
    """Return the quality of every n-th plane, alone and in the stack, and the seconds alone."""
    rows: list[dict[str, float]] = []
    seconds = 0.0
    for number, clean in enumerate(clean_planes(picture, args.planes, args.size, args.step)):
        if number % args.every:
            continue
        plane = tifffile.imread(source, key=number)
        alone = zspot.run(plane, args.method, **options)
        seconds += alone.timings["total"]
        together = tifffile.imread(target, key=number)
        rows.append(
            {
                "plane": number,
                "noisy": quality(clean, plane),
                "per plane": quality(clean, alone.image),
                "shared": quality(clean, together),
            }
        )
        print(" ".join(f"{value:8.2f}" for value in rows[-1].values()), flush=True)
    return rows, seconds


def main() -> None:
    """Run the trial."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--planes", type=int, default=500)
    parser.add_argument("--size", type=int, default=512, help="pixels of a side")
    parser.add_argument("--step", type=int, default=4, help="pixels that the window moves")
    parser.add_argument(
        "--every", type=int, default=50, help="planes from one fit alone to the next"
    )
    parser.add_argument("--method", default="bsn-ins")
    parser.add_argument("--effort", default="fast", choices=["fast", "balanced", "best"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--white", action="store_true", help="noise without correlation")
    parser.add_argument("--share", type=float, default=sharing.SHARE, help="of the steps")
    parser.add_argument("--rate", type=float, default=sharing.RATE, help="of the learning rate")
    parser.add_argument("--chain", action="store_true", help="start from the plane before")
    args = parser.parse_args()
    sharing.SHARE, sharing.RATE = args.share, args.rate
    with tempfile.TemporaryDirectory() as folder:
        report = trial(args, Path(folder))
    for name in ("seconds per plane", "psnr"):
        print(name, {k: round(v, 3) for k, v in report[name].items()})
    print(f"largest memory {report['largest memory MiB']:.0f} MiB; {report['last reason']}")
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
