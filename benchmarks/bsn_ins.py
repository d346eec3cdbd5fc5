"""What BSN-INS reaches, what its efforts cost, and what each of its parts buys.

    python -m benchmarks.bsn_ins --data DIR --out results/bsn_ins.csv --variants best,balanced

Rows are appended as soon as an image is done; a rerun skips the rows that exist. PSNR and SSIM as
in the project's conventions: floats clipped to [0, 1], data range 1, SSIM window 7 x 7 uniform,
channel mean, last iterate.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np

import zspot
from benchmarks import datasets
from benchmarks.metrics import quality
from benchmarks.rows import Rows
from zspot.algorithms import METHODS
from zspot.recipe import Bernoulli, Constant, Fit, Inr, Predict, Recipe, UNet

IMAGES = (
    "sidd_val/2_4",
    "fmdd/Confocal_BPAE_G_1",
    "cc/d800_iso6400_1",
    "sidd_val/20_4",
    "fmdd/TwoPhoton_MICE_1",
    "sidd_val/30_21",
)
FIELDS = (
    "image", "crop", "variant", "steps", "passes", "noisy_psnr", "noisy_ssim", "psnr", "ssim",
    "fit_s", "predict_s", "threads",
)  # fmt: skip


def variants() -> dict[str, Recipe]:
    """Every setting by name: the efforts, and the published setting with one part changed."""
    out = {}
    for effort in ("fast", "balanced", "best"):
        recipe = METHODS["bsn-ins"].make(effort)
        assert isinstance(recipe, Recipe)
        out[effort] = recipe
    # What balanced was before it learned on small crops.
    whole = Fit(300, 2e-3, "one-cycle")
    out["whole"] = replace(out["balanced"], fit=whole, predict=Predict(32))
    for effort in ("balanced", "whole", "best"):
        base = out[effort]
        assert isinstance(base.fill, Inr)
        ablations = {
            "untrained INR": replace(base, fill=replace(base.fill, trained=False)),
            "zero fill": replace(base, fill=Constant("zero")),
            "mean fill": replace(base, fill=Constant("mean")),
            "no exclusion": replace(base, mask=replace(base.mask, exclusion="none")),
            "no gamma": replace(base, fill=replace(base.fill, gamma=False)),
        }
        out |= {f"{effort}/{name}": recipe for name, recipe in ablations.items()}
    return out


def custom(text: str) -> Recipe:
    """A recipe from words such as `steps=300 lr=1e-3 dropout=0.2 passes=16 inr_lr=1e-3`."""
    w = dict(word.split("=") for word in text.split())
    drop = float(w["inr_drop"]) if "inr_drop" in w else None
    inr = Inr(
        lr=float(w.get("inr_lr", 1e-5)), every=int(w.get("every", 5)), w0=float(w.get("w0", 30)),
        gamma=w.get("gamma", "1") == "1", dropout=Inr().dropout if drop is None else (drop,) * 5,
    )  # fmt: skip
    return Recipe(
        "bsn-ins",
        mask=Bernoulli(float(w.get("keep", 0.1)), w.get("shared", "0") == "0"),
        fill=inr if w.get("fill", "inr") == "inr" else Constant(w["fill"]),
        network=UNet(
            int(w.get("width", 48)), int(w.get("dilation", 2)), float(w.get("dropout", 0.5))
        ),
        loss=w.get("loss", "l1"),
        fit=Fit(int(w["steps"]), float(w["lr"]), w.get("schedule", "one-cycle")),
        predict=Predict(int(w.get("passes", 16))),
    )


def load(data: Path, image: str, crop: int) -> tuple[np.ndarray, np.ndarray]:
    """The noisy and clean image in 0 .. 255, cut to `crop` x `crop` unless crop is 0."""
    name, _, stem = image.partition("/")
    pair = datasets.load(data, datasets.Entry(name), stem, crop=crop or None)
    assert pair.clean is not None
    return (pair.noisy * 255).round().astype(np.uint8), (pair.clean * 255).round().astype(np.uint8)


def measure(recipe: Recipe, noisy: np.ndarray, clean: np.ndarray) -> tuple[dict, zspot.Result]:
    """One row of figures, and the result."""
    import torch

    result = zspot.run(noisy, recipe, channel_axis=-1 if noisy.ndim == 3 else None)
    before, after = (quality(clean / 255, x / 255) for x in (noisy, result.image))
    row = {
        "steps": recipe.fit.steps,
        "passes": recipe.predict.passes,
        "noisy_psnr": round(before[0], 3),
        "noisy_ssim": round(before[1], 4),
        "psnr": round(after[0], 3),
        "ssim": round(after[1], 4),
        "fit_s": round(result.timings["fit"], 1),
        "predict_s": round(result.timings["predict"], 1),
        "threads": torch.get_num_threads(),
    }
    return row, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", default=",".join(IMAGES))
    parser.add_argument("--crop", type=int, default=256, help="0 for whole images")
    parser.add_argument("--variants", default="best")
    parser.add_argument("--custom", action="append", default=[], help="see custom()")
    parser.add_argument("--pictures", type=Path, help="folder for the denoised images")
    arguments = parser.parse_args()
    known = variants()
    chosen = {name: known[name] for name in filter(None, arguments.variants.split(","))}
    chosen |= {text: custom(text) for text in arguments.custom}
    rows = Rows(arguments.out, FIELDS, 3)
    for image in arguments.images.split(","):
        for name, recipe in chosen.items():
            if rows.has(image, arguments.crop, name):
                continue
            noisy, clean = load(arguments.data, image, arguments.crop)
            row, result = measure(recipe, noisy, clean)
            rows.append([{"image": image, "crop": arguments.crop, "variant": name, **row}])
            print(time.strftime("%H:%M"), image, name, row, flush=True)
            if arguments.pictures:
                arguments.pictures.mkdir(parents=True, exist_ok=True)
                words = (image, arguments.crop, name)
                stem = "_".join(map(str, words)).replace("/", "_").replace(" ", "_")
                iio.imwrite(arguments.pictures / f"{stem}.png", result.image)


if __name__ == "__main__":
    main()
