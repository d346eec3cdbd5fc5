"""Does the theory of the linear blind-spot denoiser choose well?

Measures noise and value correlations of the real pairs by distance (`correlations.csv`,
`images.csv`), what a small BSN-INS reaches for each keep probability and exclusion shape
(`reached.csv`), what the theory predicts for the same images (`predicted.csv`), compares the
choices (`choice-RADIUS.csv`, `tables.md`) and draws both (`correlations.png`, `choice.png`). All of
it is kept in a store as soon as it is there; what the CSV files of an earlier run hold is not
measured again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import datasets, runner, theory_figures
from benchmarks.correlations import image_row, lag_rows
from benchmarks.metrics import BenchmarkError
from benchmarks.store import Store, read_rows, write_rows
from benchmarks.studies import Suite
from benchmarks.variants import NOISY, Variant
from benchmarks.windows import measured, over_masks
from zspot.core.errors import RecipeError
from zspot.core.plane import Plane
from zspot.recipe import Bernoulli
from zspot.theory import BlindSpot, Moments

SETS = ("sidd_val", "cc", "polyu", "fmdd")
IMAGES = ("sidd_val/2_4", "sidd_val/20_4", "cc/d800_iso6400_1")
KEEPS = (0.05, 0.1, 0.2, 0.3, 0.5)
EXCLUSIONS = ("none", "cross", "square")
PASSES = 16
PREDICTED = ["image", "crop", "keep", "exclusion", "radius"]


def settings() -> Iterator[Bernoulli]:
    """Every mask that leaves enough pixels to score."""
    for keep in KEEPS:
        for exclusion in EXCLUSIONS:
            try:
                yield Bernoulli(keep, exclusion=exclusion)
            except RecipeError:
                print(f"keep {keep} with exclusion {exclusion}: scores too few pixels, left out")


def small(mask: Bernoulli, steps: int) -> Variant:
    """BSN-INS with a narrow network and a fast schedule, on the whole image."""
    return Variant(
        "bsn-ins",
        "fast",
        f"mask.keep={mask.keep} mask.exclusion={mask.exclusion} mask.keep_white=0.0 "
        "finish=default network.width=16 dropout=0.1 "
        f"steps={steps} lr=3e-3 fit.crop=0 clip=0.0 passes={PASSES} predict.window=0",
    )


@dataclass(frozen=True)
class Trial:
    """What is measured, and the folder that it goes to."""

    data: Path
    out: Path
    crop: int = 96
    steps: int = 150
    seeds: int = 1
    radius: int = 6

    def run(self) -> None:
        """Measure what is missing, then write the tables and draw the figures."""
        with Store(self.out) as store:
            self._take(store, "predicted", PREDICTED)
            self._take(store, "images", ["set", "image"])
            for name in SETS:
                self._measure(store, name)
            self._predict(store)
            for kind, keys in (
                ("correlations", ["set", "image"]), ("images", ["set", "image"]),
                ("predicted", PREDICTED),
            ):  # fmt: skip
                _frame(store, kind, keys).to_csv(self.out / f"{kind}.csv", index=False)
            if (self.out / "reached.csv").exists():
                store.take(self.out / "reached.csv")
        self._reach()
        theory_figures.write(self.out, self.crop, self.steps, self.seeds, self.radius)

    def _take(self, store: Store, kind: str, keys: list[str]) -> None:
        """Note what an earlier run wrote."""
        path = self.out / f"{kind}.csv"
        if not path.exists():
            return
        known = store.noted(kind)
        rows = pd.read_csv(path, dtype={"image": str})
        for key, lines in rows.groupby(keys, sort=False):
            plain = tuple(v.item() if isinstance(v, np.generic) else v for v in key)  # type: ignore
            if plain not in known:
                rest = lines.drop(columns=keys)
                store.note(kind, plain, [dict(row) for _, row in rest.iterrows()])

    def _measure(self, store: Store, name: str) -> None:
        """Measure the correlations of every pair of a set."""
        known = {*store.noted("images")} & {*store.noted("correlations")}
        found = datasets.find(self.data, name)
        for image in found.names():
            if (name, image) in known:
                continue
            pair = datasets.load(self.data, datasets.Entry(name), image)
            assert pair.clean is not None
            clean, noisy = (
                np.moveaxis(np.atleast_3d(_levels(x)), -1, 0) for x in (pair.clean, pair.noisy)
            )
            store.note("correlations", (name, image), lag_rows(clean, noisy - clean))
            store.note("images", (name, image), [image_row(clean, noisy - clean)])
        print(f"{name}: correlations measured", flush=True)

    def _reach(self) -> None:
        """Run the small BSN-INS with every mask; first all with one seed, then with the next."""
        suite = Suite(images=IMAGES, crop=self.crop)
        variants = [small(mask, self.steps) for mask in settings()]
        tasks = []
        for seed in range(self.seeds):
            tasks += runner.plan(self.data, suite, [Variant(NOISY), *variants], seed=seed)[0]
        runner.make(tasks, self.out)
        write_rows(read_rows(self.out), self.out / "reached.csv", overwrite=True)

    def _predict(self, store: Store) -> None:
        """Predict the PSNR of every mask from the image's own moments in windows of a radius."""
        known = store.noted("predicted")
        for text in IMAGES:
            keys = {
                (text, self.crop, mask.keep, mask.exclusion, self.radius): mask
                for mask in settings()
            }
            todo = {key: mask for key, mask in keys.items() if key not in known}
            if not todo:
                continue
            moments, scale = self._moments(text)
            for key, mask in todo.items():
                parts = [_predict_one(mask, *m) for m in moments]
                mean = {k: np.mean([p[k] for p in parts]) for k in parts[0]}
                store.note("predicted", key, [_in_db(mean, scale)])
                print("predicted", *key, flush=True)

    def _moments(self, text: str) -> tuple[list[tuple[int, Moments, np.ndarray]], float]:
        """Return the moments of each channel of an image as the network sees it, and its scale."""
        name, _, image = text.partition("/")
        pair = datasets.load(self.data, datasets.Entry(name), image, crop=self.crop)
        if pair.clean is None:
            raise BenchmarkError(f"{text} has no clean image")
        noisy, clean = (_levels(x) for x in (pair.noisy, pair.clean))
        noisy, clean = (np.moveaxis(np.atleast_3d(x), -1, 0) for x in (noisy, clean))
        plane = Plane.of(noisy)
        standard = clean - plane.offset[:, None, None]
        standard /= plane.scale
        noise = plane.values - standard
        channels = range(len(noise))
        return [(c, *measured(standard, noise, self.radius, c)) for c in channels], plane.scale


def _levels(image: np.ndarray) -> np.ndarray:
    """Return 8-bit levels in [0, 1], float64: equal levels stay equal whatever is done to them."""
    return np.round(image.astype(np.float64) * 255) / 255


def _frame(store: Store, kind: str, keys: list[str]) -> pd.DataFrame:
    rows = [
        dict(zip(keys, key, strict=True)) | line
        for key, lines in store.noted(kind).items()
        for line in lines
    ]
    return pd.DataFrame(rows)


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
