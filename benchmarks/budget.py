"""What a budget buys: one method with other numbers of steps, crops, widths, learning rates.

    python -m benchmarks.budget --data DIR --out results/budget.csv --method self2self \\
        --images set9+white:25/image_House256rgb --settings "" "steps=8000 dropout=0.3"

A setting changes effort balanced: words `name=value`, for the fields of its fit, prediction and
network; an empty one leaves it as it is. Methods that are no recipe (`bm3d`) are run as they are.
Rows are appended as soon as an image is done; a rerun skips the rows that exist. PSNR and SSIM as
in `benchmarks.metrics`; seconds are those of the processor.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

import zspot
from benchmarks import datasets
from benchmarks.metrics import quality
from benchmarks.rows import Rows
from zspot.algorithms import METHODS
from zspot.recipe import Recipe

FIELDS = (
    "image", "crop", "method", "setting", "noisy_psnr", "psnr", "ssim", "cpu_seconds",
)  # fmt: skip


def change(recipe: Recipe, setting: str) -> Recipe:
    """Return the recipe with the words of a setting put in.

    Raises
    ------
    SystemExit
        If a word names no field of its fit, prediction or network.
    """
    for word in setting.split():
        name, _, value = word.partition("=")
        for part in ("fit", "predict", "network"):
            old = getattr(recipe, part)
            if name in {field.name for field in fields(old)}:
                kind = type(getattr(old, name))
                recipe = replace(recipe, **{part: replace(old, **{name: kind(value)})})
                break
        else:
            raise SystemExit(f"{recipe.method} has no {name!r} in its fit, prediction or network")
    return recipe


def load(data: Path, image: str, crop: int) -> tuple[np.ndarray, np.ndarray]:
    """Load `set[+noise]/image` in [0, 1], cut to its middle unless crop is 0."""
    name, _, stem = image.rpartition("/")
    pair = datasets.load(data, datasets.Entry.parse(name), stem, crop=crop or None)
    assert pair.clean is not None
    return pair.noisy, pair.clean


def measure(method: str, setting: str, noisy: np.ndarray, clean: np.ndarray) -> dict:
    """Denoise one image with one setting and return its figures."""
    made = METHODS[method].make("balanced")
    if not isinstance(made, Recipe) and setting:
        raise SystemExit(f"{method} is no recipe: it has no settings to change")
    chosen = change(made, setting) if isinstance(made, Recipe) else method
    start = time.process_time()
    result = zspot.run(
        noisy.astype(np.float32), chosen, channel_axis=-1 if noisy.ndim == 3 else None
    )
    seconds = time.process_time() - start
    psnr, ssim = quality(clean, result.image)
    return {
        "noisy_psnr": round(quality(clean, noisy)[0], 3),
        "psnr": round(psnr, 3),
        "ssim": round(ssim, 4),
        "cpu_seconds": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--method", required=True)
    parser.add_argument("--images", nargs="+", required=True, help="set[+noise]/image")
    parser.add_argument("--crop", type=int, default=256, help="0 for whole images")
    parser.add_argument("--settings", nargs="+", default=[""])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = Rows(arguments.out, FIELDS, 4)
    for setting in arguments.settings:
        for image in arguments.images:
            key = (image, arguments.crop, arguments.method, setting)
            if rows.has(*key):
                continue
            noisy, clean = load(arguments.data, image, arguments.crop)
            row = measure(arguments.method, setting, noisy, clean)
            rows.append([{**dict(zip(FIELDS[:4], key, strict=True)), **row}])
            print(*key, row, flush=True)


if __name__ == "__main__":
    main()
