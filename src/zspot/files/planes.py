"""Planes, denoised one after another: of files, stacks, stores, the web page and napari."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zspot.api import Result, check_device, choose, run
from zspot.api.requests import check_neighbours
from zspot.api.stacks import Index, Load, Mask, Neighbours
from zspot.core.axes import PLANE, Place, index_of, iter_planes, place_of
from zspot.core.errors import ImageError, OptionError
from zspot.core.plane import MAX_CHANNELS
from zspot.core.progress import Report, within
from zspot.files.options import Options
from zspot.io import ImageFile, read

Notes = tuple[str, ...]  # sentences on a file
_FEW = 16  # columns; planes this narrow are rows of a picture
_COLOURS = 3


class PlaneRunner:
    """Denoises planes `of` a file, counts them, shares their fits and tells the progress of all."""

    def __init__(self, options: Options, of: str = "", progress: Report | None = None) -> None:
        self.options = options
        self.count = 1  #: how many planes there are
        self.nodata: float | None = None  #: what the file says marks pixels without picture
        most = options.max_memory
        self.mask = None if options.mask is None else read_mask(options.mask, most)
        # Whose fit the planes of a channel start from: the first's, for the same bytes in any run.
        self._firsts: dict[int, Result] = {}
        self._shares = False  # whether there are planes that are to share a fit
        self._of, self._progress = of, progress
        self._number, self._seconds = 0, 0.0
        self._last: Result | None = None

    def begin_stack(self, axes: str, shape: Sequence[int], load: Load) -> None:
        """Take the planes that follow as those of one stack; `load` gives any, by its index."""
        colours = shape[axes.index("S")] if "S" in axes else 1
        if colours > MAX_CHANNELS:
            most = f"up to {MAX_CHANNELS} are denoised together"
            advice = f"--axes {axes.replace('S', 'C')} denoises each channel alone"
            raise ImageError(f"{self._of} has {colours} colours: {most}; {advice}")
        self._near = Neighbours(run, self.options, axes, shape, load)
        self._channel = "".join(letter for letter in axes if letter not in PLANE).find("C")
        sizes = (n for letter, n in zip(axes, shape, strict=True) if letter not in "CYXS")
        self._firsts, self._shares = {}, self.options.share_fit and math.prod(sizes) > 1

    def needs_first(self, index: Index) -> bool:
        """Say whether a plane's fit is the one that the others of its channel start from."""
        return self._shares and self._series(index) not in self._firsts

    def _series(self, index: Index) -> int:
        """Return which planes share a fit: those of one channel."""
        return 0 if self._channel < 0 else index[self._channel]

    def results(
        self, image: ImageFile, axes: str | None = None, second: np.ndarray | None = None
    ) -> Iterator[tuple[Place, Result]]:
        """Denoise every plane of a file in memory, but what it says is no picture."""
        letters = axes or image.axes
        self.nodata = image.metadata.get("nodata")

        def load(index: Index) -> tuple[np.ndarray, Mask]:
            place = place_of(index, letters)
            return image.data[place], image.opaque_at(place, letters)

        return self.each(letters, image.data.shape, load, second)

    def each(
        self, axes: str, shape: Sequence[int], load: Load, second: np.ndarray | None = None
    ) -> Iterator[tuple[Place, Result]]:
        """Denoise every plane of a stack that `load` gives; yield where it is and its result."""
        check_neighbours(self.options.neighbours, second=second is not None)
        self.begin_stack(axes, shape, load)
        places = list(iter_planes(shape, axes))
        self.count = len(places)
        for place in places:
            other, index = None if second is None else second[place], index_of(place)
            plane, there = load(index)
            yield place, self.run(plane, index, other, there)

    def run(
        self, plane: np.ndarray, index: Index, second: np.ndarray | None = None, valid: Mask = None
    ) -> Result:
        """Denoise the next plane, by its index in the stack. Errors name file and plane."""
        own: Any = {} if self.options.nodata is not None else {"nodata": self.nodata}
        own |= {"after": self._firsts.get(self._series(index)), "second": second, "mask": self.mask}
        told = within(self._progress, self._number, self.count)
        try:
            result = self._near.run(index, plane, valid, told, **own)
        except ImageError as error:
            which = f", plane {self._number + 1} of {self.count}" if self.count > 1 else ""
            raise ImageError(f"{self._of}{which}: {error}" if self._of else str(error)) from None
        self._number += 1
        self._seconds += result.timings["total"]
        self._last = replace(result, uncertainty=None)
        if self.needs_first(index) and result.fitted:
            slim = {"image": np.empty(0), "source": None, "uncertainty": None, "losses": ()}
            self._firsts[self._series(index)] = replace(result, **slim)
        return result

    def __call__(self, plane: np.ndarray, index: Index) -> np.ndarray:
        """Denoise the next plane and return as much of the result as is wanted."""
        return self.options.blend(self.run(plane, index))

    def skip(self, count: int) -> None:
        """Count planes that an earlier run has done."""
        self._number += count

    def last(self) -> Result:
        """Return the last result with the time of all; where none was left to do, an empty one."""
        asked, result, what = self.options, self._last, ""
        if result is None:  # an earlier run did all, or a store has no chunk
            name, device = choose(asked.method, asked.effort).name, str(check_device(asked.device))
            nothing, why = np.empty((0, 0), np.uint8), "there was nothing left to denoise"
            result = Result(nothing, None, name, None, why, (), {}, asked.seed, device)
        elif asked.neighbours and not self._near.has_any:
            what = "no plane is beside another: --neighbours did nothing"
            result = replace(result, told=(*result.told, what))
        elif asked.share_fit and not self._shares:
            what = "a single plane has nothing to share its fit with"
        reason = "; ".join(filter(None, (result.reason, what, asked.blending)))
        return replace(result, reason=reason, timings={**result.timings, "total": self._seconds})


def read_mask(path: Path, most: int | str | None) -> np.ndarray:
    """Return where a grey file is neither 0 nor, by what it says itself, no picture."""
    image = read(path, max_memory=most)
    if image.axes != "YX":
        raise OptionError(f"{path} has axes {image.axes}: a mask is one grey plane")
    there, valid = (image.data != 0) & np.isfinite(image.data), image.valid_at((slice(None),) * 2)
    return there if valid is None else there & valid


def hints_on(axes: str, shape: tuple[int, ...], alpha: np.ndarray | None = None) -> Notes:
    """Say what the file may mean instead of what it says."""
    sizes = dict(zip(axes, shape, strict=True))
    rows, columns, samples = sizes["Y"], sizes["X"], sizes.get("S", 1)
    planes = math.prod(shape) // (rows * columns * samples)
    narrow = samples == 1 and columns <= _FEW < min(rows, planes)
    shaded = alpha is not None and ((alpha == 0) | (alpha == alpha.max())).mean() < 0.5
    plane, apart = f"{'Q' * (len(shape) - 3)}YX", axes.replace("S", "C")
    hints = {
        f"The file holds {planes} planes of {rows} x {columns} values: if these are rows of a "
        f"picture use --axes {plane}S (colours) or {plane}C (separate channels).": narrow,
        "The last band is marked as transparency and left as it is: if it is a picture, such "
        f"as near infrared, use --axes {apart} to denoise each band alone.": shaded,
        f"{samples} bands are denoised together as colours: if some show something else, such "
        f"as near infrared, use --axes {apart} to denoise each alone.": samples > _COLOURS,
    }
    return tuple(hint for hint, holds in hints.items() if holds)
