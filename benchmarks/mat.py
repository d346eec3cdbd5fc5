"""MATLAB files, of every version: read one variable, write whole files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from benchmarks.errors import BenchmarkError
from zspot.io.atomic import atomic_write


def read(path: Path, key: str) -> np.ndarray:
    """Read an array, its axes in MATLAB's order.

    Raises
    ------
    BenchmarkError
        If the file cannot be read or does not hold the variable.
    """
    import h5py

    try:
        if h5py.is_hdf5(path):  # version 7.3
            with h5py.File(path, "r") as file:
                if key in file:
                    return np.asarray(file[key]).T
        else:
            values = scipy.io.loadmat(path, variable_names=[key])
            if key in values:
                return values[key]
    except (OSError, ValueError, TypeError) as error:
        raise BenchmarkError(f"{path} cannot be read as a .mat file: {error}") from None
    raise BenchmarkError(f"{path} does not hold {key}: is it the file as its authors offer it?")


def boxes(path: Path, image: int) -> np.ndarray:
    """Return DND's regions of an image (counted from 0): rows of (top, left, bottom, right).

    Counted from 0, the ends exclusive; from `info.boundingboxes` in `info.mat`.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            found = np.asarray(file[file["info"]["boundingboxes"][0][image]]).T  # type: ignore
    except (OSError, KeyError, IndexError) as error:
        raise BenchmarkError(f"{path} is not DND's info.mat: {error}") from None
    return found.astype(int) - np.array([1, 1, 0, 0])


def write(path: Path, values: dict[str, Any], *, overwrite: bool) -> None:
    """Write variables as a version-5 file, whole or not at all; object arrays become cells."""
    with atomic_write(path, overwrite=overwrite) as handle:
        scipy.io.savemat(handle, values, do_compression=True)


def cells(values: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Return arrays as an object array of a shape, which MATLAB reads as a cell array."""
    out = np.empty(len(values), dtype=object)
    for index, value in enumerate(values):
        out[index] = value
    return out.reshape(shape)
