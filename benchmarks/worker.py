"""One image through one method: load, denoise, measure. Runs in a process of its own."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import subprocess
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import datasets
from benchmarks.evaluation import measure_all
from benchmarks.store import KEY, QUALITY, digest
from benchmarks.suites import NOISY

_DIGITS = {column: 4 if column.startswith("psnr") else 6 for column in QUALITY}
_DIGITS |= {"seconds": 3, "cpu_seconds": 3, "peak_mib": 1, "load": 2}
_LINUX_MEMORY = Path("/proc/self")


@dataclass(frozen=True)
class Task:
    """One row to be made; `crop` 0 is the whole image."""

    data: Path
    entry: datasets.Entry
    image: str
    method: str
    effort: str
    crop: int = 0
    seed: int = 0
    noise_seed: int = 0
    device: str = "cpu"
    threads: int = 1

    def key(self) -> dict[str, Any]:
        """Return what the row is of."""
        values = vars(self) | {"set": self.entry.set, "noise": self.entry.noise}
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
        image, recipe, facts = _denoise(task, pair.noisy, report)
        row |= facts
        if pair.clean is not None:
            row |= measure_all(pair.clean, image)
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
    task: Task, noisy: np.ndarray, report: Callable[[float], None] | None
) -> tuple[np.ndarray, str | None, dict[str, Any]]:
    if task.method == NOISY:
        return noisy, None, {"seconds": 0.0, "cpu_seconds": 0.0, "reason": "the input itself"}
    import torch

    import zspot

    _warm_up(task.method, task.device, noisy.shape[2] if noisy.ndim == 3 else 0)
    if torch.get_num_threads() != task.threads:
        torch.set_num_threads(task.threads)
    _restart_peak()
    started = time.process_time()
    result = zspot.run(
        noisy,
        task.method,
        effort=task.effort,
        channel_axis=-1 if noisy.ndim == 3 else None,
        seed=task.seed,
        device=task.device,
        progress=None if report is None else (lambda p: report(p.done / max(p.total, 1e-9))),
    )
    facts = {
        "seconds": result.timings["total"],
        "cpu_seconds": time.process_time() - started,
        "peak_mib": _peak_mib(),
        "reason": result.reason,
        "device": result.device,
    }
    return result.image, result.recipe.to_toml() if result.recipe else None, facts


class _WarmError(Exception):
    """Ends a warming-up after its first step."""


@functools.cache
def _warm_up(method: str, device: str, channels: int) -> None:
    """Load modules and weights before a process times its first image."""
    import zspot

    def stop(progress: Any) -> None:
        if progress.done > 0:
            raise _WarmError

    shape = (32, 32, channels) if channels else (32, 32)
    image = np.random.default_rng(0).normal(0.5, 0.1, shape).astype(np.float32)
    with contextlib.suppress(_WarmError):
        zspot.run(
            image,
            method,
            effort="fast",
            channel_axis=-1 if channels else None,
            device=device,
            progress=stop,
        )


def surroundings(task: Task) -> dict[str, Any]:
    """Return what else decides the result and its time."""
    return {
        "device": task.device,
        "hardware": hardware(),
        "threads": task.threads,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "git_commit": commit(),
        "versions": versions(),
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


@functools.cache
def hardware() -> str:
    """Return the processor's name and the number of its cores."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} cores"


@functools.cache
def commit() -> str | None:
    """Return the commit of this code, with -dirty for changes that are not committed."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


@functools.cache
def versions() -> str:
    """Return versions as JSON: those that decide a result, and of what measures it."""
    names = ("zspot", "torch", "numpy", "scipy", "scikit-image")
    found = {name: metadata.version(name) for name in names}
    return json.dumps({**found, "python": platform.python_version()})


def _in_words(error: Exception) -> str:
    """Return type, message and place of an error on one line."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text} ({Path(where.filename).name}:{where.lineno})"


def _restart_peak() -> None:
    """Let the kernel count the most resident memory anew, where it can."""
    try:
        (_LINUX_MEMORY / "clear_refs").write_text("5")
    except OSError:
        return


def _peak_mib() -> float | None:
    """Return the most resident memory in MiB since `_restart_peak`; None where unknown."""
    try:
        status = (_LINUX_MEMORY / "status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return None
