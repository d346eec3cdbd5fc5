"""Denoise a file: read, denoise every plane, write the same kind of file."""

from pathlib import Path
from typing import Any, Unpack

import numpy as np

from zspot.api import DEFAULT_METHOD, Result
from zspot.api.requests import lists
from zspot.api.stacks import Index
from zspot.core.axes import channel_axis, iter_planes
from zspot.core.errors import FileError, OptionError
from zspot.core.progress import Report
from zspot.files.options import Keywords, Options
from zspot.files.planes import Notes, PlaneRunner, hints_on
from zspot.files.store import denoise_store
from zspot.io import ImageFile, Stack, check_target, is_store, open_stack, read, write
from zspot.io.open import notes_on
from zspot.recipe import Recipe

_ROUNDED = 1e-3  # of the deviation of all values, from which rounding them is told
_COMMON = ("icc", "exif", "xmp", "resolution", "description", "imagej", "nodata", "valid", "shown")


@lists(Options, Keywords)
def denoise_file(
    source: Path,
    target: Path,
    method: str | Recipe = DEFAULT_METHOD,
    *,
    overwrite: bool = False,
    progress: Report | None = None,
    second: Path | None = None,
    **options: Unpack[Keywords],
) -> tuple[Result, Notes]:
    """Denoise an image file into another file of the same dtype, range and metadata.

    Every plane of a stack is denoised by itself; the colours of a plane are denoised together,
    separate channels (axis C: fluorescence, filters) one by one. TIFF stacks, ND2, CZI and Zarr
    are read and written plane by plane. Everything that can fail early is checked before the work
    starts; errors are `zspot.io.FileError`, `ImageError` and `OptionError`.

    Parameters
    ----------
    source, target : Path
        Files, or Zarr folders; see `zspot.io` for the formats.
    overwrite : bool
        Replace an existing target; otherwise that is an error.
    progress : True or callable, optional
        True shows a bar; a function is called with a `Progress` over all planes.
    second : Path, optional
        Another noisy file of the same scene, for methods that learn from two.
    share_fit : bool
        Fit the first plane of each channel and start every other plane of it from there, see
        `zspot.engine.shared_fit`.
    strength, keep_detail : float in [0, 1]
        As in `zspot.Result.blend`, for every plane; by default the full result is written.
    method, effort, seed, device, max_memory, nodata, keep_outliers, dtype, sigma, axes, neighbours
        As in `zspot.denoise`. Without `nodata`, what a TIFF says of itself (GDAL_NODATA) is taken;
        transparent pixels are left out too. Without `axes`, the file names them.
    mask : Path, optional
        Image file of the planes' size, 0 where there is no picture.

    Returns
    -------
    result : Result
        Of the last plane, with the `total` time of all; without pixels where an earlier run left
        nothing to do. `image` is the full result whatever was written; `reason` ends with
        `strength` and `keep_detail` where they are not the defaults.
    notes : tuple of str
        What the user should know of the file.
    """
    asked = Options(method, **options).checked()
    source, target = Path(source), Path(target)
    planes = PlaneRunner(asked, str(source), progress)
    stored = any(is_store(path) for path in (source, target, second) if path is not None)
    notes = None
    if stored:
        if asked.dtype == "float32":
            raise OptionError("--dtype float32 works on files, not on Zarr stores: convert to TIFF")
        if second is not None:
            raise OptionError("--second works on files, not on Zarr stores: convert them to TIFF")
        notes = denoise_store(source, target, planes, overwrite)
    elif second is None and asked.dtype != "float32":
        with open_stack(source, target, max_memory=asked.max_memory) as stack:
            if stack is not None and _splits(asked.axes, stack):
                notes = _denoise_stack(stack, target, planes, overwrite)
    if notes is None:
        notes = _denoise_whole(source, target, planes, overwrite, second)
    return planes.last(), notes


