"""MATLAB files of every version, and the two sets that come in them: SIDD and DND."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from benchmarks.metrics import BenchmarkError
from zspot.io.atomic import atomic_write


@dataclass(frozen=True)
class SiddBlocks:
    """Blocks of SIDD in .mat files: (scenes, blocks, H, W, 3) uint8; images are scene_block."""

    noisy: Path
    noisy_key: str
    clean: Path | None = None
    clean_key: str = ""

    def names(self) -> list[str]:
        """Return the names, counted from 1."""
        scenes, blocks = _blocks(self.noisy, self.noisy_key).shape[:2]
        return [f"{s + 1}_{b + 1}" for s in range(scenes) for b in range(blocks)]

    def load(self, name: str) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Return (noisy, clean)."""
        scene, block = (int(word) - 1 for word in name.split("_"))
        noisy = unit(_blocks(self.noisy, self.noisy_key)[scene, block])
        if self.clean is None:
            return noisy, None
        return noisy, unit(_blocks(self.clean, self.clean_key)[scene, block])


@dataclass(frozen=True)
class Dnd:
    """The Darmstadt Noise Dataset, sRGB: 50 photographs, 20 regions of each, no clean images."""

    folder: Path

    def names(self) -> list[str]:
        """Return image_region as four and two digits, counted from 1."""
        out = []
        for path in sorted((self.folder / "images_srgb").glob("[0-9]*.mat")):
            regions = boxes(self.folder / "info.mat", int(path.stem) - 1)
            out += [f"{path.stem}_{region + 1:02}" for region in range(len(regions))]
        return out

    def load(self, name: str) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Return (noisy, None)."""
        image, region = name.split("_")
        box = boxes(self.folder / "info.mat", int(image) - 1)[int(region) - 1]
        path = self.folder / "images_srgb" / f"{image}.mat"
        top, left, bottom, right = box
        return _blocks(path, "InoisySRGB")[top:bottom, left:right].astype(np.float32), None


@functools.lru_cache(maxsize=2)
def _blocks(path: Path, key: str) -> np.ndarray:
    """Read a large array once per process."""
    return read_mat(path, key)


def unit(image: np.ndarray) -> np.ndarray:
    """Return integers as float32 in [0, 1]; three equal channels are kept."""
    if image.dtype.kind == "f":
        return image.astype(np.float32)
    return image.astype(np.float32) / np.iinfo(image.dtype).max


def read_mat(path: Path, key: str) -> np.ndarray:
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


def write_mat(path: Path, values: dict[str, Any], *, overwrite: bool) -> None:
    """Write variables as a version-5 file, whole or not at all; object arrays become cells."""
    with atomic_write(path, overwrite=overwrite) as handle:
        scipy.io.savemat(handle, values, do_compression=True)


def cells(values: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Return arrays as an object array of a shape, which MATLAB reads as a cell array."""
    out = np.empty(len(values), dtype=object)
    for index, value in enumerate(values):
        out[index] = value
    return out.reshape(shape)
