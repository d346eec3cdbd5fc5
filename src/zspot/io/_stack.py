"""What is common to files that are read and written plane by plane."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ._core import FileError


class Stack(ABC):
    """An open file of many planes, of which only one is in memory at a time.

    Attributes
    ----------
    path : Path
    axes : str
        As in `ImageFile`; the plane's axes come last.
    shape : tuple of int
        Sizes of `axes`.
    plane_axes : str
        "YX", "YXS" or "SYX".
    notes : tuple of str
    """

    path: Path
    axes: str
    shape: tuple[int, ...]
    plane_axes: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of planes."""
        return int(np.prod(self.shape[: len(self.shape) - len(self.plane_axes)], dtype=object))

    @abstractmethod
    def read(self, number: int) -> np.ndarray:
        """Return a plane without alpha; planes count from 0, the last axis fastest."""

    @abstractmethod
    def write(self, target: Path, planes: Iterator[np.ndarray], *, overwrite: bool) -> None:
        """Write a file like this one, complete or not at all, around new planes.

        Parameters
        ----------
        target : Path
        planes : iterator of ndarray
            All planes in order, each drawn when it is needed.
        overwrite : bool

        Raises
        ------
        FileError
        """

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def _short(self) -> FileError:
        return FileError(f"{self.path} changed while it was read; run again")
