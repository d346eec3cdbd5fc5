"""The two public verbs: `denoise` returns the image, `run` all that is known about it."""

from collections.abc import Iterator
from numbers import Real
from typing import TypeVar, Unpack

import numpy as np
import torch

from zspot.api.requests import DEFAULT_METHOD, Keywords, Request, RunKeywords, check_device, lists
from zspot.api.result import Result, check_share
from zspot.api.stacks import Index, Mask, Neighbours, together
from zspot.core.arrays import denoise_foreign, is_foreign, is_lazy, letters_of
from zspot.core.axes import Place, check_letters, index_of, iter_planes, place_of
from zspot.core.errors import ImageError, OptionError
from zspot.core.memory import limit_of
from zspot.core.parallel import as_usual
from zspot.core.plane import Plane, as_array
from zspot.core.progress import Progress, within
from zspot.engine import Denoised
from zspot.engine.budget import denoise_within
from zspot.engine.denoiser import check_sane
from zspot.engine.shared_fit import begin
from zspot.recipe import Recipe

Array = TypeVar("Array")
MIN_PIXELS = 64  # fewer hold too little to learn from; the image is returned as it is


@lists(Request, Keywords)
def denoise(
    image: Array,
    method: str | Recipe = DEFAULT_METHOD,
    *,
    strength: float = 1.0,
    keep_detail: float = 0.0,
    **options: Unpack[Keywords],
) -> Array:
    """Denoise one noisy image, with no clean image and no training by you.

    Parameters
    ----------
    image : ndarray, (H, W) or 3-D with `channel_axis`
        Integers, or floating point of any range; never modified. Also a torch tensor, a dask array
        or an xarray DataArray; the last two may have more axes in front, whose planes are denoised
        one by one. A stack of any axes with `axes`.
    method : str or Recipe
        A name from `methods()`, or a recipe to run as it stands.
    strength, keep_detail : float in [0, 1]
        How much of the result: 0 is the input; and the share of detail to put back, as in
        `zspot.Result.blend`.
    effort : {"fast", "balanced", "best"}
        Time against quality; not used with a recipe.
    channel_axis : int or None
        The axis of 1 to 4 channels; None for a grey image.
    seed : int
        The same seed gives the same result on a CPU.
    device : str
        "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", "mps".
    progress : True or callable, optional
        True shows a bar. A function is called with a `Progress` after each step; an exception it
        raises stops the run.
    second : ndarray, optional
        Another noisy image of the same scene, shape and intensity scale with independent noise,
        for the methods that learn from two (`n2n`).
    max_memory : int or str, optional
        Bytes that the process may take, or as "2GB"; by default half of what is free is added to
        what it holds. Crops and tiles become smaller to keep to it, and `Result.reason` says so.
    nodata : float, optional
        Pixels of this value carry no picture. They are left out of everything and come back bit
        for bit; so do NaN and infinite pixels, and areas that hold one value exactly (bars,
        padding, labels), which are found.
    mask : bool ndarray (H, W), optional
        Pixels that are False carry no picture.
    keep_outliers : bool
        Keep isolated outliers (hot and dead pixels, salt and pepper), which are repaired else.
    dtype : {"float32", "same"}, optional
        "float32" returns fractions of the counts that an integer type would round; "same" rounds
        them even where that loses most of the result, which is refused else.
    sigma : float, optional
        Standard deviation of the noise in the intensities of `image`, if you know it and the noise
        is white; by default the noise is measured. For `auto`, `auto-scratch` and `bm3d`.
    axes : str, optional
        Names each axis of a stack, in place of `channel_axis`: T, Z, Q (time, depth, another
        stack), C (channels to denoise one by one), Y, X, S (colours), such as "TCYX". Of a
        DataArray whose dims begin with these letters they are known.
    neighbours : int or "auto"
        Planes to each side, along T, else Z, else Q, that help to denoise a plane where they show
        the same; "auto" is 2. What moves is followed, and scene cuts are no harm. It takes about
        twice as long.

    Returns
    -------
    ndarray, or the kind of array that was passed
        Shape, dtype and intensity scale of `image`; see `zspot.core.arrays.denoise_foreign` for
        what the other kinds keep. Dask arrays come back lazy.

    Raises
    ------
    ImageError
        If the array cannot be denoised.
    OptionError
        If a method, effort or device does not exist, `max_memory` does not suffice, or `progress`
        is passed with a lazy array.
    """

    def denoised(values: np.ndarray, letters: str | None) -> np.ndarray:
        given = options if letters is None else {**options, "axes": letters, "channel_axis": None}
        return run(values, method, **given).blend(strength, keep_detail)  # type: ignore[arg-type]

    check_share("strength", strength)
    check_share("keep_detail", keep_detail)
    if not is_foreign(image):
        return denoised(image, None)  # type: ignore[return-value]
    if options.get("second") is not None:
        raise OptionError("second goes with numpy arrays: convert both images with numpy.asarray")
    told = getattr(image, "attrs", {}).get("_FillValue")  # of a DataArray
    if isinstance(told, Real) and options.get("nodata") is None:
        options["nodata"] = float(told)
    letters = letters_of(image, options.get("axes"), options.get("channel_axis"))
    # what is wrong is told now, not when the values of a lazy array are computed
    asked = Request(method, **{**options, "axes": letters})
    if is_lazy(image) and asked.progress is not None:
        raise OptionError("progress of a lazy array is told by dask.diagnostics.ProgressBar")
    return denoise_foreign(image, letters, denoised, asked.count, asked.dtype)


