"""Does the theory of the linear blind-spot denoiser choose well?

    python -m benchmarks.theory --data DIR --out results/theory

Measures noise and value correlations of the real pairs by distance (`correlations.csv`,
`images.csv`), what a small BSN-INS reaches for each keep probability and exclusion shape
(`reached.csv`), what the theory predicts for the same images (`predicted.csv`), compares the
choices (`choice-RADIUS.csv`, `tables.md`) and draws both (`correlations.png`,
`choice.png`). Rows are appended as soon as they are there; a rerun goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np

import zspot
from benchmarks.bsn_ins import load
from benchmarks.correlations import IMAGE_FIELDS, LAG_FIELDS, image_row, lag_rows
from benchmarks.metrics import quality
from benchmarks.rows import Rows
from zspot.algorithms import METHODS
from zspot.core.errors import RecipeError
from zspot.core.plane import Plane
from zspot.recipe import Bernoulli, Fit, Predict, Recipe, UNet
from zspot.theory import BlindSpot, Moments, over_masks

SETS = ("sidd_val", "cc", "polyu", "fmdd")
IMAGES = ("sidd_val/2_4", "sidd_val/20_4", "cc/d800_iso6400_1")
KEEPS = (0.05, 0.1, 0.2, 0.3, 0.5)
EXCLUSIONS = ("none", "cross", "square")
PASSES = 16
KEY = ("image", "crop", "keep", "exclusion")
REACHED_FIELDS = (*KEY, "seed", "steps", "noisy_psnr", "psnr", "ssim", "one_pass_psnr", "seconds")
PREDICTED_FIELDS = (
    *KEY, "radius", "printed", "printed_radius", "printed_visible", "one_pass", "averaged",
    "visible",
)  # fmt: skip


def settings() -> Iterator[Bernoulli]:
    """Every mask that leaves enough pixels to score."""
    for keep in KEEPS:
        for exclusion in EXCLUSIONS:
            try:
                yield Bernoulli(keep, exclusion=exclusion)
            except RecipeError:
                print(f"keep {keep} with exclusion {exclusion}: scores too few pixels, left out")


def small(mask: Bernoulli, steps: int) -> Recipe:
    """BSN-INS with a narrow network and a fast schedule."""
    recipe = METHODS["bsn-ins"].make("fast")
    assert isinstance(recipe, Recipe)
    net = UNet(width=16, dropout=0.1)
    fit = Fit(steps, 3e-3, "one-cycle")
    return replace(recipe, mask=mask, network=net, fit=fit, predict=Predict(PASSES))


def measure_sets(data: Path, out: Path) -> None:
    """Measure the correlations of every real pair."""
    lags = Rows(out / "correlations.csv", LAG_FIELDS, 2)
    images = Rows(out / "images.csv", IMAGE_FIELDS, 2)
    for name in SETS:
        for path in sorted((data / name / "clean").iterdir()):
            if images.has(name, path.stem):
                continue
            noisy_path = next((data / name / "noisy").glob(f"{path.stem}.*"))
            clean, noisy = (np.atleast_3d(iio.imread(p) / 255.0) for p in (path, noisy_path))
            clean, noise = (np.moveaxis(x, -1, 0) for x in (clean, noisy - clean))
            key = {"set": name, "image": path.stem}
            if not lags.has(name, path.stem):
                lags.append(key | row for row in lag_rows(clean, noise))
            images.append([key | image_row(clean, noise)])
        print(f"{name}: correlations measured", flush=True)


def reach(data: Path, out: Path, crop: int, steps: int, seeds: int) -> None:
    """Run the small BSN-INS with every mask; first all with one seed, then with the next."""
    rows = Rows(out / "reached.csv", REACHED_FIELDS, 6)
    jobs = [
        (seed, image, mask)
        for seed in range(seeds)
        for image in IMAGES
        for mask in settings()
        if not rows.has(image, crop, mask.keep, mask.exclusion, seed, steps)
    ]
    started = time.monotonic()
    for number, (seed, image, mask) in enumerate(jobs):
        row = _reach_one(data, image, crop, small(mask, steps), seed)
        key = (image, crop, mask.keep, mask.exclusion)
        rows.append([dict(zip(KEY, key, strict=True)) | {"seed": seed, "steps": steps} | row])
        left = (time.monotonic() - started) / (number + 1) * (len(jobs) - number - 1)
        print(f"{number + 1}/{len(jobs)}, {left / 60:.0f} min left:", *key, row, flush=True)


def _reach_one(data: Path, image: str, crop: int, recipe: Recipe, seed: int) -> dict[str, Any]:
    noisy, clean = (x.astype(np.float32) / 255 for x in load(data, image, crop))
    axis = -1 if noisy.ndim == 3 else None
    result = zspot.run(noisy, recipe, channel_axis=axis, seed=seed)
    psnr, ssim = quality(clean, result.image)
    # The mean error of single passes is that of their mean plus their variance (over K, not K - 1).
    assert result.uncertainty is not None
    spread = (1 - 1 / PASSES) * float(np.mean(result.uncertainty**2.0))
    single = float(np.mean((result.image - clean) ** 2.0)) + spread
    return {
        "noisy_psnr": f"{quality(clean, noisy)[0]:.3f}",
        "psnr": f"{psnr:.3f}",
        "ssim": f"{ssim:.4f}",
        "one_pass_psnr": f"{-10 * np.log10(single):.3f}",
        "seconds": f"{result.timings['total']:.1f}",
    }


def predict(data: Path, out: Path, crop: int, radius: int) -> None:
    """Predict the PSNR of every mask from the image's own moments in windows of a radius."""
    rows = Rows(out / "predicted.csv", PREDICTED_FIELDS, 5)
    for image in IMAGES:
        todo = [m for m in settings() if not rows.has(image, crop, m.keep, m.exclusion, radius)]
        if not todo:
            continue
        noisy, clean = (x.astype(np.float64) / 255 for x in load(data, image, crop))
        plane = Plane.of(noisy, -1 if noisy.ndim == 3 else None)
        standard = np.moveaxis(np.atleast_3d(clean), -1, 0) - plane.offset[:, None, None]
        standard /= plane.scale
        noise = plane.values - standard
        measured = [
            (c, *Moments.from_images(standard, noise, radius, c)) for c in range(len(noise))
        ]
        for mask in todo:
            parts = [_predict_one(mask, *m) for m in measured]
            mean = {k: np.mean([p[k] for p in parts]) for k in parts[0]}
            key = (image, crop, mask.keep, mask.exclusion)
            row = {"radius": radius} | _in_db(mean, plane.scale)
            rows.append([dict(zip(KEY, key, strict=True)) | row])
            print("predicted", *key, rows.all[-1]["averaged"], flush=True)


