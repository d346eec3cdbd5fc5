"""Camera RAW files of simulated shots: a Bayer mosaic and the tags that LibRaw asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

# From XYZ to the linear primaries of sRGB, times 10000.
_SRGB = (32406, -15372, -4986, -9689, 18758, 415, 557, -2040, 10570)


def write_dng(path: Path, mosaic: np.ndarray) -> None:
    """Write (H, W) uint16, red at the upper left, as DNG; its colours are those of sRGB."""
    unit = [10000, 10000]
    matrix = [number for value in _SRGB for number in (value, 10000)]
    tifffile.imwrite(
        path, mosaic, photometric="cfa", metadata=None, software=False,
        extratags=[
            (33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes((0, 1, 1, 2)), True),
            (50706, 1, 4, bytes((1, 4, 0, 0)), True), (50707, 1, 4, bytes((1, 1, 0, 0)), True),
            (50708, 2, 0, "zspot test", True), (271, 2, 0, "zspot", True),
            (272, 2, 0, "test", True), (274, 3, 1, 1, True), (50717, 4, 1, 65535, True),
            (50721, 10, 9, matrix, True), (50728, 5, 3, unit * 3, True), (50778, 3, 1, 21, True),
        ],
    )  # fmt: skip


def expose(picture: np.ndarray, rng: np.random.Generator, gain: float, read: float) -> np.ndarray:
    """Return the mosaic, uint16 (H, W), that a sensor sees of linear light (H, W, 3) in [0, 1].

    A photon counts `gain` of the whole range; `read` is the deviation of the noise of reading.
    Both 0: without noise.
    """
    red, green, blue = np.moveaxis(picture, 2, 0)
    light = green.copy()
    light[::2, ::2], light[1::2, 1::2] = red[::2, ::2], blue[1::2, 1::2]
    if gain > 0:
        light = rng.poisson(light / gain) * gain + rng.normal(0, read, light.shape)
    return np.rint(65535 * light.clip(0, 1)).astype(np.uint16)
