"""`denoise` for arrays of libraries that the caller has imported: torch, dask and xarray."""

import math
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zspot.core.axes import PLANE, check_letters, letters_by_place, stack_axis
from zspot.core.errors import ImageError

Denoise = Callable[..., np.ndarray]  # of an array, and the `letters` of its axes if they are told
_TOGETHER = 16  # planes of a chunk at least, where those beside them help


def is_foreign(image: Any) -> bool:
    """Whether an image is one of the arrays that `denoise_foreign` takes."""
    return isinstance(image, Tensor) or _is_dask(image) or _is_xarray(image)


def is_lazy(image: Any) -> bool:
    """Whether an image is denoised only when its values are asked for."""
    return _is_dask(image.data if _is_xarray(image) else image)


def letters_of(image: Any, axes: str | None, channel_axis: int | None) -> str | None:
    """Name the axes of an array: as told, by a DataArray's dims (colours: S alone), or by place."""
    if axes is not None:
        check_letters(axes, image.shape)
    if axes is not None or isinstance(image, Tensor):
        return axes
    dims = [str(dim).upper() for dim in image.dims] if _is_xarray(image) else []
    named = "".join("Q" if dim[:1] == "S" != dim else dim[:1] for dim in dims)
    known = {"Y", "X"} <= {*named} <= {*"TZQCYXS"} and len({*named}) == len(named)
    if known and channel_axis is None:
        return named
    letters = letters_by_place(image.shape, channel_axis)
    turned = any(a in named and named.index(a) != letters.index(a) for a in PLANE)
    if turned or {*"TZ"} & {a for a, b in zip(named, letters, strict=False) if b in PLANE}:
        raise ImageError(f'dims {", ".join(map(str, image.dims))}: name the axes, as in axes="YXS"')
    return letters


def denoise_foreign(
    image: Any, letters: str | None, denoise: Denoise, neighbours: int = 0, dtype: str | None = None
) -> Any:
    """Denoise a tensor, a dask array or an xarray DataArray into one of its kind, shape and dtype.

    Tensors stay on their device without gradient, dask is lazy by planes, DataArrays keep the rest.
    """
    if isinstance(image, Tensor):
        return _tensor(image, letters, denoise)
    if _is_xarray(image):
        return image.copy(data=denoise_foreign(image.data, letters, denoise, neighbours, dtype))
    if _is_dask(image):
        kind = image.dtype if dtype in (None, "same") else np.dtype(dtype)
        return _dask(image, letters, denoise, neighbours, kind)
    return denoise(np.asarray(image), letters)


def _is_dask(image: Any) -> bool:
    return "dask.array" in sys.modules and isinstance(image, sys.modules["dask.array"].Array)


def _is_xarray(image: Any) -> bool:
    return "xarray" in sys.modules and isinstance(image, sys.modules["xarray"].DataArray)


def _tensor(image: Tensor, letters: str | None, denoise: Denoise) -> Tensor:
    values = image.detach().cpu().resolve_neg()
    if values.dtype == torch.bfloat16:  # which NumPy does not know; float32 holds it exactly
        values = values.float()
    out = torch.from_numpy(denoise(values.numpy(), letters)).to(image.device)
    return out.to(image.dtype) if out.dtype == values.dtype else out


def _dask(image: Any, letters: str | None, denoise: Denoise, neighbours: int, dtype: Any) -> Any:
    assert letters is not None
    if any(math.isnan(size) for size in image.shape):
        raise ImageError("image has chunks of unknown size: call compute_chunk_sizes() first")
    chunks = {axis: -1 if letter in PLANE else 1 for axis, letter in enumerate(letters)}
    depth = {}  # how many planes beside a chunk it is given
    if neighbours and (along := stack_axis(letters, image.shape)) is not None:
        chunks[along], depth[along] = max(_TOGETHER, neighbours), neighbours
    nothing = np.empty((0,) * image.ndim, dtype=dtype)  # keeps dask from trying it out
    how = {"depth": depth, "boundary": "none", "dtype": dtype, "meta": nothing}
    return image.rechunk(chunks).map_overlap(partial(denoise, letters=letters), **how)
