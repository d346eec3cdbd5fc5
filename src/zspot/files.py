"""Denoise a file: read, denoise every plane, write the same kind of file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from zspot.api import DEFAULT_METHOD, Result, choose, run
from zspot.io import ImageFile, check_target, read, write
from zspot.progress import Progress, Report
from zspot.recipe import Recipe


def denoise_file(
    source: Path,
    target: Path,
    method: str | Recipe = DEFAULT_METHOD,
    *,
    effort: str = "balanced",
    seed: int = 0,
    device: str = "auto",
    overwrite: bool = False,
    progress: Report | None = None,
) -> tuple[Result, tuple[str, ...]]:
    """Denoise an image file into another file of the same dtype, range and metadata.

    Every plane of a stack is denoised by itself; the colours of a plane are denoised together,
    separate channels (axis C: fluorescence, filters) one by one. Everything that can fail early
    is checked before the work starts.

    Parameters
    ----------
    source, target : Path
        Files; see `zspot.io` for the formats.
    method, effort, seed, device
        As in `zspot.denoise`.
    overwrite : bool
        Replace an existing target; otherwise that is an error.
    progress : callable, optional
        Called with a `Progress` over all planes.

    Returns
    -------
    result : Result
        Of the last plane, with the `total` time of all.
    notes : tuple of str
        What the user should know of the file.

    Raises
    ------
    zspot.io.FileError, ImageError, OptionError
    """
    choose(method, effort)
    check_target(target, overwrite=overwrite)
    image = read(source)
    check_target(target, overwrite=overwrite, source=image)
    out = np.empty_like(image.data)
    places = list(planes(image))
    total = 0.0
    result = None
    for number, (place, channel_axis) in enumerate(places):
        result = run(
            image.data[place],
            method,
            effort=effort,
            channel_axis=channel_axis,
            seed=seed,
            device=device,
            progress=_within(progress, number, len(places)),
        )
        out[place] = result.image
        total += result.timings["total"]
    assert result is not None  # io refuses files without pixels
    write(target, image.replace(out), overwrite=overwrite)
    return replace(result, timings={**result.timings, "total": total}), image.notes


def first_plane(image: ImageFile) -> tuple[np.ndarray, int | None, str]:
    """Return the first plane of a file, its channel axis and, for a stack, which one it is."""
    places = list(planes(image))
    place, channel_axis = places[0]
    name = "" if len(places) == 1 else f" (first of {len(places)} planes)"
    return image.data[place], channel_axis, name


def planes(image: ImageFile) -> Iterator[tuple[tuple[int | slice, ...], int | None]]:
    """Yield (index of a plane, its channel axis) for every plane of a file."""
    kept = [axis for axis, letter in enumerate(image.axes) if letter in "YXS"]
    counts = [
        [slice(None)] if axis in kept else range(size) for axis, size in enumerate(image.data.shape)
    ]
    channel_axis = kept.index(image.axes.index("S")) if "S" in image.axes else None
    for place in itertools.product(*counts):
        yield place, channel_axis


def _within(progress: Report | None, number: int, count: int) -> Report | None:
    """Turn the progress of plane `number` into progress over `count` planes."""
    if progress is None:
        return None

    def report(p: Progress) -> None:
        left = p.seconds_left
        if left is not None and count > 1:
            elapsed_share = max(p.done / p.total, 1e-9)
            per_plane = left / max(1 - elapsed_share, 1e-9)
            left += per_plane * (count - 1 - number)
        progress(Progress(p.stage, number * p.total + p.done, count * p.total, left))

    return report
