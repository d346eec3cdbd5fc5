"""Figure 1: what the implicit neural representation of BSN-INS shows while it learns."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress as Bar

from benchmarks import datasets
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Options, brightening, save, show
from zspot.algorithms import EFFORTS, METHODS
from zspot.core.plane import Plane
from zspot.core.progress import Clock, Progress
from zspot.engine import runner as engine
from zspot.io.atomic import atomic_write
from zspot.recipe import Inr, Recipe
from zspot.recipe.fills import WHOLE, Fill, InrFill, Windows
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


class Recorder:
    """An `InrFill` that keeps what its network shows at chosen steps.

    Parameters
    ----------
    fill : InrFill
    size : (int, int)
    steps : set of int
        Numbers of finished steps after which to keep the first phase.
    """

    def __init__(self, fill: InrFill, size: tuple[int, int], steps: set[int]) -> None:
        self._fill, self._size, self._steps = fill, size, steps
        self.kept: dict[int, torch.Tensor] = {}
        self._keep(0)

    def sample(
        self, y: torch.Tensor, hidden: torch.Tensor, windows: Windows = WHOLE
    ) -> torch.Tensor:
        """Return what the fill samples."""
        return self._fill.sample(y, hidden, windows)

    def learn(
        self,
        step: int,
        y: torch.Tensor,
        maps: MaskMaps,
        output: torch.Tensor,
        windows: Windows = WHOLE,
    ) -> None:
        """Let the fill learn, and keep its output if asked."""
        self._fill.learn(step, y, maps, output, windows)
        self._keep(step + 1)

    @torch.no_grad()
    def _keep(self, step: int) -> None:
        if step in self._steps:
            self.kept[step] = self._fill.inr.phase(*self._size, 0, None)[0].clone()


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
    if inr_lr is not None:
        recipe = replace(recipe, fill=replace(recipe.fill, lr=inr_lr))
    plane = Plane.of(noisy, -1 if noisy.ndim == 3 else None)
    y = torch.from_numpy(plane.values)[None]
    parts = engine._build(recipe, y, seed=0)
    assert isinstance(parts.fill, InrFill)
    last = recipe.fit.steps
    shown = {round(share * last) for share in _SHOWN}
    steps = shown | {round(k * last / _MEASURED) for k in range(_MEASURED + 1)}
    recorder = Recorder(parts.fill, (y.shape[2], y.shape[3]), steps)
    fill: Fill = recorder
    parts.fill = fill
    with Bar(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        line = bar.add_task("figure 1: training", total=last)

        def report(progress: Progress) -> None:
            bar.update(line, completed=progress.done)

        engine._fit(recipe, y, None, parts, Clock(report, {"fit": (last, 1.0)}))
    return [_moment(step, plane, recorder.kept[step], noisy, clean) for step in sorted(steps)]


def _moment(
    step: int, plane: Plane, values: torch.Tensor, noisy: np.ndarray, clean: np.ndarray
) -> Moment:
    image = plane.to_image(values.numpy())
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
