"""A small data folder and a run's folder for the tests of the benchmarks."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from benchmarks import __main__ as cli
from benchmarks import datasets, metrics, store, worker
from benchmarks.variants import Variant

ROOT = Path(__file__).parents[1]
SIZE = 40


def picture(seed: int, size: int = SIZE, channels: int = 3) -> np.ndarray:
    """A smooth picture of 8 bits."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(size, size, channels)), (3, 3, 0))
    levels = 128 + 45 * smooth / smooth.std()
    return np.clip(levels, 0, 255).round().astype(np.uint8)


def noisier(image: np.ndarray, seed: int, sigma: float = 20) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 255).round().astype(np.uint8)


@pytest.fixture
def sets(tmp_path) -> Path:
    """A data folder with the set "tiny" of six pairs and "bare" of two clean images."""
    return make_sets(tmp_path / "data")


def make_sets(data: Path) -> Path:
    for role in ("tiny/noisy", "tiny/clean", "bare/clean"):
        (data / role).mkdir(parents=True)
    for number in range(6):
        clean = picture(number)
        iio.imwrite(data / f"tiny/clean/{number}.png", clean)
        iio.imwrite(data / f"tiny/noisy/{number}.png", noisier(clean, 100 + number))
    for name in ("10", "9"):
        iio.imwrite(data / f"bare/clean/{name}.png", picture(int(name)))
    return data


def bench(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def quality_of(out: Path) -> pd.DataFrame:
    """What must not depend on interruptions: everything but times and the machine's load."""
    rows = store.read_rows(out)
    timed = ["seconds", "cpu_seconds", "peak_mib", "load", "started"]
    timed += ["look_s", "fit_s", "predict_s", "finish_s"]
    return rows.drop(columns=timed)


def fill(folder: Path, sets: Path, values: dict[tuple[str, str], tuple[float, float]]) -> None:
    """Store rows of made-up methods on "tiny": (method, effort) -> (share of noise left, s)."""
    kept = store.Store(folder)
    for (method, effort), (left, seconds) in values.items():
        for name in datasets.find(sets, "tiny").names():
            task = worker.Task(sets, datasets.Entry("tiny"), name, Variant(method, effort))
            pair = datasets.load(sets, task.entry, name)
            assert pair.clean is not None
            image = pair.clean + left * (pair.noisy - pair.clean)
            row = {**task.key(), **worker.surroundings(task), "seconds": seconds}
            row["cpu_seconds"] = seconds / 2
            row |= metrics.measure_all(pair.clean, image, pair.noisy)
            kept.add(row, image, f"of {method}")
    kept.close()


MADE = {
    ("noisy", ""): (1.0, 0.0), ("mash", "balanced"): (0.5, 10.0), ("auto", "fast"): (0.4, 4.0),
    ("auto", "balanced"): (0.3, 8.0), ("auto", "best"): (0.2, 80.0), ("dip", "best"): (0.6, 99.0),
}  # fmt: skip
