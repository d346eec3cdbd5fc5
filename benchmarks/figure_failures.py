"""Figure 2: where a method fails in very dark regions, found by search over everything stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.compare import entry_of, one_kind
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Options, load_pair, save, show, stored, strongest
from benchmarks.store import load_image
from zspot.io.atomic import atomic_write

WINDOW, STRIDE = 32, 16
_SHOWN = 3  # images, the worst window of each


def failures(options: Options) -> list[Path]:
    """Search all stored outputs of a method for the dark windows that it serves worst.

    A window is dark if the mean of the clean one is below `options.dark`. They are ranked by mean
    squared error relative to the noisy input's: above 1 the method did harm. All dark windows go
    into a CSV file beside the figure, which shows the worst of the three worst images.
    """
    rows = stored(options)
    rows = rows[(rows["method"] == options.failing) & rows["psnr"].notna()]
    if rows.empty:
        raise BenchmarkError(f"figure 2: no rows of {options.failing} in {options.rows}")
    rows = strongest(one_kind(rows))
    found = pd.DataFrame([w for _, row in rows.iterrows() for w in _windows(options, row)])
    if found.empty:
        raise BenchmarkError(
            f"figure 2: none of {len(rows)} images has a {WINDOW} x {WINDOW} window of clean mean "
            f"below {options.dark}: raise --dark or run more images"
        )
    found = found.sort_values("ratio", ascending=False, ignore_index=True)
    table = options.out / "figure-2.csv"
    with atomic_write(table, overwrite=options.overwrite) as handle:
        handle.write(found.to_csv(index=False, float_format="%.5g").encode())
    worst = found.drop_duplicates(["set", "noise", "image"]).head(_SHOWN)
    figure = _draw(options, rows, worst, found)
    return [save(figure, options.out / "figure-2.png", options.overwrite), table]


def _windows(options: Options, row: pd.Series) -> Iterator[dict[str, object]]:
    """Yield the dark windows of one image with their errors, in units of 1/255."""
    pair = load_pair(options.data, row)
    assert pair.clean is not None
    output = load_image(options.rows, str(row["output"]))
    noisy, clean = np.clip(pair.noisy, 0, 1), pair.clean
    for y in range(0, clean.shape[0] - WINDOW + 1, STRIDE):
        for x in range(0, clean.shape[1] - WINDOW + 1, STRIDE):
            cut = np.s_[y : y + WINDOW, x : x + WINDOW]
            level = float(clean[cut].mean())
            if level >= options.dark:
                continue
            before, after = (np.sqrt(np.mean((i[cut] - clean[cut]) ** 2)) for i in (noisy, output))
            yield {
                "set": row["set"], "noise": row["noise"], "image": row["image"],
                "effort": row["effort"], "y": y, "x": x, "clean_mean": level,
                "noisy_rmse": before * 255, "output_rmse": after * 255,
                "bias": float(np.mean(output[cut] - clean[cut])) * 255,
                "ratio": (after / max(before, 1e-6)) ** 2,
            }  # fmt: skip


def _draw(options: Options, rows: pd.DataFrame, worst: pd.DataFrame, found: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(8.2, 2.5 * len(worst) + 0.6), layout="constrained")
    grid = figure.subplots(len(worst), 4, squeeze=False)
    for axes, (_, window) in zip(grid, worst.iterrows(), strict=True):
        same = (rows["set"] == window["set"]) & (rows["image"] == window["image"])
        row = rows[same & (rows["noise"] == window["noise"])].iloc[0]
        pair = load_pair(options.data, row)
        assert pair.clean is not None
        cut = np.s_[window["y"] : window["y"] + WINDOW, window["x"] : window["x"] + WINDOW]
        clean, noisy = pair.clean[cut], np.clip(pair.noisy[cut], 0, 1)
        output = load_image(options.rows, str(row["output"]))[cut]
        # One factor for all, so that the brightest of the clean and the denoised is near white.
        gain = 0.9 / max(float(np.percentile(np.stack([clean, output]), 99)), 0.02)
        place = f"{entry_of(row)}/{window['image']} ({window['x']}, {window['y']})"
        show(axes[0], noisy, gain, f"noisy, error {window['noisy_rmse']:.1f}\n{place}")
        show(axes[1], output, gain,
             f"{options.failing} {window['effort']}, error {window['output_rmse']:.1f}\n"
             f"bias {window['bias']:+.1f}")  # fmt: skip
        show(
            axes[2], clean, gain, f"clean, mean {window['clean_mean'] * 255:.1f}\nshown x{gain:.1f}"
        )
        grey = (output - clean).mean(-1) if clean.ndim == 3 else output - clean
        limit = max(float(np.abs(grey).max()), 1e-3)
        axes[3].imshow(grey, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        axes[3].set_title(f"output - clean\nup to {limit * 255:.1f}", fontsize=8)
        axes[3].set_axis_off()
    worse = int((found["ratio"] > 1).sum())
    figure.suptitle(
        f"{options.failing}: {worse} of {len(found)} windows of {WINDOW} x {WINDOW} pixels with a "
        f"clean mean below {options.dark * 255:.0f} are worse than noisy\n"
        f"({len(rows)} images searched; errors are root mean squares in 1/255)",
        fontsize=9,
    )
    return figure