@lists(Request, RunKeywords)
def run(
    image: np.ndarray, method: str | Recipe = DEFAULT_METHOD, **options: Unpack[RunKeywords]
) -> Result:
    """Denoise one image and return all that is known about the result.

    Takes the arguments of `denoise` and raises the same errors.

    Parameters
    ----------
    after : Result, optional
        Of another plane of the same stack, method and effort, to start from: its recipe is taken
        and its network learns on for a share of the steps. `reason` says what was shared. Planes
        in which other channels are constant are fitted afresh, and so is the first plane after
        constant ones.

    Raises
    ------
    OptionError
        Also if the method cannot share a fit, or `after` is of another method, effort or shape.
    """
    request = Request(method, **options)
    if request.axes is not None:
        return _run_stack(as_array(image), request)
    ready = request.prepared(as_array(image))
    plane = Plane.of(ready.image)
    if unchanged := _nothing_to_do(plane):
        return Result.unchanged(ready, request, unchanged)
    second = None if request.second is None else as_array(request.second)
    other = None if second is None else plane.like(ready.like(second))
    start = None if request.after is None else begin(request.after.fitted, plane)

    def attempt(device: torch.device, memory: int) -> Denoised:
        given = None if other is None else torch.from_numpy(other).to(device)
        denoiser = request.denoiser(given, start, plane.scale)
        y = torch.from_numpy(plane.varying_values).to(device)
        done = denoiser(y, seed=int(request.seed), report=request.progress, memory=memory)
        check_sane(done.mean.to(device), y, request.chosen.name)
        return done

    if request.progress is not None and (seconds := request.seconds_for(plane)):
        request.progress(Progress("look", 0.0, 1.0, seconds))
    where, most = check_device(request.device), limit_of(request.max_memory)
    with as_usual(where):
        denoised = denoise_within(attempt, where, most)
    return Result.of(ready, plane, denoised, request, start)


def _run_stack(image: np.ndarray, request: Request) -> Result:
    """Do what `run` does on each plane of an array with named axes; return one result for all."""
    axes, second, mask = request.axes or "", request.second, request.mask
    check_letters(axes, image.shape)
    if request.channel_axis is not None or request.after is not None:
        advice = "leave out channel_axis, after"
        raise OptionError(f"axes name the colours (S), and every plane: {advice}")
    if second is not None and np.shape(second) != image.shape:
        raise ImageError(f"second has shape {np.shape(second)} and the image {image.shape}")

    def load(index: Index) -> tuple[np.ndarray, Mask]:
        return image[place_of(index, axes)], mask

    def results() -> Iterator[tuple[Place, Result]]:
        places = list(iter_planes(image.shape, axes))
        for number, place in enumerate(places):
            other = None if second is None else as_array(second)[place]
            told = within(request.progress, number, len(places))
            yield place, near.run(index_of(place), image[place], mask, told, second=other)

    near = Neighbours(run, request, axes, image.shape, load)
    return together(image, axes, results())


def _nothing_to_do(plane: Plane) -> str:
    """Say why an image is returned as it is; empty if it should be denoised."""
    height, width = plane.values.shape[1:]
    if not plane.varying.any():
        return "nothing varies in the picture: returned unchanged"
    if height * width < MIN_PIXELS:
        few = f"too few to learn from (fewer than {MIN_PIXELS})"
        return f"{height} x {width} pixels are {few}: returned unchanged"
    return ""
