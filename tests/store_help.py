"""Zarr images and the small budget that their tests share; needs zarr."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr

import zspot
from zspot.recipe import Fit, Predict, Recipe, UNet

RECIPE = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(1), predict=Predict(1))


def noise(*shape, dtype="uint16") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, shape).astype(dtype)


def ome(path: Path, version: int, data: np.ndarray, chunks, axes="tzyx", levels=3, **options):
    """Write an OME-Zarr image whose reduced copies take every second pixel of y and x."""
    group = zarr.open_group(path, mode="w", zarr_format=version)
    listed = []
    for level in range(levels):
        part = data[..., :: 2**level, :: 2**level]
        cut = tuple(min(c, s) for c, s in zip(chunks, part.shape, strict=True))
        group.create_array(str(level), data=part, chunks=cut, **options)
        listed.append({"path": str(level)})
    named = [{"name": name} for name in axes]
    scales = {"multiscales": [{"axes": named, "datasets": listed, "name": "cells"}]}
    group.attrs.update({"ome": scales} if version == 3 else scales)
    label = zarr.open_group(path / "labels", mode="w", zarr_format=version)
    label.create_array("nuclei", data=np.ones((4, 4), np.uint8), chunks=(4, 4))


def tree(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def planes_of(data: np.ndarray) -> np.ndarray:
    flat = data.reshape(-1, *data.shape[-2:])
    return np.stack([zspot.denoise(plane, RECIPE) for plane in flat]).reshape(data.shape)