def _in_db(mean: dict[str, Any], scale: float) -> dict[str, str]:
    """Risks as PSNR of intensities in [0, 1]; the rest as it is."""
    risks = ("printed", "one_pass", "averaged")
    db = {k: f"{-10 * np.log10(mean[k] * scale**2):.3f}" for k in risks}
    return db | {k: f"{v:.2f}" for k, v in mean.items() if k not in risks}


def _predict_one(
    mask: Bernoulli, channel: int, moments: Moments, offsets: np.ndarray
) -> dict[str, float]:
    """Risks of one channel, standardised: the printed one, and those of the measured system."""
    distance = np.abs(offsets[:, 1:])
    own = offsets[:, 0] == channel
    size = {"none": 0, "cross": 1, "square": 2}[mask.exclusion]
    near = (distance.sum(axis=1) <= size) & (distance.max(axis=1) <= 1)
    allowed = ~(own & near & (size > 0))
    rng = np.random.default_rng(0)
    masks = allowed & (rng.random((PASSES, len(offsets))) < mask.keep)
    system = over_masks(moments, masks)
    best = min(
        (_printed(mask.keep, moments, own & allowed & (distance.max(axis=1) <= r)), r)
        for r in range(2, int(distance.max()) + 1)
    )
    (risk, visible), radius = best
    return {
        "printed": risk, "printed_radius": radius, "printed_visible": visible,
        "one_pass": system.one_pass, "averaged": system.averaged, "visible": system.visible,
    }  # fmt: skip


def _printed(keep: float, moments: Moments, window: np.ndarray) -> tuple[float, float]:
    """The printed risk with the mean correlation and deviation of a window; and its M."""
    v, n = moments.values, moments.noise
    at = 1 + np.flatnonzero(window)
    noise_correlation = float(np.mean(n[0, at] / np.sqrt(n[0, 0] * n[at, at])))
    deviation = np.sqrt(np.mean(v[at, at] - 2 * v[0, at] + v[0, 0]) / n[0, 0])
    visible = keep * len(at)
    pixel = BlindSpot(np.sqrt(v[0, 0]), np.sqrt(n[0, 0]), noise_correlation, deviation, visible)
    return float(pixel.risk()), visible


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--crop", type=int, default=96)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--radius", type=int, default=6, help="of the theory's windows, from 2")
    arguments = parser.parse_args()
    for name in SETS:
        if not (arguments.data / name / "clean").is_dir():
            parser.error(f"--data {arguments.data}: it must hold {name}/clean and {name}/noisy")
    from benchmarks.theory_figures import choice, figures, read, tables

    out = arguments.out
    measure_sets(arguments.data, out)
    crop, steps, radius = arguments.crop, arguments.steps, arguments.radius
    predict(arguments.data, out, crop, radius)
    reach(arguments.data, out, crop, steps, arguments.seeds)
    every = read(out / "reached.csv", crop=crop, steps=steps)
    # A seed that only some settings have would favour or harm them.
    reached = [row for row in every if int(row["seed"]) < arguments.seeds]
    predicted = read(out / "predicted.csv", crop=crop, radius=radius)
    choice(out, reached, every, predicted, radius)
    figures(out, reached, predicted)
    tables(out, radius)


if __name__ == "__main__":
    main()
