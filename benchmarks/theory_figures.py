"""Figures and the comparison of choices from the rows that `benchmarks.theory` stored."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import rankdata

PREDICTORS = {
    "printed": "printed risk",
    "one_pass": "system, one pass",
    "averaged": "system, mean of passes",
}
PAPER = (0.1, "cross")
DISTANCES = (1.0, 1.5, 2.0, 3.0, 4.0, 8.0, 16.0)
CHOICE_FIELDS = (
    "image", "predictor", "rank_correlation", "chosen_keep", "chosen_exclusion",
    "predicted_psnr", "reached_psnr", "best_keep", "best_exclusion", "best_psnr", "lost_db",
    "seed_sd",
)  # fmt: skip
_COLOURS = {"none": "tab:red", "cross": "tab:blue", "square": "tab:green"}
_Setting = tuple[float, str]


def read(path: Path, **only: object) -> list[dict[str, str]]:
    """Rows of a CSV whose columns have the given values."""
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [row for row in rows if all(row[k] == str(v) for k, v in only.items())]


def by_image(rows: list[dict[str, str]], column: str) -> Mapping[str, Mapping[_Setting, list]]:
    """Values of a column by image and then (keep, exclusion)."""
    out: dict = defaultdict(lambda: defaultdict(list))
    for row in rows:
        setting = (float(row["keep"]), row["exclusion"])
        out[row["image"]][setting].append(float(row[column]))
    return out


def choice(out: Path, rows_of_seeds: list, every: list, predicted_rows: list, radius: int) -> None:
    """Write `choice-RADIUS.csv`: what each predictor would choose, and what that reaches.

    The last predictor, "paper", always chooses the published setting. Settings are compared on
    `rows_of_seeds`, which all have; `every` row tells how far seeds lie apart (`seed_sd`, the mean
    over settings with more than one).
    """
    reached, repeated = by_image(rows_of_seeds, "psnr"), by_image(every, "psnr")
    predicted = {p: by_image(predicted_rows, p) for p in PREDICTORS}
    rows = []
    for image, settings in reached.items():
        measured = {s: mean(values) for s, values in settings.items()}
        best = max(measured, key=measured.__getitem__)
        spreads = [stdev(v) for v in repeated[image].values() if len(v) > 1]
        for name in (*PREDICTORS, "paper"):
            if name == "paper":
                chosen, guess, rank = PAPER, "", ""
            else:
                guesses = {s: predicted[name][image][s][0] for s in measured}
                chosen = max(guesses, key=guesses.__getitem__)
                guess = f"{guesses[chosen]:.3f}"
                rank = f"{_rank_correlation(guesses, measured):.3f}"
            found = (
                image, name, rank, *chosen, guess, f"{measured[chosen]:.3f}", *best,
                f"{measured[best]:.3f}", f"{measured[best] - measured[chosen]:.3f}",
                f"{mean(spreads):.3f}" if spreads else "",
            )  # fmt: skip
            rows.append(dict(zip(CHOICE_FIELDS, found, strict=True)))
    _write(out / f"choice-{radius}.csv", CHOICE_FIELDS, rows)
    for row in rows:
        print(*(row[f] for f in CHOICE_FIELDS))


def _rank_correlation(a: dict[_Setting, float], b: dict[_Setting, float]) -> float:
    """Spearman's, over the settings of `b`."""
    ranks = [rankdata([d[s] for s in b]) for d in (a, b)]
    return float(np.corrcoef(ranks)[0, 1])


def sets(out: Path) -> list[dict[str, str]]:
    """Write `correlations_by_set.csv`: mean over images at each distance; returns its rows."""
    groups: dict = defaultdict(list)
    for row in read(out / "correlations.csv"):
        groups[row["set"], float(row["distance"])].append(row)
    columns = (
        "noise_correlation", "value_deviation", "value_correlation", "lambda_v_additive",
        "lambda_v_multiplicative",
    )  # fmt: skip
    rows = []
    for (name, distance), members in groups.items():
        means = {c: f"{mean(float(r[c]) for r in members):.4f}" for c in columns}
        rows.append({"set": name, "images": len(members), "distance": distance, **means})
    _write(out / "correlations_by_set.csv", ("set", "images", "distance", *columns), rows)
    return rows


def images_by_set(out: Path) -> None:
    """Write `images_by_set.csv`: the median over images of what `images.csv` has."""
    groups: dict = defaultdict(list)
    for row in read(out / "images.csv"):
        groups[row["set"]].append(row)
    columns = ("noise_sd", "value_sd", "value_rms", "exponent", "dark_share")
    rows = []
    for name, members in groups.items():
        medians = {c: f"{np.nanmedian([float(r[c]) for r in members]):.4f}" for c in columns}
        largest = max(float(r["dark_share"]) for r in members)
        rows.append({"set": name, "images": len(members), **medians,
                     "largest_dark_share": f"{largest:.4f}"})  # fmt: skip
    _write(out / "images_by_set.csv", ("set", "images", *columns, "largest_dark_share"), rows)


