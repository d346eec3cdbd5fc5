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

from benchmarks.figures import load_pair
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
    found, images = [], ["set", "noise", "noise_seed", "image", "crop"]
    for _, group in rows[rows["error"].isna()].groupby(images):
        first = group.iloc[0]
        pair = load_pair(data, first)
        assert pair.clean is not None
        shown = [("noisy", "", pair.noisy)]
        for _, row in group[group["method"] != "noisy"].iterrows():
            output = load_image(folder, str(row["output"]))
            shown.append((str(row["method"]), str(row["effort"]), output))
        for method, effort, image in shown:
            bands = zip(BANDS, profile(pair.clean, image), strict=True)
            values = {f"from_{start}": round(psnr, 2) for start, psnr in bands}
            found.append({**first[images], "method": method, "effort": effort, **values})
    return pd.DataFrame(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    found = measure(read_rows(arguments.rows), arguments.rows, arguments.data)
    found.to_csv(arguments.out, index=False)
    print(
        found.groupby(["method", "effort", "set"])[[f"from_{k}" for k in BANDS]]
        .mean()
        .round(1)
        .to_string()
    )


if __name__ == "__main__":
    main()
