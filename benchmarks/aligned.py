"""The convention `aligned`, of images that were stored before it was measured."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.datasets import load_pair
from benchmarks.metrics import CONVENTIONS, columns
from benchmarks.store import load_image


def fill(rows: pd.DataFrame, folder: Path, data: Path) -> pd.DataFrame:
    """Return rows of a store's folder with what they lack of the convention measured.

    Raises
    ------
    BenchmarkError
        If a stored image or its set is not there.
    """
    rows, (psnr, ssim) = rows.copy(), columns("aligned")
    lacking = rows[[psnr, ssim]].isna().any(axis=1) & rows["psnr"].notna()
    for number, row in rows[lacking].iterrows():
        pair = load_pair(data, row)
        assert pair.clean is not None
        image = load_image(folder, str(row["output"]))
        found = CONVENTIONS["aligned"].measure(pair.clean, image, pair.noisy)
        rows.loc[number, psnr], rows.loc[number, ssim] = round(found[0], 4), round(found[1], 6)
    return rows