def figures(out: Path, reached: list, predicted: list) -> None:
    """Draw `correlations.png` and `choice.png`."""
    _draw_correlations(sets(out), out / "correlations.png")
    images_by_set(out)
    _draw_choice(reached, predicted, out / "choice.png")


def tables(out: Path, radius: int) -> None:
    """Write `tables.md`: the stored rows that the docs show, as Markdown."""
    by_set = read(out / "correlations_by_set.csv")
    shown = sorted({r["distance"] for r in by_set if float(r["distance"]) in DISTANCES}, key=float)
    parts = []
    for column in ("noise_correlation", "value_correlation", "lambda_v_additive"):
        values = {(r["set"], r["distance"]): r[column] for r in by_set}
        names = dict.fromkeys(r["set"] for r in by_set)
        lines = [[name, *(values[name, d] for d in shown)] for name in names]
        parts.append(_markdown([f"{column} at", *(f"{d} px" for d in shown)], lines))
    for name in ("images_by_set.csv", f"choice-{radius}.csv"):
        rows = read(out / name)
        parts.append(_markdown(list(rows[0]), [list(row.values()) for row in rows]))
    parts.append(_means(read(out / f"choice-{radius}.csv")))
    (out / "tables.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _means(rows: list[dict[str, str]]) -> str:
    """Mean over images of what each predictor's choice loses, and of its rank correlation."""
    lines = []
    for name in dict.fromkeys(row["predictor"] for row in rows):
        own = [row for row in rows if row["predictor"] == name]
        ranks = [float(row["rank_correlation"]) for row in own if row["rank_correlation"]]
        lost = mean(float(row["lost_db"]) for row in own)
        lines.append([name, f"{mean(ranks):.2f}" if ranks else "", f"{lost:.2f}"])
    return _markdown(["predictor", "mean rank_correlation", "mean lost_db"], lines)


def _markdown(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _draw_correlations(rows: list[dict[str, str]], path: Path) -> None:
    panels = {
        "noise_correlation": "noise correlation, lambda_n",
        "value_correlation": "value correlation",
        "lambda_v_additive": "value deviation / noise, lambda_v (additive)",
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(13, 4), layout="constrained")
    for axis, (column, title) in zip(axes, panels.items(), strict=True):
        for name in dict.fromkeys(row["set"] for row in rows):
            own = sorted((float(r["distance"]), float(r[column])) for r in rows if r["set"] == name)
            axis.plot(*zip(*own, strict=True), marker=".", label=name)
        axis.set(title=title, xlabel="distance (pixels)", xscale="log", ylim=(None, None))
        axis.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
        axis.minorticks_off()
        axis.axhline(0, color="gray", linewidth=0.5)
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _draw_choice(reached: list, predicted: list, path: Path) -> None:
    panels = [(title, by_image(predicted, column)) for column, title in PREDICTORS.items()]
    panels.append(("reached, one pass", by_image(reached, "one_pass_psnr")))
    panels.append(("reached, mean of passes", by_image(reached, "psnr")))
    names = [image for image in panels[0][1] if image in panels[-1][1]]
    figure, axes = plt.subplots(
        len(names), len(panels), figsize=(3.1 * len(panels), 2.9 * len(names)),
        layout="constrained", squeeze=False, sharex=True,
    )  # fmt: skip
    for row, image in zip(axes, names, strict=True):
        for axis, (title, values) in zip(row, panels, strict=True):
            _draw_settings(axis, values[image])
            axis.set_title(title, fontsize=10)
        row[0].set_ylabel(f"{image}\nPSNR (dB)")
    for axis in axes[-1]:
        axis.set_xlabel("keep probability")
    axes[0, 0].legend(title="exclusion", fontsize=8)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _draw_settings(axis, settings: Mapping[_Setting, list[float]]) -> None:
    """One line for each exclusion shape, a dot for each seed, a ring around the best."""
    means = {s: mean(values) for s, values in settings.items()}
    for shape, colour in _COLOURS.items():
        own = sorted((s[0], means[s]) for s in means if s[1] == shape)
        axis.plot(*zip(*own, strict=True), color=colour, label=shape)
        for setting, values in settings.items():
            if setting[1] == shape:
                axis.plot([setting[0]] * len(values), values, ".", color=colour)
    best = max(means, key=means.__getitem__)
    axis.plot(best[0], means[best], "o", markersize=11, markerfacecolor="none", color="black")
    axis.set_xscale("log")
    axis.set_xticks(
        sorted({s[0] for s in means}), [f"{k:g}" for k in sorted({s[0] for s in means})]
    )
    axis.minorticks_off()
    axis.grid(alpha=0.3)


def _write(path: Path, fields: tuple[str, ...], rows: list[dict]) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)
