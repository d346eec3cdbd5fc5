"""The picture of a noise report."""

from pathlib import Path
from typing import Any

import numpy as np

from zspot.core.errors import MissingExtraError, install
from zspot.core.plane import channels_first
from zspot.noise.report import NoiseReport
from zspot.noise.words import explain

_CROP = 128  # pixels
_COLOURS = ("tab:red", "tab:green", "tab:blue", "tab:gray")


def plot_noise(
    report: NoiseReport, image: np.ndarray, path: str | Path, channel_axis: int | None = None
) -> None:
    """Draw level function, autocorrelation, channel correlation and a crop into a picture file.

    `report` is what `analyze_noise` returned for `image` with this `channel_axis`. The suffix of
    `path` decides the format: .png, .pdf, .svg. MissingExtraError: if matplotlib is missing.
    """
    drawn(report, np.asarray(image), channel_axis).savefig(path, dpi=100)


def drawn(
    report: NoiseReport, image: np.ndarray | None = None, channel_axis: int | None = None
) -> Any:
    """Return the picture as a figure of matplotlib, with a crop if the image is given."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError(f"pictures need matplotlib; {install('plot')}") from None
    figure = Figure(figsize=(12, 8), layout="constrained")
    axes = figure.subplots(2, 2)
    _level_function(axes[0, 0], report)
    shade = _matrix(axes[0, 1], report.autocorrelation, "how neighbours share their noise", 4.5)
    axes[0, 1].set(xlabel="pixels across", ylabel="pixels down")
    _matrix(axes[1, 0], report.channel_correlation, "how channels share their noise", None)
    figure.colorbar(shade, ax=axes[:, 1], label="correlation: 1 alike, 0 unrelated, -1 opposite")
    if image is not None:
        axes[1, 1].imshow(_crop(image, channel_axis), cmap="gray", interpolation="nearest")
        axes[1, 1].set_title("crop from the centre")
    axes[1, 1].set_axis_off()
    figure.suptitle("\n".join(explain(report)), fontsize=10, wrap=True)
    return figure


def _level_function(axis: Any, report: NoiseReport) -> None:
    """Draw the variance of every bin against its intensity, and the fitted lines."""
    colours = _COLOURS if len(report.level) > 1 else ("black",)
    for c, colour in zip(range(len(report.level)), colours, strict=False):
        x, y = report.intensity[c], report.variance[c]
        error = report.variance_uncertainty[c]
        axis.errorbar(x, y, np.where(np.isfinite(error), error, 0), fmt="o", color=colour)
        line = report.read_noise[c] ** 2 + report.gain[c] * (np.sort(x) - report.black[c])
        axis.plot(np.sort(x), line, color=colour, label=f"channel {c}")
    axis.set(xlabel="brightness (units of the image)", ylabel="noise variance (units squared)")
    axis.set(title="noise at each brightness: measured and fitted", ylim=(0, None))
    axis.legend()


def _matrix(axis: Any, values: np.ndarray, title: str, reach: float | None) -> Any:
    """Draw correlations as colours, with lags up to `reach` beside them or numbers inside."""
    extent = None if reach is None else (-reach, reach, reach, -reach)
    shade = axis.imshow(values, vmin=-1, vmax=1, cmap="RdBu_r", extent=extent)
    if reach is None:
        for (row, column), value in np.ndenumerate(values):
            colour = "white" if abs(value) > 0.7 else "black"
            axis.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
        axis.set(xticks=range(len(values)), yticks=range(len(values)))
    axis.set_title(title)
    return shade


def _crop(image: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """Return the centre of the image scaled to 0-1: (H, W), or (H, W, 3)."""
    channels = channels_first(image, channel_axis)
    y, x = (max(0, (n - _CROP) // 2) for n in channels.shape[1:])
    crop = channels[:, y : y + _CROP, x : x + _CROP].astype(np.float64)
    crop = (crop - crop.min()) / (np.ptp(crop) or 1.0)
    return np.moveaxis(crop[:3], 0, 2) if len(crop) >= 3 else crop.mean(axis=0)
