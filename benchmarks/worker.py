"""One image through one method: load, denoise, measure. Runs in a process of its own."""

from __future__ import annotations

import contextlib
import functools
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import zspot
from benchmarks import datasets, metrics, noises
from benchmarks.store import KEY, QUALITY, digest
from benchmarks.variants import NOISY, ORACLE, Variant, denoise, oracle

_STAGES = ("look", "fit", "predict", "finish")
_DIGITS = {column: 4 if column.startswith("psnr") else 6 for column in (*QUALITY, "psnr_one_pass")}
_DIGITS |= {"seconds": 3, "cpu_seconds": 3, "peak_mib": 1, "load": 2, "removed": 4}
_DIGITS |= {f"{stage}_s": 3 for stage in _STAGES}


@dataclass(frozen=True)
class Task:
    """One row to be made; `crop` 0 is the whole image."""

    data: Path
    entry: datasets.Entry
    image: str
    variant: Variant
    crop: int = 0
    seed: int = 0
    noise_seed: int = 0
    device: str = "cpu"
    threads: int = 1

    def key(self) -> dict[str, Any]:
        """Return what the row is of."""
        values = vars(self) | vars(self.entry) | vars(self.variant)
        return {name: values[name] for name in KEY}


@dataclass(frozen=True)
class Outcome:
    """A row, the denoised image and the recipe that ran, as far as they exist."""

    row: dict[str, Any]
    image: np.ndarray | None = None
    recipe: str | None = None


def work(task: Task, report: Callable[[float], None] | None = None) -> Outcome:
    """Make one row; what goes wrong with the image becomes the row's error.

    Parameters
    ----------
    task : Task
    report : callable, optional
        Called with the share of the work that is done.
    """
    row = {**task.key(), **surroundings(task)}
    try:
        pair = datasets.load(
            task.data, task.entry, task.image, crop=task.crop or None, noise_seed=task.noise_seed
        )
        height, width, *rest = pair.noisy.shape
        row |= {"height": height, "width": width, "channels": rest[0] if rest else 1}
        row["input"] = digest(np.ascontiguousarray(pair.noisy).tobytes())
        image, recipe, facts = _denoise(task, pair, report)
        row |= facts
        row["removed"] = 255 * float(np.sqrt(np.mean(np.square(image - pair.noisy))))
        if pair.clean is not None:
            row |= metrics.measure_all(pair.clean, image, pair.noisy)
        for name, digits in _DIGITS.items():
            if row.get(name) is not None:
                row[name] = round(row[name], digits)
        return Outcome(row, image, recipe)
    except Exception as error:  # one bad image must not end the run
        return Outcome({**row, "error": _in_words(error)})


def failed(task: Task, why: str) -> Outcome:
    """Return the row of a task whose process ended before it could answer."""
    return Outcome({**task.key(), **surroundings(task), "error": why})


def _denoise(
    task: Task, pair: datasets.Pair, report: Callable[[float], None] | None
) -> tuple[np.ndarray, str | None, dict[str, Any]]:
    if task.variant.method == NOISY:
        facts = {"seconds": 0.0, "cpu_seconds": 0.0, "reason": "the input itself"}
        return pair.noisy, None, facts
    if torch.get_num_threads() != task.threads:
        torch.set_num_threads(task.threads)
    if task.variant.method == ORACLE:
        return _oracle(pair)
    options = {"device": task.device} | task.variant.options
    channels = pair.noisy.shape[2] if pair.noisy.ndim == 3 else 0
    _warm_up(task.variant.method, options["device"], channels)
    rounded = noises.parse(task.entry.noise).rounded
    given = np.rint(255 * pair.noisy).astype(np.uint8) if rounded else pair.noisy
    scale = 255 if rounded else 1
    metrics.restart_peak()
    result, cpu = denoise(
        task.variant, given, seed=task.seed, device=task.device,
        progress=None if report is None else (lambda p: report(p.done / max(p.total, 1e-9))),
    )  # fmt: skip
    facts = {
        "seconds": result.timings["total"],
        "cpu_seconds": cpu,
        "peak_mib": metrics.peak_mib(),
        "reason": result.reason,
        "device": result.device,
        **{f"{stage}_s": result.timings.get(stage) for stage in _STAGES},
    }
    recipe = result.recipe
    if recipe is not None:
        facts |= {"steps": recipe.fit.steps, "passes": recipe.predict.passes}
    image = result.image.astype(np.float32) / scale if rounded else result.image
    if result.uncertainty is not None and recipe is not None and pair.clean is not None:
        spread = float(np.mean(np.square(result.uncertainty / scale, dtype=np.float64)))
        facts["psnr_one_pass"] = _one_pass(pair.clean, image, spread, recipe.predict.passes)
    return image, recipe.to_toml() if recipe else None, facts


def _one_pass(clean: np.ndarray, image: np.ndarray, spread: float, passes: int) -> float:
    """Return the PSNR of single passes: their mean's error and their variance (over K, not K-1)."""
    error = float(np.mean(np.square(image - clean, dtype=np.float64)))
    return -10 * float(np.log10(error + (1 - 1 / passes) * spread))


def _oracle(pair: datasets.Pair) -> tuple[np.ndarray, None, dict[str, Any]]:
    assert pair.clean is not None
    clock, cpu = time.perf_counter(), time.process_time()
    image = oracle(pair.noisy, pair.clean)
    spent = {"seconds": time.perf_counter() - clock, "cpu_seconds": time.process_time() - cpu}
    return image, None, spent | {"reason": "told the noise"}


class _WarmError(Exception):
    """Ends a warming-up after its first step."""


@functools.cache
def _warm_up(method: str, device: str, channels: int) -> None:
    """Load modules and weights before a process times its first image."""

    def stop(progress: Any) -> None:
        if progress.done > 0:
            raise _WarmError

    shape = (32, 32, channels) if channels else (32, 32)
    image = np.random.default_rng(0).normal(0.5, 0.1, shape).astype(np.float32)
    axis = -1 if channels else None
    with contextlib.suppress(_WarmError):
        zspot.run(image, method, effort="fast", channel_axis=axis, device=device, progress=stop)


def surroundings(task: Task) -> dict[str, Any]:
    """Return what else decides the result and its time."""
    return {
        "device": task.device,
        "hardware": metrics.hardware(),
        "threads": task.threads,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "git_commit": metrics.commit(),
        "versions": metrics.versions(),
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def _in_words(error: Exception) -> str:
    """Return type, message and place of an error on one line."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text} ({Path(where.filename).name}:{where.lineno})"
