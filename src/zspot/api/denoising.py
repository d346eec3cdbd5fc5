"""The two public verbs: `denoise` returns the image, `run` all that is known about it."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from zspot._version import __version__
from zspot.algorithms import EFFORTS, METHODS
from zspot.api.result import Result
from zspot.core.arrays import denoise_foreign, is_foreign, is_lazy
from zspot.core.errors import ImageError, OptionError
from zspot.core.memory import limit_of
from zspot.core.plane import Plane, to_plane
from zspot.core.progress import Progress
from zspot.engine import Denoised, Denoiser, RecipeDenoiser
from zspot.engine import shared_fit as sharing
from zspot.engine.budget import denoise_within
from zspot.recipe import Recipe

Array = TypeVar("Array")
DEFAULT_METHOD = "auto"
MIN_PIXELS = 64
"""Fewer pixels than this hold too little to learn from; the image is returned as it is."""


def denoise(
    image: Array,
    method: str | Recipe = DEFAULT_METHOD,
    *,
    effort: str = "balanced",
    channel_axis: int | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
    second: Array | None = None,
    max_memory: int | str | None = None,
) -> Array:
    """Denoise one image using nothing but itself.

    Parameters
    ----------
    image : ndarray, (H, W) or 3-D with `channel_axis`
        Integers, or floating point of any range; never modified. Also a torch tensor, a dask array
        or an xarray DataArray; the last two may have more axes in front, whose planes are denoised
        one by one.
    method : str or Recipe
        A name from `methods()`, or a recipe to run as it stands.
    effort : {"fast", "balanced", "best"}
        Time against quality; not used with a recipe.
    channel_axis : int or None
        The axis of 1 to 4 channels; None for a grey image.
    seed : int
        The same seed gives the same result on a CPU.
    device : str
        "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", "mps".
    progress : callable, optional
        Called with a `Progress` after each step; an exception it raises stops the run.
    second : ndarray, optional
        Another noisy image of the same scene, shape and intensity scale with independent noise,
        for the methods that learn from two (`n2n`).
    max_memory : int or str, optional
        Bytes that the process may take, or as "2GB"; by default half of what is free is added to
        what it holds. Crops and tiles become smaller to keep to it, and `Result.reason` says so.

    Returns
    -------
    ndarray, or the kind of array that was passed
        Shape, dtype and intensity scale of `image`; see `zspot.core.arrays.denoise_foreign` for
        what
        the other kinds keep. Dask arrays come back lazy.

    Raises
    ------
    ImageError
        If the array cannot be denoised.
    OptionError
        If a method, effort or device does not exist, `max_memory` does not suffice, or `progress`
        is passed with a lazy array.
    """

    def plane(values: np.ndarray, axis: int | None) -> np.ndarray:
        return run(
            values,
            method,
            effort=effort,
            channel_axis=axis,
            seed=seed,
            device=device,
            progress=progress,
            second=second,  # type: ignore[arg-type]
            max_memory=max_memory,
        ).image

    if not is_foreign(image):
        return plane(image, channel_axis)  # type: ignore[return-value]
    if second is not None:
        raise OptionError("second goes with numpy arrays: convert both images with numpy.asarray")
    if is_lazy(image):
        choose(method, effort)  # a wrong name is told now, not when the values are computed
        if progress is not None:
            raise OptionError("progress of a lazy array is told by dask.diagnostics.ProgressBar")
    return denoise_foreign(image, channel_axis, plane)


def run(
    image: np.ndarray,
    method: str | Recipe = DEFAULT_METHOD,
    *,
    effort: str = "balanced",
    channel_axis: int | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
    second: np.ndarray | None = None,
    after: Result | None = None,
    max_memory: int | str | None = None,
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

    Returns
    -------
    Result

    Raises
    ------
    OptionError
        Also if the method cannot share a fit, or `after` is of another method, effort or shape.
    """
    started = time.perf_counter()
    name, made, reason = choose(method, effort)
    _check_second(method, second)
    target = _device(device)
    image = np.asarray(image)
    plane = to_plane(image, channel_axis)
    asked = sharing.asked_for(method, effort)
    fitted = None if after is None else after.fitted
    if after is not None:
        sharing.check_neighbour(fitted, asked, image.shape, plane.channel_axis)
    unchanged = _nothing_to_do(plane)
    if unchanged:
        done, reason = Denoised(torch.from_numpy(plane.values)), unchanged
        out, deviation = image.copy(), None
    else:
        start = None if after is None else sharing.begin(fitted, plane)
        if start is not None:
            reason = f"{reason}; {start.reason}"

        def attempt(where: torch.device, memory: int) -> Denoised:
            other = None if second is None else _like(plane, image, np.asarray(second)).to(where)
            denoiser = RecipeDenoiser(made, other) if isinstance(made, Recipe) else made
            if start is not None and start.recipe is not None:
                denoiser = RecipeDenoiser(start.recipe, other, start.weights)
            y = _varying(plane).to(where)
            return denoiser(y, seed=_seed(seed), report=progress, memory=memory)

        done = denoise_within(attempt, target, limit_of(max_memory))
        out, deviation = _back(plane, image, done)
        fitted = sharing.fitted_to(plane, image.shape, done, start, asked)
    return Result(
        image=out,
        uncertainty=deviation,
        method=name,
        recipe=done.recipe,
        reason="; ".join(filter(None, (done.reason, reason))),
        losses=done.losses,
        timings={**done.timings, "total": time.perf_counter() - started},
        seed=seed,
        device=str(target),
        versions=versions(),
        source=image,
        channel_axis=channel_axis,
        fitted=fitted,
    )


