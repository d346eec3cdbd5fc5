"""Suites and studies, read from studies.toml, and the table of each study.

A suite says which images are run, a study which variants of methods on them and what is shown.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import datasets
from benchmarks.datasets import Entry
from benchmarks.metrics import BenchmarkError, mean_with_interval, quality
from benchmarks.store import load_image
from benchmarks.variants import NOISY, Variant

IMAGE = ["set", "noise", "noise_seed", "image", "crop", "seed"]


@dataclass(frozen=True)
class Suite:
    """Images to run, cut to their middle of side `crop`.

    Of each entry all images, or those that are left of each n-th (`every`), the first (`limit`) or
    about as many as asked, spread over the set (`spread`). `images` are single ones, as in
    `set9+white:25/kodim03`; `12@*` is each square of a mosaic.
    """

    entries: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    limit: int | None = None
    every: int = 1
    spread: int | None = None
    crop: int | None = None

    def some(self, names: list[str]) -> list[str]:
        """Return the names of a set that are run."""
        step = -(-len(names) // self.spread) if self.spread else self.every
        return names[::step][: self.limit]

    def ordered(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows in the order in which the suite names their sets and images."""
        place = {text: k for k, text in enumerate((*self.entries, *self.images))}
        entries = rows["set"] + ("+" + rows["noise"]).where(rows["noise"] != "", "")
        single = (entries + "/" + rows["image"]).map(place)
        order = single.fillna(entries.map(place)).sort_values(kind="stable").index
        return rows.loc[order]

    def has(self, row: pd.Series) -> bool:
        """Whether a row is of this suite, as far as its set, image and crop tell."""
        entry = str(Entry(str(row["set"]), str(row["noise"])))
        known = entry in self.entries or f"{entry}/{row['image']}" in self.images
        return known and int(row["crop"]) == (self.crop or 0)


@dataclass(frozen=True)
class Study:
    """Variants, by what they are called in its table, on a suite."""

    about: str
    suite: Suite
    variants: Mapping[str, Variant]
    table: str
    options: Mapping[str, Any]

    def chosen(self, names: str | None) -> Mapping[str, Variant]:
        """Return the variants of a comma-separated list of names; all for None."""
        wanted = list(self.variants) if names is None else [n.strip() for n in names.split(",")]
        unknown = [name for name in wanted if name not in self.variants]
        if unknown:
            raise BenchmarkError(f"no {unknown[0]!r}: choose of {'; '.join(self.variants)}")
        return {name: self.variants[name] for name in wanted}

    def rows_of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that belong to the study, with `label`, what their variant is called."""
        names = {variant: label for label, variant in self.variants.items()}
        found = [names.get(variant_of(row)) for _, row in rows.iterrows()]
        mine = [label is not None and self.suite.has(row)
                for label, (_, row) in zip(found, rows.iterrows(), strict=True)]  # fmt: skip
        return rows.assign(label=np.array(found, dtype=object))[mine]

    def show(self, rows: pd.DataFrame, folder: Path, data: Path | None = None) -> pd.DataFrame:
        """Return the study's table of stored rows, whose outputs lie in a folder.

        Raises
        ------
        BenchmarkError
            If there are none.
        """
        mine = self.rows_of(rows)
        mine = self.suite.ordered(mine[mine["error"].isna()])
        if mine.empty:
            raise BenchmarkError("none of the rows belongs to this study")
        if self.table == "sets":
            return by_set(beside_noisy(mine), by=["label"])
        if self.table == "variants":
            return by_variant(mine, list(self.variants), self.options)
        if self.table == "images":
            return by_image(mine, list(self.variants))
        if self.table == "cells":
            return by_cell(mine, list(self.variants))
        if self.table == "efforts":
            return by_effort(mine, list(self.variants))
        return sizes(mine, folder, data) if self.table == "sizes" else devices(mine, folder)


def _read() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("studies.toml").read_text(encoding="utf-8"))


def _suite(table: Mapping[str, Any]) -> Suite:
    table = dict(table)
    base = SUITES[table.pop("is")] if "is" in table else Suite()
    if "of" in table:
        base = _suite(_TABLES["studies"][table.pop("of")]["suite"])
    if "sets" in table:
        made = [f"{name}+{noise}" for name in table.pop("sets") for noise in table["noises"]]
        table["entries"] = made
        del table["noises"]
    images = table.pop("images", base.images)
    images = [
        text.replace("*", str(k)) for text in images for k in range(12 if text[-1] == "*" else 1)
    ]
    table = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    return replace(base, images=tuple(images), **table)


_TABLES = _read()
SUITES: dict[str, Suite] = {name: _suite(table) for name, table in _TABLES["suites"].items()}


def suite(text: str) -> Suite:
    """Return a suite by its name, or one of comma-separated entries."""
    if text in SUITES:
        return SUITES[text]
    entries = tuple(word for word in text.split(",") if word)
    if not entries:
        raise BenchmarkError(f"no suite given: choose one of {', '.join(SUITES)}, or name sets")
    for entry in entries:
        Entry.parse(entry)
    return Suite(entries)


@functools.cache
def study(name: str) -> Study:
    """Return a study of studies.toml by its name.

    Raises
    ------
    BenchmarkError
        If there is none.
    """
    if name not in _TABLES["studies"]:
        known = "; ".join(f"{n}: {t['about']}" for n, t in _TABLES["studies"].items())
        raise BenchmarkError(f"study {name!r}: choose one of {known}")
    table = dict(_TABLES["studies"][name])
    variants = table.pop("variants")
    if isinstance(variants, list):
        variants = {word: word for word in variants}
    each = table.pop("each", [""])
    chosen = {
        f"{label} {more}".strip(): Variant.parse(f"{text} {more}")
        for label, text in variants.items()
        for more in each
    }
    about, kind = table.pop("about"), table.pop("table")
    return Study(about, _suite(table.pop("suite")), chosen, kind, table)


def names() -> list[str]:
    """Return the names of all studies."""
    return list(_TABLES["studies"])


@functools.cache
def label(variant: Variant) -> str:
    """Return what a variant is called in the first study that has it; else how it is written."""
    every = (pair for name in names() for pair in study(name).variants.items())
    return next((text for text, other in every if other == variant), str(variant))


def variant_of(row: pd.Series) -> Variant:
    """Return the variant of a row."""
    return Variant(str(row["method"]), str(row["effort"]), str(row["changes"]))


# --- tables --------------------------------------------------------------------------------------


def beside_noisy(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of methods with the quality of their input, `noisy_psnr` and `noisy_ssim`."""
    noisy = rows[rows["method"] == NOISY].drop_duplicates(IMAGE[:-1])
    noisy = noisy[[*IMAGE[:-1], "psnr", "ssim"]]
    noisy = noisy.rename(columns={"psnr": "noisy_psnr", "ssim": "noisy_ssim"})
    return rows[rows["method"] != NOISY].merge(noisy, on=IMAGE[:-1], how="left")


