"""Paired differences between two methods, with bootstrap confidence intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

from benchmarks import suites
from benchmarks.datasets import Entry, title
from benchmarks.errors import BenchmarkError
from benchmarks.evaluation import CONVENTIONS, columns
from benchmarks.store import KEY

RESAMPLES = 9999
_PAIR = [name for name in KEY if name not in ("method", "effort")]


def differences(
    rows: pd.DataFrame,
    first: str,
    second: str,
    *,
    confidence: float = 0.95,
    convention: str = "float",
    crop: int | None = None,
) -> pd.DataFrame:
    """Compare two methods on the images that both have done.

    Parameters
    ----------
    rows : DataFrame
    first, second : str
        `method` or `method:effort`; balanced by default.
    confidence : float
        Of the intervals, in (0, 1).
    convention : str
    crop : int or None
        Only rows of this crop; needed where there are several.

    Returns
    -------
    DataFrame
        For each set and all together: number of images, mean of PSNR and SSIM of the first minus
        those of the second, the ends of the bootstrap interval of that mean (BCa, Efron 1987),
        and the share of images on which the first has the higher PSNR. The row of all sets
        resamples images regardless of their set.

    Raises
    ------
    BenchmarkError
        If one has no rows or no image is common.
    """
    psnr, ssim = quality_columns(convention)
    rows = one_kind(rows, crop)
    sides = [_of(rows, word)[[*_PAIR, psnr, ssim]] for word in (first, second)]
    both = sides[0].merge(sides[1], on=_PAIR, suffixes=("_1", "_2")).dropna()
    if both.empty:
        raise BenchmarkError(f"{first} and {second} have no image in common: run both on one suite")
    groups = [(set_title(*key), group) for key, group in both.groupby(["set", "noise"])]  # type: ignore
    if len(groups) > 1:
        groups.append(("all", both))
    out = []
    for name, group in groups:
        line: dict[str, object] = {"set": name, "n": len(group)}
        for label, column, digits in (("PSNR", psnr, 2), ("SSIM", ssim, 4)):
            change = (group[f"{column}_1"] - group[f"{column}_2"]).to_numpy()
            low, high = interval(change, confidence)
            line[label] = round(float(change.mean()), digits)
            line[f"{label} low"], line[f"{label} high"] = round(low, digits), round(high, digits)
        wins = (group[f"{psnr}_1"] > group[f"{psnr}_2"]).mean()
        out.append({**line, "higher": round(float(wins), 3)})
    return pd.DataFrame(out)


def interval(change: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return the ends of the bootstrap interval of a mean; NaN for fewer than three values.

    Values that are all equal have an interval of no width.
    """
    if len(change) < 3:
        return float("nan"), float("nan")
    if np.ptp(change) == 0:
        return float(change[0]), float(change[0])
    found = bootstrap(
        (change,),
        np.mean,
        confidence_level=confidence,
        n_resamples=RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def one_kind(rows: pd.DataFrame, crop: int | None = None) -> pd.DataFrame:
    """Return the rows of one crop, which must be of one seed and one seed of the noise.

    Raises
    ------
    BenchmarkError
        If rows of different kinds would be averaged.
    """
    if crop is not None:
        rows = rows[rows["crop"] == crop]
    for column, hint in (
        ("crop", "choose one with --crop"),
        ("seed", "keep each seed in a folder of its own"),
        ("noise_seed", "keep each seed in a folder of its own"),
    ):
        found = sorted(set(rows[column]))
        if len(found) > 1:
            values = ", ".join(map(str, found))
            raise BenchmarkError(f"there are rows of {column} {values}: {hint}")
    if rows.empty:
        raise BenchmarkError(f"there are no rows of crop {crop}")
    return rows


def quality_columns(convention: str) -> tuple[str, str]:
    """Return the columns of a convention.

    Raises
    ------
    BenchmarkError
        If it does not exist.
    """
    if convention not in CONVENTIONS:
        raise BenchmarkError(f"convention {convention!r}: choose one of {', '.join(CONVENTIONS)}")
    return columns(convention)


def set_title(name: str, noise: str) -> str:
    """Return what a set with added noise is called in print."""
    return f"{title(name)} {noise.replace(':', ' ')}" if noise else title(name)


def entry_of(row: pd.Series) -> Entry:
    """Return the entry that a row belongs to."""
    return Entry(str(row["set"]), str(row["noise"]))


def split(word: str) -> tuple[str, str]:
    """Return (method, effort) of `method` or `method:effort`."""
    name, _, effort = word.partition(":")
    return name, "" if name == suites.NOISY else effort or "balanced"


def _of(rows: pd.DataFrame, word: str) -> pd.DataFrame:
    method, effort = split(word)
    mine = rows[(rows["method"] == method) & (rows["effort"] == effort)]
    if mine.empty:
        pairs = sorted({(m, e) for m, e in zip(rows["method"], rows["effort"], strict=True)})
        known = ", ".join(f"{m}:{e}" if e else m for m, e in pairs)
        raise BenchmarkError(f"no rows of {word} (taken as {method}:{effort}): there are {known}")
    return mine
