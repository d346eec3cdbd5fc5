"""Denoise a file: read, denoise every plane, write the same kind of file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zspot.api import DEFAULT_METHOD, Result, choose, run
from zspot.api.result import Blending
from zspot.core.axes import channel_axis, iter_planes
from zspot.core.errors import FileError, ImageError, OptionError
from zspot.core.memory import limit_of
from zspot.core.progress import Report, within
from zspot.files.planes import Sharing, series
from zspot.io import ImageFile, Stack, check_target, is_store, open_stack, read, write
from zspot.recipe import Recipe


def denoise_file(
    source: Path,
    target: Path,
    method: str | Recipe = DEFAULT_METHOD,
    *,
    effort: str = "balanced",
    seed: int = 0,
    device: str = "auto",
    axes: str | None = None,
    overwrite: bool = False,
    progress: Report | None = None,
    second: Path | None = None,
    share_fit: bool = False,
    max_memory: int | str | None = None,
    strength: float = 1.0,
    keep_detail: float = 0.0,
) -> tuple[Result, tuple[str, ...]]:
    """Denoise an image file into another file of the same dtype, range and metadata.

    Every plane of a stack is denoised by itself; the colours of a plane are denoised together,
    separate channels (axis C: fluorescence, filters) one by one. TIFF stacks, ND2, CZI and Zarr
    are read and written plane by plane. Everything that can fail early is checked before the work
    starts.

    Parameters
    ----------
    source, target : Path
        Files, or Zarr folders; see `zspot.io` for the formats.
    method, effort, seed, device
        As in `zspot.denoise`.
    axes : str or None
        Names the axes of the source in place of what the file says: one letter each of TZC for
        time, z and channel, Q for another stack, YX for rows and columns, S for colours.
    overwrite : bool
        Replace an existing target; otherwise that is an error.
    progress : callable, optional
        Called with a `Progress` over all planes.
    second : Path, optional
        Another noisy file of the same scene, for methods that learn from two.
    share_fit : bool
        Fit the first plane of each channel and start every other plane of it from there, see
        `zspot.engine.shared_fit`.
    max_memory : int or str, optional
        As in `zspot.denoise`; a stack may be larger, it is read plane by plane.
    strength, keep_detail : float in [0, 1]
        As in `zspot.Result.blend`, for every plane; by default the full result is written.

    Returns
    -------
    result : Result
        Of the last plane, with the `total` time of all. `image` is the full result whatever was
        written; `reason` ends with `strength` and `keep_detail` where they are not the defaults.
    notes : tuple of str
        What the user should know of the file.

    Raises
    ------
    zspot.io.FileError, ImageError, OptionError
    """
    source, target = Path(source), Path(target)
    blending = check_options(method, effort, axes, max_memory, strength, keep_detail)
    planes = _Planes(
        source, method, effort, seed, device, progress, blending, share_fit, max_memory
    )
    if second is not None:
        if any(map(is_store, (source, second, target))):
            raise OptionError("--second works on files, not on Zarr stores: convert them to TIFF")
        check_target(target, overwrite=overwrite)
        return _denoise_whole(source, target, planes, axes, overwrite, second)
    if is_store(source) or is_store(target):
        from zspot.files.store import denoise_store  # Zarr is an extra

        notes = denoise_store(source, target, planes, axes=axes, overwrite=overwrite)
        return planes.result(), notes
    check_target(target, overwrite=overwrite)
    with open_stack(source, target) as stack:
        if stack is not None and _splits(axes, stack):
            planes.count = len(stack)
            colours = channel_axis(stack.plane_axes)
            letters = axes or stack.axes
            planes.begin_stack(letters, stack.shape)
            leading = stack.shape[: len(stack.shape) - len(stack.plane_axes)]
            done = (
                planes(stack.read(number), colours, series=series(letters, place))
                for number, place in enumerate(np.ndindex(leading))
            )
            stack.write(target, done, overwrite=overwrite)
            return planes.result(), stack.notes
    return _denoise_whole(source, target, planes, axes, overwrite)


def _denoise_whole(
    source: Path,
    target: Path,
    planes: _Planes,
    axes: str | None,
    overwrite: bool,
    second: Path | None = None,
) -> tuple[Result, tuple[str, ...]]:
    """Denoise a file that is in memory as a whole."""
    image = read(source)
    check_target(target, overwrite=overwrite, source=image)
    if axes is not None and len(axes) != image.data.ndim:
        raise OptionError(
            f"--axes {axes}: {source} has {image.data.ndim} axes, of sizes "
            f"{' x '.join(map(str, image.data.shape))} ({image.axes})"
        )
    other = None if second is None else _same_layout(image, read(second), source, second).data
    out = np.empty_like(image.data)
    letters = axes or image.axes
    planes.begin_stack(letters, image.data.shape)
    places = list(iter_planes(image.data.shape, letters))
    planes.count = len(places)
    for place, colours in places:
        also = None if other is None else other[place]
        out[place] = planes(image.data[place], colours, also, series(letters, place))
    write(target, image.replace(out), overwrite=overwrite)
    return planes.result(), image.notes


class _Planes:
    """Denoises the planes of one file one after another; knows how many and how long."""

    def __init__(
        self,
        source: Path,
        method: str | Recipe,
        effort: str,
        seed: int,
        device: str,
        progress: Report | None,
        blending: Blending,
        share_fit: bool = False,
        max_memory: int | str | None = None,
    ) -> None:
        self.count = 1
        self.sharing = Sharing(method) if share_fit else None
        self._source, self._method = source, method
        self._max_memory = max_memory
        self._options = {"effort": effort, "seed": seed, "device": device}
        whole = method.to_dict() if isinstance(method, Recipe) else method
        self.job = {"method": whole, **self._options, "share_fit": share_fit, **blending.job}
        self._blending = blending
        self._progress = progress
        self._number = 0
        self._seconds = 0.0
        self._last: Result | None = None

    def begin_stack(self, axes: str, shape: Sequence[int]) -> None:
        """Take the planes that follow as those of one stack, which may share a fit."""
        if self.sharing is not None:
            self.sharing.begin_stack(axes, shape)

    def __call__(
        self,
        plane: np.ndarray,
        channel_axis: int | None,
        second: np.ndarray | None = None,
        series: int = 0,
    ) -> np.ndarray:
        """Denoise the next plane; those of a series may share a fit."""
        result = run_plane(
            plane,
            self._method,
            of=str(self._source),
            number=self._number,
            count=self.count,
            progress=self._progress,
            **self._options,
            channel_axis=channel_axis,
            second=second,
            max_memory=self._max_memory,
            after=None if self.sharing is None else self.sharing.first(series),
        )
        self._number += 1
        self._seconds += result.timings["total"]
        self._last = replace(result, uncertainty=None)
        if self.sharing is not None:
            self.sharing.take(series, result)
        return self._blending.of(result)

    def skip(self, count: int) -> None:
        """Count planes that an earlier run has done."""
        self._number += count

    def result(self) -> Result:
        """Return the result of the last plane with the time of all and how much of it was taken."""
        if self._last is None:  # an earlier run did every plane, or the store has no chunk
            nothing = np.zeros((1, 1), np.uint8)
            self._last = run(nothing, self._method, **self._options)
            self._last = replace(self._last, reason="there was nothing left to denoise")
        elif self.sharing is not None and self.sharing.alone:
            alone = f"{self._last.reason}; a single plane has nothing to share its fit with"
            self._last = replace(self._last, reason=alone)
        reason = "; ".join(filter(None, (self._last.reason, self._blending.words)))
        timings = {**self._last.timings, "total": self._seconds}
        return replace(self._last, reason=reason, timings=timings)


def run_plane(
    plane: np.ndarray,
    method: str | Recipe,
    *,
    of: str,
    number: int,
    count: int,
    progress: Report | None,
    **options: Any,
) -> Result:
    """Run a method on one of the planes of a file.

    Parameters
    ----------
    plane : ndarray
    method : str or Recipe
    of : str
        Name of the file, for what is wrong with the plane.
    number, count : int
        Which plane it is, from 0, and how many there are.
    progress : callable or None
        Called with a `Progress` over all planes.
    **options
        Of `zspot.run`.

    Raises
    ------
    ImageError
        Names the file and the plane.
    """
    try:
        return run(plane, method, progress=within(progress, number, count), **options)
    except ImageError as error:
        which = f", plane {number + 1} of {count}" if count > 1 else ""
        raise ImageError(f"{of}{which}: {error}") from None


def _same_layout(first: ImageFile, other: ImageFile, source: Path, second: Path) -> ImageFile:
    """Check that a second file holds the same planes as the first and return it."""
    if (other.axes, other.data.shape) != (first.axes, first.data.shape):
        raise FileError(
            f"{second}: has shape {other.data.shape} ({other.axes}) and {source} has "
            f"{first.data.shape} ({first.axes}): both must show the same scene pixel by pixel"
        )
    return other


def first_plane(image: ImageFile) -> tuple[np.ndarray, int | None, str]:
    """Return the first plane of a file, its channel axis and, for a stack, which one it is."""
    places = list(planes(image))
    place, colours = places[0]
    name = "" if len(places) == 1 else f" (first of {len(places)} planes)"
    return image.data[place], colours, name


def planes(image: ImageFile) -> Iterator[tuple[tuple[int | slice, ...], int | None]]:
    """Yield (index of a plane, its channel axis) for every plane of a file."""
    return iter_planes(image.data.shape, image.axes)


def check_options(
    method: str | Recipe,
    effort: str,
    axes: str | None,
    max_memory: int | str | None,
    strength: float,
    keep_detail: float,
) -> Blending:
    """Refuse what can be told to be wrong before a file is read; return what is to be blended.

    Raises
    ------
    OptionError
    """
    choose(method, effort)
    blending = Blending(strength, keep_detail)
    limit_of(max_memory)
    _check_letters(axes)
    return blending


def _check_letters(axes: str | None) -> None:
    if axes is None:
        return
    named = axes.replace("Q", "")
    if not {*axes} <= {*"TZCYXSQ"} or len({*named}) != len(named) or not {"Y", "X"} <= {*axes}:
        raise OptionError(
            f"--axes {axes}: give each axis a letter of T, Z, C, Y, X, S (colours), Q (any stack), "
            "Y and X among them, such as TZCYX"
        )


def _splits(axes: str | None, stack: Stack) -> bool:
    """Say whether the planes of `axes` are those that the stack is stored in."""
    if axes is None:
        return True
    if len(axes) != len(stack.axes):
        raise OptionError(
            f"--axes {axes}: {stack.path} has {len(stack.axes)} axes, of sizes "
            f"{' x '.join(map(str, stack.shape))} ({stack.axes})"
        )
    leading = axes[: len(axes) - len(stack.plane_axes)]
    return axes.endswith(stack.plane_axes) and "S" not in leading