def _denoise_stack(stack: Stack, target: Path, planes: PlaneRunner, overwrite: bool) -> Notes:
    """Denoise a file of which one plane at a time is in memory; return notes."""
    axes = planes.options.axes or stack.axes
    check_target(target, overwrite=overwrite)
    leading = stack.shape[: len(stack.shape) - len(stack.plane_axes)]

    def load(index: Index) -> tuple[np.ndarray, np.ndarray | None]:
        number = int(np.ravel_multi_index(index, leading))
        return stack.read(number), stack.valid(number)

    planes.nodata = stack.nodata
    done = (planes.options.blend(one) for _, one in planes.each(axes, stack.shape, load))
    stack.write(target, done, overwrite=overwrite)
    return stack.notes + hints_on(axes, stack.shape)


def _denoise_whole(
    source: Path, target: Path, planes: PlaneRunner, overwrite: bool, second: Path | None
) -> Notes:
    """Denoise a file that is in memory as a whole; return notes."""
    axes, most = planes.options.axes, planes.options.max_memory
    image = read(source, max_memory=most)
    if planes.options.dtype == "float32":
        image = with_fractions(image)
    check_target(target, overwrite=overwrite, source=image)
    own, image = image, image.named(axes)
    check_count(axes, source, image.data.shape, image.axes)
    other = None if second is None else read_second(second, image, max_memory=most)
    out = np.empty_like(image.data)
    for place, result in planes.results(image, axes, other):
        out[place] = planes.options.blend(result)
    write(target, own.replace(out), overwrite=overwrite)
    notes = notes_on(image, target, anew=planes.options.dtype == "float32")
    return notes + hints_on(axes or image.axes, image.data.shape, image.alpha)


def read_second(path: Path, first: ImageFile, **limits: Any) -> np.ndarray:
    """Read the pixels of another image of the same scene; `limits` are those of `read`."""
    other = read(path, **limits)
    own, its = (f"{x.data.dtype} {x.data.shape} ({x.axes})" for x in (other, first))
    if own != its:
        said = f"{path}: holds {own} and {first.path} holds {its}"
        raise FileError(f"{said}: both must show the same scene pixel by pixel, on one scale")
    if np.array_equal(other.data, first.data):
        raise FileError(f"{path} holds the same pixels as {first.path}: give another shot")
    for place in iter_planes(other.data.shape, other.axes):
        known, there = first.valid_at(place), other.valid_at(place)
        if there is not None and not (there if known is None else there | ~known).all():
            raise FileError(f"{path} lacks picture where {first.path} has some: cut both alike")
    return other.data


def with_fractions(image: ImageFile) -> ImageFile:
    """Return the same image with float32 pixels, and what any format keeps of its metadata."""
    kept = {k: image.metadata[k] for k in _COMMON if k in image.metadata}
    data, notes = image.data.astype(np.float32), image.notes
    if not np.can_cast(image.data.dtype, np.float32):
        known = image.data[np.isfinite(image.data)].astype(np.float64)
        lost = np.abs(known.astype(np.float32) - known).max(initial=0)
        said = f"float32 rounds the values by up to {lost:.2g}: look at the result."
        notes += (said,) * bool(lost and lost > _ROUNDED * known.std())
    return ImageFile(data, image.axes, image.alpha, "npy", kept, image.path, notes)


def _splits(axes: str | None, stack: Stack) -> bool:
    """Say whether the planes of `axes` are those that the stack is stored in."""
    check_count(axes, stack.path, stack.shape, stack.axes)
    if axes is None:
        return True
    return axes.endswith(stack.plane_axes) and "S" not in axes.removesuffix(stack.plane_axes)


def check_count(axes: str | None, path: Path, shape: tuple[int, ...], letters: str) -> None:
    """Refuse letters that do not name every axis of a file."""
    if axes is not None and len(axes) != len(shape):
        sizes = f"{len(shape)} axes, of sizes {' x '.join(map(str, shape))}"
        raise OptionError(f"--axes {axes}: {path} has {sizes} ({letters})")


def first_plane(image: ImageFile) -> tuple[np.ndarray, int | None, np.ndarray | None, str]:
    """Return the first plane of a file, its channel axis, where it is picture, and its name."""
    places = list(iter_planes(image.data.shape, image.axes))
    place, colours = places[0], channel_axis(image.axes)
    name = "" if len(places) == 1 else f" (first of {len(places)} planes)"
    return image.data[place], colours, image.valid_at(place), name
