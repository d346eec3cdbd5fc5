"""PSNR less what reference and noisy image differ in beside noise, of images stored before."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.datasets import load_pair
from benchmarks.metrics import aligned_psnr
from benchmarks.store import load_image


def fill(rows: pd.DataFrame, folder: Path, data: Path) -> pd.DataFrame:
    """Return rows of a store's folder with `psnr_aligned`, measured where it is missing.

    Raises
    ------
    BenchmarkError
        If a stored image or its set is not there.
    """
    rows = rows.copy()
    for number, row in rows[rows["psnr_aligned"].isna() & rows["psnr"].notna()].iterrows():
        pair = load_pair(data, row)
        assert pair.clean is not None
        image = load_image(folder, str(row["output"]))
        found = aligned_psnr(pair.clean, pair.noisy, image)
        rows.loc[number, "psnr_aligned"] = round(found, 4)
    return rows
