"""The paper's figures, of stored rows; figure 1 is in `figure_inr`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullLocator

from benchmarks.datasets import Entry, load_pair
from benchmarks.drawing import Options, brightening, save, show
from benchmarks.figure_inr import inr_figure
from benchmarks.metrics import BenchmarkError
from benchmarks.store import load_image, read_rows
from benchmarks.studies import study
from benchmarks.tables import chosen, means, named, one_kind, split
from benchmarks.variants import NOISY, rank
from zspot.io.atomic import atomic_write

PANELS = {"3": ("sidd_val", ""), "4": ("fmdd", ""), "5": ("cc", ""), "6": ("set9", "white:25")}
"""Set of each figure of panels."""

PANEL_METHODS = ("noisy", "dip", "score-dvi", "mash", "bsn-ins", "auto")
WINDOW, STRIDE = 32, 16  # of the search for dark windows
_WORST = 3  # images, the worst window of each
_EFFORTS = {"": 0, "fast": 1, "balanced": 2, "best": 3}


def draw(which: str, options: Options) -> Iterator[Path]:
    """Draw figures by name and yield their files.

    Raises
    ------
    BenchmarkError
        If a figure does not exist or its rows do not.
    """
    makers: dict[str, Callable[[Options], list[Path]]] = {
        "1": inr_figure,
        "2": failures,
        **{name: _panel_maker(name) for name in PANELS},
        "quality-time": quality_time,
        "curve": curve,
        "sizes": sizes,
    }
    names = [name for name in which.split(",") if name]
    unknown = [name for name in names if name not in makers]
    if unknown or not names:
        raise BenchmarkError(f"figure {', '.join(unknown)!r}: choose of {', '.join(makers)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in names:
        yield from makers[name](options)


def stored(options: Options) -> pd.DataFrame:
    """Return the rows that worked, whose outputs must lie beside them."""
    rows = named(chosen(read_rows(options.rows), options.methods))
    return rows[rows["error"].isna()]


def strongest(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep the highest effort of each method and image."""
    keys = ["set", "noise", "image", "method"]
    order = rows["effort"].map(_EFFORTS).sort_values(kind="stable").index
    return rows.loc[order].drop_duplicates(keys, keep="last").sort_index()


def detailed(clean: np.ndarray, side: int) -> tuple[int, int]:
    """Return the corner of the square around the most gradient energy, so that none is picked."""
    from scipy.ndimage import gaussian_filter

    grey = clean.mean(-1) if clean.ndim == 3 else clean
    energy = sum(np.square(part) for part in np.gradient(grey.astype(np.float64)))
    local = gaussian_filter(energy, side / 4, mode="constant")  # puts the detail in the middle
    half = side // 2
    valid = local[half : grey.shape[0] - side + half + 1, half : grey.shape[1] - side + half + 1]
    y, x = np.unravel_index(np.argmax(valid), valid.shape)
    return int(y), int(x)


def _panel_maker(name: str) -> Callable[[Options], list[Path]]:
    return lambda options: panels(name, options)


def panels(name: str, options: Options) -> list[Path]:
    """Draw noisy / methods / clean of one image: whole, and the same zoomed square of each.

    The image is that whose PSNR, averaged over the methods, is the median of the set.
    """
    entry = PANELS[name]
    rows = stored(options)
    rows = rows[(rows["set"] == entry[0]) & (rows["noise"] == entry[1]) & rows["psnr"].notna()]
    if rows.empty:
        raise BenchmarkError(f"figure {name}: no rows of {Entry(*entry).title} in {options.rows}")
    rows = one_kind(rows)
    wanted = (
        PANEL_METHODS
        if options.methods is None
        else [split(word)[0] for word in options.methods.split(",") if word]
    )
    rows = strongest(rows[rows["method"].isin(wanted)])
    rows = rows[rows["image"] == _median_image(rows)]
    order = sorted(range(len(rows)), key=lambda i: rank(str(rows["method"].iloc[i])))
    rows = rows.iloc[order]
    pair = load_pair(options.data, rows.iloc[0])
    assert pair.clean is not None
    pictures = [(load_image(options.rows, str(r.output)), _label(r)) for r in rows.itertuples()]
    pictures.append((pair.clean, "clean\n"))
    crop = int(rows["crop"].iloc[0])
    part = f"middle {crop} x {crop}" if crop else "whole image"
    title = f"{Entry(*entry).title}, {rows['image'].iloc[0]}, {part}"
    figure = _draw_panels(pictures, pair.clean, title)
    return [save(figure, options.out / f"figure-{name}.png", options.overwrite)]


