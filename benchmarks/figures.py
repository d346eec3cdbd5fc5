"""The paper's figures: which there are, and the parts that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullLocator

from benchmarks import datasets, suites
from benchmarks.compare import entry_of, one_kind, set_title, split
from benchmarks.errors import BenchmarkError
from benchmarks.store import load_image, read_rows
from benchmarks.tables import chosen, means
from zspot.io.atomic import atomic_write

PANELS = {"3": ("sidd_val", ""), "4": ("fmdd", ""), "5": ("cc", ""), "6": ("set9", "white:25")}
"""Set of each figure of panels."""

PANEL_METHODS = ("noisy", "dip", "score-dvi", "mash", "bsn-ins", "auto")
_EFFORTS = {"": 0, "fast": 1, "balanced": 2, "best": 3}


@dataclass(frozen=True)
class Options:
    """What the command line asked for; see there."""

    data: Path
    rows: Path
    out: Path
    methods: str | None = None
    image: str = "sidd_val/2_4"
    crop: int = 128
    effort: str = "balanced"
    failing: str = "bsn-ins"
    dark: float = 0.08
    inr_lr: float | None = None
    clock: str = "wall"
    overwrite: bool = False


def draw(which: str, options: Options) -> Iterator[Path]:
    """Draw figures by name and yield their files.

    Raises
    ------
    BenchmarkError
        If a figure does not exist or its rows do not.
    """
    from benchmarks.figure_failures import failures
    from benchmarks.figure_inr import inr_figure

    makers: dict[str, Callable[[Options], list[Path]]] = {
        "1": inr_figure,
        "2": failures,
        **{name: _panel_maker(name) for name in PANELS},
        "quality-time": quality_time,
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
    rows = chosen(read_rows(options.rows), options.methods)
    return rows[rows["error"].isna()]


def load_pair(data: Path, row: pd.Series) -> datasets.Pair:
    """Return the noisy and clean image of a row."""
    return datasets.load(
        data,
        entry_of(row),
        str(row["image"]),
        crop=int(row["crop"]) or None,
        noise_seed=int(row["noise_seed"]),
    )


def strongest(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep the highest effort of each method and image."""
    keys = ["set", "noise", "image", "method"]
    order = rows["effort"].map(_EFFORTS).sort_values(kind="stable").index
    return rows.loc[order].drop_duplicates(keys, keep="last").sort_index()


def save(figure: Figure, path: Path, overwrite: bool) -> Path:
    """Write a figure as PNG, whole or not at all."""
    with atomic_write(path, overwrite=overwrite) as handle:
        figure.savefig(handle, format="png", dpi=150)
    return path


def show(axes: Axes, image: np.ndarray, gain: float, title: str) -> None:
    """Draw an image in [0, 1], made brighter by `gain`."""
    axes.imshow(np.clip(image * gain, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title, fontsize=8)
    axes.set_axis_off()


def brightening(clean: np.ndarray) -> float:
    """Return the factor that makes a dark picture visible; 1 for others."""
    bright = float(np.percentile(clean, 99.5))
    return 1.0 if bright > 0.6 else 0.9 / max(bright, 0.02)


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
        raise BenchmarkError(f"figure {name}: no rows of {set_title(*entry)} in {options.rows}")
    rows = one_kind(rows)
    wanted = (
        PANEL_METHODS
        if options.methods is None
        else [split(word)[0] for word in options.methods.split(",") if word]
    )
    rows = strongest(rows[rows["method"].isin(wanted)])
    rows = rows[rows["image"] == _median_image(rows)]
    order = sorted(range(len(rows)), key=lambda i: suites.rank(str(rows["method"].iloc[i])))
    rows = rows.iloc[order]
    pair = load_pair(options.data, rows.iloc[0])
    assert pair.clean is not None
    pictures = [(load_image(options.rows, str(r.output)), _label(r)) for r in rows.itertuples()]
    pictures.append((pair.clean, "clean\n"))
    crop = int(rows["crop"].iloc[0])
    part = f"middle {crop} x {crop}" if crop else "whole image"
    title = f"{set_title(*entry)}, {rows['image'].iloc[0]}, {part}"
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
    rows = one_kind(chosen(read_rows(options.rows), options.methods))
    found = {}
    for (name, noise), group in rows.groupby(["set", "noise"]):
        averaged = means(group, "float", every=False, clock=options.clock)
        if len(averaged):
            found[set_title(str(name), str(noise))] = averaged
    if not found:
        raise BenchmarkError("quality-time: no image was done by all methods; name --methods")
    columns = min(3, len(found))
    lines = -(-len(found) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.4 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    names = sorted({m for table in found.values() for m in table.method}, key=suites.rank)
    names = [name for name in names if name != suites.NOISY]  # it takes no time
    for axes, (title, table) in zip(grid.flat, found.items(), strict=False):
        _curve(axes, table, names, options.clock)
        noisy = table[table.method == suites.NOISY]
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
