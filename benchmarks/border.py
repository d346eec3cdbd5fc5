"""How much worse is a method at an image's border than in its middle?

    python -m benchmarks.border --rows DIR --data DIR --out FILE.csv

`--rows` is a folder that `benchmarks run` made. PSNR of each stored output by the distance of its
pixels from the nearest border; the noisy input's tells what of it is the picture's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import datasets
from benchmarks.compare import entry_of
from benchmarks.store import load_image, read_rows

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


def measure(rows: pd.DataFrame, folder: Path, data: Path) -> pd.DataFrame:
    """Return the profile of each row that worked, and of each noisy input once."""
    found = []
    for _, row in rows[rows["error"].isna()].iterrows():
        names = {key: row[key] for key in ("set", "noise", "image", "crop")}
        pair = datasets.load(
            data, entry_of(row), str(row["image"]),
            crop=int(row["crop"]) or None, noise_seed=int(row["noise_seed"]),
        )  # fmt: skip
        assert pair.clean is not None
        output = load_image(folder, str(row["output"]))
        for method, image in ((str(row["method"]), output), ("noisy", pair.noisy)):
            bands = {
                f"from_{k}": round(v, 2)
                for k, v in zip(BANDS, profile(pair.clean, image), strict=True)
            }
            found.append({**names, "method": method, **bands})
    return pd.DataFrame(found).drop_duplicates(["set", "noise", "image", "method"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    found = measure(read_rows(arguments.rows), arguments.rows, arguments.data)
    found.to_csv(arguments.out, index=False)
    print(found.groupby(["method", "set"]).mean(numeric_only=True).round(1).to_string())


if __name__ == "__main__":
    main()
