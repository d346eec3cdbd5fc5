"""Figure 1: what the implicit neural representation of BSN-INS shows while it learns."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress as Bar
from torch import Generator, Tensor

from benchmarks import datasets
from benchmarks.drawing import Options, brightening, save, show
from benchmarks.metrics import BenchmarkError
from zspot.algorithms import EFFORTS, METHODS
from zspot.core.plane import Plane
from zspot.core.progress import Progress
from zspot.engine import run
from zspot.io.atomic import atomic_write
from zspot.recipe import Inr, Recipe
from zspot.recipe.fills import WHOLE, InrFill, RunningFill, Windows
from zspot.recipe.masks import MaskMaps

_MEASURED = 24  # moments at which the correlations are measured
_SHOWN = (0.0, 0.1, 0.3, 1.0)  # shares of the training at which the output is shown


@dataclass(frozen=True)
class Moment:
    """The INR's output without dropout after a number of steps, and its two correlations."""

    step: int
    image: np.ndarray
    noise_correlation: float
    value_correlation: float


@dataclass(frozen=True)
class Watched(Inr):
    """An INR fill that keeps what it shows after chosen numbers of steps."""

    at: frozenset[int] = frozenset()
    kept: dict[int, Tensor] = field(default_factory=dict, compare=False)

    def start(self, y: Tensor, init: Generator, draws: Generator) -> RunningFill:
        """Return the fill at work, which keeps its first output at once."""
        return WatchedFill(self, y, init, draws)


class WatchedFill(InrFill):
    """An INR fill at work that is watched."""

    def __init__(self, part: Watched, y: Tensor, init: Generator, draws: Generator) -> None:
        super().__init__(part, y, init, draws)
        self._watched = part
        self._size = int(y.shape[2]), int(y.shape[3])
        self._keep(0)

    def learn(
        self, step: int, y: Tensor, maps: MaskMaps, output: Tensor, windows: Windows = WHOLE
    ) -> None:
        """Let the fill learn, and keep its output if asked."""
        super().learn(step, y, maps, output, windows)
        self._keep(step + 1)

    @torch.no_grad()
    def _keep(self, step: int) -> None:
        if step in self._watched.at:
            self._watched.kept[step] = self.inr.phase(self._size, 0, None)[0].clone()


def inr_figure(options: Options) -> list[Path]:
    """Train BSN-INS on one image and draw its INR through training; the numbers go into a CSV."""
    text, _, image = options.image.rpartition("/")
    if not text:
        raise BenchmarkError(f"--image {options.image}: write set/image, as in sidd_val/2_4")
    if options.effort not in EFFORTS:
        raise BenchmarkError(f"effort {options.effort!r}: choose one of {', '.join(EFFORTS)}")
    entry = datasets.Entry.parse(text)
    pair = datasets.load(options.data, entry, image, crop=options.crop)
    if pair.clean is None:
        raise BenchmarkError(f"{options.image} has no clean image to correlate with")
    moments = through_training(pair.noisy, pair.clean, options.effort, options.inr_lr)
    table = pd.DataFrame(
        [(m.step, m.noise_correlation, m.value_correlation) for m in moments],
        columns=["step", "noise_correlation", "value_correlation"],
    )
    path = options.out / "figure-1.csv"
    with atomic_write(path, overwrite=options.overwrite) as handle:
        handle.write(table.to_csv(index=False, float_format="%.5f").encode())
    title = f"{options.image}, bsn-ins {options.effort}"
    if options.inr_lr is not None:
        title += f" with INR learning rate {options.inr_lr:g}"
    figure = _draw(pair.noisy, pair.clean, moments, title)
    return [save(figure, options.out / "figure-1.png", options.overwrite), path]