def by_set(rows: pd.DataFrame, by: list[str] | None = None) -> pd.DataFrame:
    """Average the images of each set; images that came out below their input are counted."""
    out = []
    for key, images in rows.groupby(["set", "noise", *(by or [])], sort=False):
        gain = images["psnr"] - images["noisy_psnr"]
        line = {"set": Entry(str(key[0]), str(key[1])).title}  # type: ignore[index]
        line |= {name: str(key[2 + k]) for k, name in enumerate(by or [])}  # type: ignore[index]
        line |= {
            "images": str(len(images)),
            "noisy": in_words(images["noisy_psnr"].mean(), images["noisy_ssim"].mean()),
            "denoised": in_words(images["psnr"].mean(), images["ssim"].mean()),
        }
        if images["psnr_aligned"].notna().all():
            line["aligned"] = f"{images['psnr_aligned'].mean():.2f}"
        line |= {
            "gain, dB (95 %)": mean_with_interval(gain),
            "least gain, dB": f"{gain.min():.2f}",
            "got worse": str(int((gain < 0).sum())),
            "median s": _seconds(images),
        }
        if images["removed"].notna().any():
            line["removed, of 255"] = f"{images['removed'].mean():.2f}"
        out.append(line)
    return pd.DataFrame(out)


def by_cell(rows: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Return the PSNR of each picture with each noise, a column for each label, and their means."""
    cells = rows.assign(cell=rows["image"] + " " + rows["noise"])
    table = cells.pivot_table(index="cell", columns="label", values="psnr", sort=False)
    table = table[[label for label in labels if label in table]]
    table.loc["all"] = table.mean()
    return table.round(2).reset_index().rename_axis(columns=None)


def by_variant(rows: pd.DataFrame, labels: list[str], options: Mapping[str, Any]) -> pd.DataFrame:
    """Put variants under each other and sets side by side: mean PSNR over the images of all."""
    if "only" in options:
        told = rows[rows["label"] == labels[0]].set_index(IMAGE)["reason"]
        kept = told[told.str.contains(options["only"], na=False)].index
        rows = rows[pd.MultiIndex.from_frame(rows[IMAGE]).isin(kept)]
    table = rows.pivot_table(index=IMAGE, columns="label", values="psnr", sort=False).dropna()
    table = table[[name for name in labels if name in table]]
    if options.get("best"):
        table["best of each image"] = table[labels[1:]].max(axis=1)
    groups = table.groupby(level=["set"] if options.get("by_set") else ["set", "noise"], sort=False)
    out = {}
    for key, images in groups:
        entry = Entry(str(key[0]), "" if options.get("by_set") else str(key[1]))
        out[f"{entry.title} ({len(images)})"] = images.mean().map("{:.2f}".format)
    if len(table) > 2:
        change = table.sub(table[labels[0]], axis=0)
        title = f"all {len(table)}, less {labels[0]} (95 %)"
        out[title] = change.apply(mean_with_interval).where(change.columns != labels[0], "")
    return pd.DataFrame(out).rename_axis("variant").reset_index()


def by_image(rows: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Put images under each other and variants side by side: PSNR / SSIM."""
    rows = rows.assign(cell=[in_words(*x) for x in zip(rows["psnr"], rows["ssim"], strict=True)])
    rows["image"] = rows["set"] + "/" + rows["image"]
    table = rows.pivot_table(
        index=["image", "crop"], columns="label", values="cell", aggfunc="first", sort=False
    )
    return table[[name for name in labels if name in table]].fillna("").reset_index()


def by_effort(rows: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Average each variant over all images that all have done."""
    rows = rows[rows.groupby(IMAGE)["label"].transform("nunique") == rows["label"].nunique()]
    out = []
    for name in labels:
        mine = rows[rows["label"] == name]
        if len(mine):
            quality = in_words(mine["psnr"].mean(), mine["ssim"].mean())
            step = (mine["fit_s"] / mine["steps"].where(mine["steps"] > 0)).median()
            line = {"variant": name, "images": str(len(mine)), "PSNR / SSIM": quality,
                    "mean s": f"{mine['seconds'].mean():.1f}"}  # fmt: skip
            out.append(line | {"s of a step": "" if pd.isna(step) else f"{step:.3f}"})
    return pd.DataFrame(out)


def sizes(rows: pd.DataFrame, folder: Path, data: Path | None) -> pd.DataFrame:
    """Put sizes under each other; squares that were denoised alone beside them in the whole."""
    rows = beside_noisy(rows)
    rows = rows.assign(megapixels=rows["image"].str.partition("@")[0].astype(float))
    whole = rows[~rows["image"].str.contains("@")].sort_values("megapixels")
    parts = rows[rows["image"].str.contains("@")]
    columns = ["megapixels", "height", "width", "noisy_psnr", "psnr", "seconds", "cpu_seconds"]
    table = whole[[*columns, "peak_mib"]].astype(float).round(4)
    means = parts.groupby("megapixels")["psnr"].mean().round(3)
    table["squares alone"] = table["megapixels"].map(means).map(str).replace("nan", "")
    same = [_squares(row, folder, data) if row["megapixels"] in means.index and data else ""
            for _, row in whole.iterrows()]  # fmt: skip
    return table.assign(**{"squares in the whole": same}) if any(same) else table


def _squares(row: pd.Series, folder: Path, data: Path | None) -> str:
    assert data is not None
    clean = datasets.load_pair(data, row).clean
    assert clean is not None
    image = load_image(folder, str(row["output"]))
    cuts = datasets.squares(*clean.shape[:2])
    return f"{np.mean([quality(clean[cut], image[cut])[0] for cut in cuts]):.3f}"


def devices(rows: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Put methods under each other, devices side by side: PSNR, seconds, largest difference."""
    out = []
    for (method, effort), mine in rows.groupby(["method", "effort"], sort=False):
        line: dict[str, str] = {"method": f"{method} {effort}"}
        images = []
        for _, row in mine.iterrows():
            name = variant_of(row).options["device"]
            line[f"{name}, dB"] = f"{row['psnr']:.2f}"
            line[f"{name}, s"] = f"{row['seconds']:.2f}"
            if isinstance(row["output"], str):
                images.append(255 * load_image(folder, row["output"]))
        if len(images) > 1:
            difference = np.abs(images[0] - images[1])
            line["largest difference"] = f"{difference.max():.1f}"
            line["mean difference"] = f"{difference.mean():.4f}"
        out.append(line)
    return pd.DataFrame(out)


def in_words(psnr: float, ssim: float) -> str:
    """Return PSNR and SSIM as tables show them."""
    return f"{psnr:.2f}" if pd.isna(ssim) else f"{psnr:.2f} / {ssim:.3f}"


def _seconds(images: pd.DataFrame) -> str:
    """Return the median time: of the processor where it was taken, else as it passed."""
    if images["cpu_seconds"].notna().all():
        return f"{images['cpu_seconds'].median():.1f}"
    if images["seconds"].isna().all():
        return ""
    return f"{images['seconds'].median():.1f} (clock)"
