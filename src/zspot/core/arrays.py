"""`denoise` for arrays of libraries that the caller has imported: torch, dask and xarray."""

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zspot.core.axes import PLANE, iter_planes, letters_of
from zspot.core.errors import ImageError

PlaneDenoiser = Callable[[np.ndarray, int | None], np.ndarray]  # of a plane and its channel axis


def is_foreign(image: Any) -> bool:
    """Whether an image is one of the arrays that `denoise_foreign` takes."""
    return isinstance(image, Tensor) or _is_dask(image) or _is_xarray(image)


def is_lazy(image: Any) -> bool:
    """Whether an image is denoised only when its values are asked for."""
    return _is_dask(image.data if _is_xarray(image) else image)


def denoise_foreign(image: Any, channel_axis: int | None, denoise: PlaneDenoiser) -> Any:
    """Denoise a tensor, a dask array or an xarray DataArray into one of its kind, shape and dtype.

    A tensor stays on its device, without gradient; a dask array is lazy, in one chunk for each
    plane; a DataArray keeps dims, coords, attrs and name. The last two may have more axes in front.
    """
    if isinstance(image, Tensor):
        return _tensor(image, channel_axis, denoise)
    inner = image.data if _is_xarray(image) else image
    work = _dask if _is_dask(inner) else _planes
    out = work(inner, channel_axis, denoise)
    return image.copy(data=out) if _is_xarray(image) else out


def _is_dask(image: Any) -> bool:
    return "dask.array" in sys.modules and isinstance(image, sys.modules["dask.array"].Array)


def _is_xarray(image: Any) -> bool:
    return "xarray" in sys.modules and isinstance(image, sys.modules["xarray"].DataArray)


def _tensor(image: Tensor, channel_axis: int | None, denoise: PlaneDenoiser) -> Tensor:
    values = image.detach().cpu()
    if values.dtype == torch.bfloat16:  # which NumPy does not know; float32 holds it exactly
        values = values.float()
    out = torch.from_numpy(denoise(values.numpy(), channel_axis))
    return out.to(device=image.device, dtype=image.dtype)


def _dask(image: Any, channel_axis: int | None, denoise: PlaneDenoiser) -> Any:
    letters = letters_of(image.shape, channel_axis)
    if any(math.isnan(size) for size in image.shape):
        raise ImageError("image has chunks of unknown size: call compute_chunk_sizes() first")
    chunks = {axis: -1 if letter in PLANE else 1 for axis, letter in enumerate(letters)}
    nothing = np.empty((0,) * image.ndim, dtype=image.dtype)  # keeps dask from trying it out
    cut = image.rechunk(chunks)
    return cut.map_blocks(_planes, channel_axis, denoise, dtype=image.dtype, meta=nothing)


def _planes(image: Any, channel_axis: int | None, denoise: PlaneDenoiser) -> np.ndarray:
    image = np.asarray(image)
    out = np.empty_like(image)
    for place, inner in iter_planes(image.shape, letters_of(image.shape, channel_axis)):
        out[place] = denoise(image[place], inner)
    return out