def choose(method: str | Recipe, effort: str) -> tuple[str, Recipe | Denoiser, str]:
    """Return the method's name, the recipe or denoiser to run and the reason in words.

    Raises
    ------
    OptionError
        If the method or effort does not exist.
    """
    if isinstance(method, Recipe):
        return method.method, method, "the recipe was given"
    if method not in METHODS:
        raise OptionError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")
    if effort not in EFFORTS:
        raise OptionError(f"unknown effort {effort!r}: choose one of {', '.join(EFFORTS)}")
    made = METHODS[method].make(effort)
    return method, made, f"method {method} was asked for, effort {effort}"


def _check_second(method: str | Recipe, second: np.ndarray | None) -> None:
    if isinstance(method, Recipe):
        return  # the engine checks what its target needs
    if METHODS[method].needs_second and second is None:
        raise OptionError(
            f"method {method} learns from two noisy images of one scene: pass the other one as "
            "second (--second FILE), or choose another method"
        )
    if second is not None and not METHODS[method].needs_second:
        able = ", ".join(name for name, known in METHODS.items() if known.needs_second)
        raise OptionError(f"method {method} uses one image: leave out second, or choose {able}")


def _like(plane: Plane, image: np.ndarray, second: np.ndarray) -> Tensor:
    """Bring a second image into the units of the first one's plane, varying channels only."""
    if second.shape != image.shape:
        raise ImageError(
            f"the second image has shape {second.shape} and the first {image.shape}: they must "
            "show the same scene pixel by pixel"
        )
    own = to_plane(second, plane.channel_axis)  # also checks it
    values = own.values.astype(np.float64) * own.scale + own.offset[:, None, None]
    values = (values - plane.offset[:, None, None]) / plane.scale
    return torch.from_numpy(values[plane.varying].astype(np.float32))


def versions() -> dict[str, str]:
    """Return the versions that decide a result: zspot, torch, numpy and Python."""
    return {
        "zspot": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise OptionError(f"seed={seed!r}: must be an integer from 0 up")
    return int(seed)


def check_device(name: str, *, here: bool = True) -> None:
    """Raise OptionError if a device has no meaning or, where it is to be `here`, is not there."""
    if here:
        _device(name)
    elif name != "auto":
        _named(name)


def _named(name: str) -> torch.device:
    try:
        return torch.device(name)
    except RuntimeError:
        raise OptionError(f"unknown device {name!r}: choose auto, cpu, cuda or mps") from None


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = _named(name)
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(device.type, False):
        raise OptionError(f"device {name!r} is not there: choose auto or cpu")
    return device


def _nothing_to_do(plane: Plane) -> str:
    """Say why an image is returned as it is; empty if it should be denoised."""
    height, width = plane.values.shape[1:]
    if not plane.varying.any():
        return "the image is constant: returned unchanged"
    if height * width < MIN_PIXELS:
        return (
            f"{height} x {width} pixels are too few to learn from (fewer than {MIN_PIXELS}): "
            "returned unchanged"
        )
    return ""


def _varying(plane: Plane) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(plane.values[plane.varying]))


def _back(plane: Plane, image: np.ndarray, done: Denoised) -> tuple[np.ndarray, np.ndarray | None]:
    """Put denoised channels back between the constant ones and return to the user's units."""
    values = plane.values.copy()
    values[plane.varying] = done.mean.cpu().numpy()
    out = plane.to_image(values)
    if not plane.varying.all():  # rounding must not touch a constant channel
        axis = 0 if plane.channel_axis is None else plane.channel_axis
        keep = [slice(None)] * image.ndim
        keep[axis] = ~plane.varying  # type: ignore[call-overload]
        out[tuple(keep)] = image[tuple(keep)]
    if done.deviation is None:
        return out, None
    spread = np.zeros_like(plane.values)
    spread[plane.varying] = done.deviation.cpu().numpy()
    return out, plane.to_deviation(spread)