def through_training(
    noisy: np.ndarray, clean: np.ndarray, effort: str, inr_lr: float | None = None
) -> list[Moment]:
    """Fit BSN-INS and return its INR at moments from before the first step to the last.

    Parameters
    ----------
    noisy, clean : ndarray (H, W) or (H, W, C) in [0, 1]
    effort : str
    inr_lr : float or None
        Learning rate of the INR in place of the recipe's.
    """
    recipe = METHODS["bsn-ins"].make(effort)
    assert isinstance(recipe, Recipe)
    assert isinstance(recipe.fill, Inr)
    last = recipe.fit.steps
    steps = {round(share * last) for share in _SHOWN}
    steps |= {round(k * last / _MEASURED) for k in range(_MEASURED + 1)}
    numbers: dict[str, Any] = vars(recipe.fill) | ({} if inr_lr is None else {"lr": inr_lr})
    fill = Watched(**numbers, at=frozenset(steps))
    plane = Plane.of(np.moveaxis(np.atleast_3d(noisy), -1, 0))
    with Bar(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        line = bar.add_task("figure 1: training", total=last)

        def report(progress: Progress) -> None:
            if progress.stage != "fit":
                raise _FittedError
            bar.update(line, completed=progress.done)

        with contextlib.suppress(_FittedError):
            run(replace(recipe, fill=fill), torch.from_numpy(plane.values), seed=0, report=report)
    return [_moment(step, plane, fill.kept[step], noisy, clean) for step in sorted(steps)]


class _FittedError(Exception):
    """Ends a run after its fit."""


def _moment(
    step: int, plane: Plane, values: Tensor, noisy: np.ndarray, clean: np.ndarray
) -> Moment:
    image = np.moveaxis(plane.restore(values.numpy()), 0, -1).reshape(noisy.shape)
    return Moment(step, image, *correlations(image, noisy, clean))


def correlations(image: np.ndarray, noisy: np.ndarray, clean: np.ndarray) -> tuple[float, float]:
    """Return how an image correlates with the noise, and with the clean values.

    The value correlation is that of the image with the clean one, each channel less its mean. The
    noise correlation is that with noisy - clean, after what follows the clean values linearly was
    taken out of both: clipped noise depends on the signal, which would pass for leaked noise.
    """

    def centred(x: np.ndarray) -> np.ndarray:
        planes = x.reshape(-1, x.shape[2] if x.ndim == 3 else 1).T.astype(np.float64)
        return planes - planes.mean(1, keepdims=True)

    shown, signal, noise = centred(image), centred(clean), centred(noisy) - centred(clean)
    power = np.square(signal).sum(1, keepdims=True)

    def without_signal(x: np.ndarray) -> np.ndarray:
        return x - (x * signal).sum(1, keepdims=True) / np.maximum(power, 1e-12) * signal

    return _correlate(without_signal(shown), without_signal(noise)), _correlate(shown, signal)


def _correlate(a: np.ndarray, b: np.ndarray) -> float:
    scale = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else 0.0


def _draw(noisy: np.ndarray, clean: np.ndarray, moments: list[Moment], title: str) -> Figure:
    last = moments[-1].step
    wanted = {round(share * last) for share in _SHOWN}
    pictures = [(noisy, "noisy")]
    pictures += [(m.image, f"INR, step {m.step}") for m in moments if m.step in wanted]
    pictures.append((clean, "clean"))
    gain = brightening(clean)
    figure = Figure(figsize=(1.9 * len(pictures), 4.6), layout="constrained")
    words = title if gain == 1 else f"{title}, shown {gain:.1f} times brighter"
    figure.suptitle(words, fontsize=9)
    grid = figure.add_gridspec(2, len(pictures), height_ratios=(1, 1))
    for column, (image, label) in enumerate(pictures):
        noise, value = correlations(image, noisy, clean)
        words = f"{label}\nnoise {noise:.2f}, value {value:.2f}"
        show(figure.add_subplot(grid[0, column]), image, gain, words)
    axes = figure.add_subplot(grid[1, :])
    steps = [m.step for m in moments]
    axes.plot(steps, [m.value_correlation for m in moments], marker="o", ms=3, label="value")
    axes.plot(steps, [m.noise_correlation for m in moments], marker="s", ms=3, label="noise")
    axes.set(xlabel="step", ylabel="correlation of the INR's output", ylim=(-0.15, 1.05))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
