"""Figures and the comparison of choices from the rows that `benchmarks.theory` stored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from benchmarks.store import read_rows
from benchmarks.studies import variant_of
from benchmarks.variants import NOISY

PREDICTORS = {
    "printed": "printed risk",
    "one_pass": "system, one pass",
    "averaged": "system, mean of passes",
}
PAPER = (0.1, "cross")
DISTANCES = (1.0, 1.5, 2.0, 3.0, 4.0, 8.0, 16.0)
_COLOURS = {"none": "tab:red", "cross": "tab:blue", "square": "tab:green"}
_Setting = tuple[float, str]


def write(out: Path, crop: int, steps: int, seeds: int, radius: int) -> None:
    """Write the tables of what a folder holds and draw the figures."""
    every = reached(out / "reached.csv", crop, steps)
    # A seed that only some settings have would favour or harm them.
    rows = every[every["seed"] < seeds]
    predicted = pd.read_csv(out / "predicted.csv")
    predicted = predicted[(predicted["crop"] == crop) & (predicted["radius"] == radius)]
    choices = choice(rows, every, predicted)
    choices.to_csv(out / f"choice-{radius}.csv", index=False)
    print(choices.to_string(index=False))
    by_set, images = sets(out)
    by_set.to_csv(out / "correlations_by_set.csv", index=False)
    images.to_csv(out / "images_by_set.csv", index=False)
    _draw_correlations(by_set, out / "correlations.png")
    _draw_choice(rows, predicted, out / "choice.png")
    (out / "tables.md").write_text(tables(by_set, images, choices), encoding="utf-8")


def reached(path: Path, crop: int, steps: int) -> pd.DataFrame:
    """Return the rows of small BSN-INS with `keep` and `exclusion`, and `image` with its set."""
    rows = read_rows(path)
    rows = rows[(rows["method"] != NOISY) & (rows["crop"] == crop) & rows["error"].isna()]
    settings = [variant_of(row).settings for _, row in rows.iterrows()]
    rows = rows.assign(
        image=rows["set"] + "/" + rows["image"],
        keep=[float(s["mask.keep"]) for s in settings],
        exclusion=[s["mask.exclusion"] for s in settings],
        steps=[int(s["steps"]) for s in settings],
    )
    return rows[rows["steps"] == steps]


def by_image(rows: pd.DataFrame, column: str) -> Mapping[str, Mapping[_Setting, list[float]]]:
    """Values of a column by image and then (keep, exclusion)."""
    out: dict[str, dict[_Setting, list[float]]] = {}
    for image, keep, exclusion, value in zip(
        rows["image"], rows["keep"], rows["exclusion"], rows[column], strict=True
    ):
        out.setdefault(image, {}).setdefault((keep, exclusion), []).append(value)
    return out


def choice(
    rows_of_seeds: pd.DataFrame, every: pd.DataFrame, predicted_rows: pd.DataFrame
) -> pd.DataFrame:
    """Return what each predictor would choose, and what that reaches.

    The last predictor, "paper", always chooses the published setting. Settings are compared on
    `rows_of_seeds`, which all have; `every` row tells how far seeds lie apart (`seed_sd`, the mean
    over settings with more than one).
    """
    repeated = by_image(every, "psnr")
    predicted = {p: by_image(predicted_rows, p) for p in PREDICTORS}
    rows = []
    for image, settings in by_image(rows_of_seeds, "psnr").items():
        measured = {s: float(np.mean(values)) for s, values in settings.items()}
        best = max(measured, key=measured.__getitem__)
        spreads = [np.std(v, ddof=1) for v in repeated[image].values() if len(v) > 1]
        for name in (*PREDICTORS, "paper"):
            guesses = (
                {s: predicted[name][image][s][0] for s in measured} if name in predicted else {}
            )
            chosen = max(guesses, key=guesses.__getitem__) if guesses else PAPER
            pair = pd.DataFrame({"guess": guesses, "measured": measured})
            rank = pair["guess"].corr(pair["measured"], method="spearman") if guesses else np.nan
            rows.append({
                "image": image, "predictor": name, "rank_correlation": rank,
                "chosen_keep": chosen[0], "chosen_exclusion": chosen[1],
                "predicted_psnr": guesses.get(chosen), "reached_psnr": measured[chosen],
                "best_keep": best[0], "best_exclusion": best[1], "best_psnr": measured[best],
                "lost_db": measured[best] - measured[chosen],
                "seed_sd": np.mean(spreads) if spreads else np.nan,
            })  # fmt: skip
    return pd.DataFrame(rows).round(3)


def sets(out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return, of each set, mean correlations at each distance, and medians over its images."""
    lags = pd.read_csv(out / "correlations.csv").drop(columns="image")
    groups = lags.groupby(["set", "distance"], sort=False)
    by_set = groups.mean().round(4).reset_index()
    by_set.insert(1, "images", groups.size().to_numpy())
    images = pd.read_csv(out / "images.csv").drop(columns="image").groupby("set", sort=False)
    medians = images.median().round(4).reset_index()
    medians.insert(1, "images", images.size().to_numpy())
    medians["largest_dark_share"] = images["dark_share"].max().round(4).to_numpy()
    return by_set, medians


def tables(by_set: pd.DataFrame, images: pd.DataFrame, choices: pd.DataFrame) -> str:
    """Return the stored rows that the docs show, as Markdown."""
    near = by_set[by_set["distance"].isin(DISTANCES)]
    parts = [
        near.pivot_table(index="set", columns="distance", values=column, sort=False).to_markdown()
        for column in ("noise_correlation", "value_correlation", "lambda_v_additive")
    ]
    means = choices.groupby("predictor", sort=False)[["rank_correlation", "lost_db"]].mean()
    parts += [images.to_markdown(index=False), choices.to_markdown(index=False)]
    return "\n\n".join([*parts, means.round(2).to_markdown()]) + "\n"


def _draw_correlations(rows: pd.DataFrame, path: Path) -> None:
    panels = {
        "noise_correlation": "noise correlation, lambda_n",
        "value_correlation": "value correlation",
        "lambda_v_additive": "value deviation / noise, lambda_v (additive)",
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(13, 4), layout="constrained")
    for axis, (column, title) in zip(axes, panels.items(), strict=True):
        for name, own in rows.sort_values("distance").groupby("set", sort=False):
            axis.plot(own["distance"], own[column], marker=".", label=str(name))
        axis.set(title=title, xlabel="distance (pixels)", xscale="log", ylim=(None, None))
        axis.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
        axis.minorticks_off()
        axis.axhline(0, color="gray", linewidth=0.5)
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _draw_choice(reached: pd.DataFrame, predicted: pd.DataFrame, path: Path) -> None:
    panels = [(title, by_image(predicted, column)) for column, title in PREDICTORS.items()]
    panels.append(("reached, one pass", by_image(reached, "psnr_one_pass")))
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
    means = {s: float(np.mean(values)) for s, values in settings.items()}
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
