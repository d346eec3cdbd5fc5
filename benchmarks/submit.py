"""The files that benchmarks without public ground truth ask for."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import datasets, matlab
from benchmarks.metrics import BenchmarkError
from benchmarks.store import load_image, read_rows
from benchmarks.tables import split
from zspot.io.atomic import atomic_write


def write_submission(
    name: str, method: str, rows: Path, data: Path, out: Path, *, overwrite: bool = False
) -> Path:
    """Write the submission of one method.

    SIDD: `out` ending in .csv has the columns ID and BLOCK (base64 of the uint8 pixels) that the
    site takes now; ending in .mat, DenoisedBlocksSrgb and TimeMPSrgb as its MATLAB code does.
    DND: `out` is a folder of 0001.mat, ... with the cell array Idenoised, as its own code does.

    Raises
    ------
    BenchmarkError
        If an image of the set has no row, or the name or the ending is not known.
    """
    if name not in ("sidd_benchmark", "dnd"):
        raise BenchmarkError(f"{name!r} has no submission: choose sidd_benchmark or dnd")
    names = datasets.find(data, name).names()
    mine = _complete(read_rows(rows), name, method, names)
    if name == "dnd":
        return _dnd(mine, rows, out, overwrite)
    if out.suffix == ".csv":
        return _sidd_csv(mine, rows, out, overwrite)
    if out.suffix == ".mat":
        return _sidd_mat(mine, rows, out, overwrite)
    raise BenchmarkError(f"{out}: the submission of SIDD ends in .csv or .mat")


def _complete(rows: pd.DataFrame, name: str, method: str, names: list[str]) -> pd.DataFrame:
    """Return one row for each whole image of the set, in its order."""
    kind, effort, changes = split(method)
    mine = rows[
        (rows["set"] == name) & (rows["method"] == kind) & (rows["effort"] == effort)
        & (rows["changes"] == changes) & (rows["crop"] == 0) & (rows["noise"] == "")
        & rows["error"].isna()
    ]  # fmt: skip
    seeds = sorted(set(mine["seed"]))
    if len(seeds) > 1:
        raise BenchmarkError(f"rows of {method} with seeds {seeds}: keep one seed in a folder")
    missing = [image for image in names if image not in set(mine["image"])]
    if missing:
        raise BenchmarkError(
            f"{len(missing)} of {len(names)} images of {name} have no row of {method}, the first "
            f"is {missing[0]}: run --suite {name} --methods {method}"
        )
    return mine.set_index("image").loc[names]


def _bytes(folder: Path, output: str) -> np.ndarray:
    return np.round(load_image(folder, output) * 255).astype(np.uint8)


def _sidd_csv(mine: pd.DataFrame, folder: Path, out: Path, overwrite: bool) -> Path:
    blocks = [
        base64.b64encode(_bytes(folder, str(name)).tobytes()).decode() for name in mine["output"]
    ]
    text = io.StringIO()
    pd.DataFrame({"ID": range(len(blocks)), "BLOCK": blocks}).to_csv(text, index=False)
    with atomic_write(out, overwrite=overwrite) as handle:
        handle.write(text.getvalue().encode())
    return out


def _sidd_mat(mine: pd.DataFrame, folder: Path, out: Path, overwrite: bool) -> Path:
    blocks = [_bytes(folder, str(name)) for name in mine["output"]]
    scenes = int(str(mine.index[-1]).split("_")[0])
    megapixels = (mine["height"] * mine["width"]).sum() / 1e6
    values = {
        "DenoisedBlocksSrgb": matlab.cells(blocks, (scenes, len(blocks) // scenes)),
        "TimeMPSrgb": float(mine["seconds"].sum() / megapixels),
        "OptionalData": {"MethodName": f"zspot {mine['method'].iloc[0]}"},
    }
    matlab.write_mat(out, values, overwrite=overwrite)
    return out


def _dnd(mine: pd.DataFrame, folder: Path, out: Path, overwrite: bool) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    images = pd.Series([str(name).split("_")[0] for name in mine.index], index=mine.index)
    for image, group in mine.groupby(images, sort=True):
        crops = [load_image(folder, str(name)) for name in group["output"]]
        values = {
            "Idenoised": matlab.cells(crops, (1, len(crops))),
            "israw": False,
            "eval_version": "1.0",
        }
        matlab.write_mat(out / f"{image}.mat", values, overwrite=overwrite)
    return out