def _median_image(rows: pd.DataFrame) -> str:
    """Return the image of median quality among those that most methods have done."""
    grouped = rows.groupby("image")["psnr"]
    counts = grouped.size()
    quality = grouped.mean()[counts == counts.max()].sort_values(kind="stable")
    return str(quality.index[(len(quality) - 1) // 2])


def _label(row) -> str:
    return f"{row.method} {row.effort}\n{row.psnr:.2f} / {row.ssim:.3f}"


def _draw_panels(pictures: list[tuple[np.ndarray, str]], clean: np.ndarray, title: str) -> Figure:
    side = max(24, min(clean.shape[:2]) // 4)
    y, x = detailed(clean, side)
    gain = brightening(clean)
    count = len(pictures)
    figure = Figure(figsize=(1.9 * count, 4.7), layout="constrained")
    grid = figure.subplots(2, count, squeeze=False)
    for axes, (image, label) in zip(grid.T, pictures, strict=True):
        show(axes[0], image, gain, label)
        corner = (x - 0.5, y - 0.5)
        axes[0].add_patch(Rectangle(corner, side, side, fill=False, edgecolor="red", linewidth=1))
        show(axes[1], image[y : y + side, x : x + side], gain, "")
    words = title if gain == 1 else f"{title},\nshown {gain:.1f} times brighter"
    figure.suptitle(words, fontsize=9)
    return figure


def quality_time(options: Options) -> list[Path]:
    """Draw mean PSNR against median seconds of every method and effort, a panel for each set."""
    rows = named(one_kind(chosen(read_rows(options.rows), options.methods)))
    found = {}
    for (name, noise), group in rows.groupby(["set", "noise"]):
        averaged = means(group, "float", every=False, clock=options.clock)
        if len(averaged):
            found[Entry(str(name), str(noise)).title] = averaged
    if not found:
        raise BenchmarkError("quality-time: no image was done by all methods; name --methods")
    columns = min(3, len(found))
    lines = -(-len(found) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.4 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    names = sorted({m for table in found.values() for m in table.method}, key=rank)
    names = [name for name in names if name != NOISY]  # it takes no time
    for axes, (title, table) in zip(grid.flat, found.items(), strict=False):
        _curve(axes, table, names, options.clock)
        noisy = table[table.method == NOISY]
        level = f", noisy {noisy.psnr.iloc[0]:.2f} dB" if len(noisy) else ""
        axes.set_title(f"{title}, {table['n'].iloc[0]} images{level}", fontsize=9)
    for axes in list(grid.flat)[len(found) :]:
        axes.set_axis_off()
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(names)))
    return [save(figure, options.out / "quality-time.png", options.overwrite)]


def _curve(axes: Axes, table: pd.DataFrame, names: list[str], clock: str) -> None:
    for number, method in enumerate(names):
        mine = table[table.method == method]
        marker = "osD^v<>pP*X"[number % 11]
        colour = colormaps["tab20"](2 * number % 20 + number // 10)
        axes.plot(mine.seconds, mine.psnr, marker=marker, color=colour, label=method)
        for row in mine.itertuples() if len(mine) > 1 else ():  # one point has the usual effort
            axes.annotate(
                str(row.effort), (row.seconds, row.psnr),  # type: ignore[arg-type]
                xytext=(4, -9), textcoords="offset points", fontsize=7,
            )  # fmt: skip
    axes.set(xscale="log", xlabel=f"{clock} seconds per image (median)", ylabel="PSNR (dB)")
    axes.margins(0.2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(alpha=0.3)


def curve(options: Options) -> list[Path]:
    """Draw mean PSNR against mean seconds of the rows of study curve, a line for each method."""
    rows = study("curve").rows_of(read_rows(options.rows))
    if rows.empty:
        raise BenchmarkError(f"curve: no rows of study curve in {options.rows}")
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for (method, group), marker in zip(rows.groupby("method"), "os", strict=False):
        points = group.groupby("effort")[["seconds", "psnr"]].mean().sort_values("seconds")
        for effort, (seconds, psnr) in points.iterrows():
            # Beside the first and the last point, or neighbours would write over each other.
            places = {"fast": ("right", (-8, -3)), "best": ("left", (8, -3))}
            side, away = places.get(str(effort), ("center", (0, 8)))
            place = {"xytext": away, "textcoords": "offset points"}
            axes.annotate(str(effort), (seconds, psnr), ha=side, **place)
        axes.plot(points["seconds"], points["psnr"], marker=marker, label=str(method))
    axes.set(xscale="log", xlabel="seconds per image (one thread)", ylabel="PSNR (dB)")
    axes.margins(0.14, 0.12)
    axes.grid(alpha=0.3)
    axes.legend(loc="center")
    return [save(figure, options.out / "curve.png", options.overwrite, dpi=120)]


def sizes(options: Options) -> list[Path]:
    """Draw seconds of each stage, and peak memory, against the megapixels of study sizes."""
    rows = read_rows(options.rows)
    rows = rows[(rows["set"] == "mosaic") & (rows["method"] != NOISY) & rows["error"].isna()]
    rows = rows[~rows["image"].str.contains("@")]
    if rows.empty:
        raise BenchmarkError(f"sizes: no rows of study sizes in {options.rows}")
    rows = rows.assign(megapixels=rows["image"].astype(float)).sort_values("megapixels")
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for stage in ("all", "look", "fit", "predict", "finish"):
        seconds = rows["seconds" if stage == "all" else f"{stage}_s"].fillna(0)
        if seconds.any():
            width = 2.5 if stage == "all" else 1.2
            left.plot(rows["megapixels"], seconds, marker="o", label=stage, lw=width)
    left.set(xscale="log", yscale="log", xlabel="megapixels", ylabel="seconds on the clock")
    gigabytes = rows["peak_mib"] * 2**20 / 1e9
    right.plot(rows["megapixels"], gigabytes, marker="o", color="tab:red")
    right.set(xscale="log", xlabel="megapixels", ylabel="peak memory of the process, GB", ylim=0)
    left.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return [save(figure, options.out / "large.png", options.overwrite, dpi=120)]


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
    worst = found.drop_duplicates(["set", "noise", "image"]).head(_WORST)
    figure = _draw_failures(options, rows, worst, found)
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


def _draw_failures(
    options: Options, rows: pd.DataFrame, worst: pd.DataFrame, found: pd.DataFrame
) -> Figure:
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
        entry = Entry(str(row["set"]), str(row["noise"]))
        place = f"{entry}/{window['image']} ({window['x']}, {window['y']})"
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
