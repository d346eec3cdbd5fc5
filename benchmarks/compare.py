"""Stored rows against each other: two methods on the same images, borders against middles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.datasets import Entry, load_pair
from benchmarks.metrics import BenchmarkError, columns, interval
from benchmarks.store import KEY, load_image
from benchmarks.studies import variant_of
from benchmarks.tables import one_kind, split
from benchmarks.variants import NOISY

_PAIR = [name for name in KEY if name not in ("method", "effort", "changes")]


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
    convention, crop
        As `python -m benchmarks compare --help` says.

    Returns
    -------
    DataFrame
        For each set and all together: number of images, mean PSNR and SSIM of the first minus the
        second, the ends of that mean's bootstrap interval (BCa; over all sets images
        are drawn regardless of their set), and how often the first has the higher PSNR.

    Raises
    ------
    BenchmarkError
        If one has no rows or no image is common.
    """
    psnr, ssim = columns(convention)
    rows = one_kind(rows, crop)
    sides = [_of(rows, word)[[*_PAIR, psnr, ssim]] for word in (first, second)]
    both = sides[0].merge(sides[1], on=_PAIR, suffixes=("_1", "_2")).dropna()
    if both.empty:
        raise BenchmarkError(f"{first} and {second} have no image in common: run both on one suite")
    groups = [(Entry(*key).title, group) for key, group in both.groupby(["set", "noise"])]  # type: ignore
    if len(groups) > 1:
        groups.append(("all", both))
    lines = [_line(name, group, psnr, ssim, confidence) for name, group in groups]
    return pd.DataFrame(lines)


def _line(
    name: str, group: pd.DataFrame, psnr: str, ssim: str, confidence: float
) -> dict[str, object]:
    """Return a set's mean differences, their intervals and how often the first is higher."""
    line: dict[str, object] = {"set": name, "n": len(group)}
    for label, column, digits in (("PSNR", psnr, 2), ("SSIM", ssim, 4)):
        change = (group[f"{column}_1"] - group[f"{column}_2"]).to_numpy()
        low, high = interval(change, confidence)
        line[label] = round(float(change.mean()), digits)
        line[f"{label} low"], line[f"{label} high"] = round(low, digits), round(high, digits)
    wins = (group[f"{psnr}_1"] > group[f"{psnr}_2"]).mean()
    return {**line, "higher": round(float(wins), 3)}


def _of(rows: pd.DataFrame, word: str) -> pd.DataFrame:
    method, effort, changes = split(word)
    mine = rows["method"] == method
    mine = rows[mine & (rows["effort"] == effort) & (rows["changes"] == changes)]
    if mine.empty:
        known = ", ".join(sorted({str(variant_of(row)) for _, row in rows.iterrows()}))
        raise BenchmarkError(f"no rows of {word} (taken as {method}:{effort}): there are {known}")
    return mine


# --- borders -------------------------------------------------------------------------------------


BANDS = (0, 1, 2, 4, 8, 16, 32)  # pixels from the border at which a band starts


def profile(clean: np.ndarray, image: np.ndarray) -> list[float]:
    """Return PSNR in each of `BANDS`, the last without end; NaN where it has no pixels."""
    height, width = clean.shape[:2]
    rows, columns = (np.minimum(np.arange(n), n - 1 - np.arange(n)) for n in (height, width))
    distance = np.minimum(rows[:, None], columns)
    error = np.square(np.clip(image, 0, 1) - clean).reshape(height, width, -1).mean(-1)
    ends = (*BANDS[1:], max(height, width))
    bands = ((distance >= low) & (distance < high) for low, high in zip(BANDS, ends, strict=True))
    return [float(-10 * np.log10(error[band].mean())) if band.any() else np.nan for band in bands]


def borders(rows: pd.DataFrame, folder: Path, data: Path) -> pd.DataFrame:
    """Return the profile of each row that worked, and of each noisy input once.

    The noisy input's tells what of it is the picture's own.
    """
    found, images = [], ["set", "noise", "noise_seed", "image", "crop"]
    for _, group in rows[rows["error"].isna()].groupby(images):
        first = group.iloc[0]
        pair = load_pair(data, first)
        assert pair.clean is not None
        shown = [(NOISY, "", pair.noisy)]
        for _, row in group[group["method"] != NOISY].iterrows():
            output = load_image(folder, str(row["output"]))
            shown.append((variant_of(row).name, str(row["effort"]), output))
        for method, effort, image in shown:
            bands = zip(BANDS, profile(pair.clean, image), strict=True)
            values = {f"from_{start}": round(psnr, 2) for start, psnr in bands}
            found.append({**first[images], "method": method, "effort": effort, **values})
    return pd.DataFrame(found)
