"""What is common to files that are read and written plane by plane."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zspot.core.errors import FileError
from zspot.io.checks import first_line, one_kind_of_error


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
    nodata : float or None
        What marks pixels without picture.
    """

    path: Path
    axes: str
    shape: tuple[int, ...]
    plane_axes: str
    notes: tuple[str, ...] = ()
    nodata: float | None = None

    def __len__(self) -> int:
        """Return the number of planes."""
        return int(np.prod(self.shape[: len(self.shape) - len(self.plane_axes)], dtype=object))

    def read(self, number: int) -> np.ndarray:
        """Return a plane without alpha; planes count from 0, the last axis fastest."""
        with one_kind_of_error(self.path):
            return self._read(number)

    def valid(self, number: int) -> np.ndarray | None:
        """Return where a plane is not transparent, if it has transparency."""
        return None

    def write(self, target: Path, planes: Iterator[np.ndarray], *, overwrite: bool) -> None:
        """Write a file like this one, complete or not at all, around new planes.

        All planes come in order, each drawn when it is needed. What `planes` raises comes through,
        any other failure is a `FileError`.
        """
        foreign: list[BaseException] = []

        def watched() -> Iterator[np.ndarray]:
            try:
                yield from planes
            except BaseException as error:
                foreign.append(error)
                raise

        try:
            self._write(target, watched(), overwrite)
        except (FileError, MemoryError):
            raise
        except Exception as error:
            if error in foreign:
                raise
            raise FileError(f"{target} cannot be written ({first_line(error)})") from error

    @abstractmethod
    def _read(self, number: int) -> np.ndarray: ...

    @abstractmethod
    def _write(self, target: Path, planes: Iterator[np.ndarray], overwrite: bool) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Close the file."""
