"""Reading a TIFF file whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from zspot.core.errors import FileError
from zspot.io.image_file import ImageFile
from zspot.io.tiff.ifd import check_chain
from zspot.io.tiff.layout import capture
from zspot.io.tiff.series import ICC, UNITS, XMP, axes_of, check, other_notes, split


def read(path: Path, max_pixels: int) -> ImageFile:
    """Read the first image series of a TIFF file.

    Kept: everything but the pixels, byte for byte, among it byte order, BigTIFF, strips or tiles,
    planar configuration, predictor, ImageJ and OME metadata, resolution, ICC profile, EXIF and
    private tags, other series, and the compressions none, LZW, deflate, PackBits, ZSTD and LZMA.
    Other compressions become lossless deflate (noted). Sub-resolutions, thumbnails and other series
    keep their old pixels (noted). Palette (other than ImageJ's display colours), CMYK, CIELAB,
    sensor data, 1 to 7-bit and complex pixels are refused.
    """
    check_chain(path)
    with tifffile.TiffFile(path) as tif:
        if not tif.series or not tif.series[0].keyframe:
            raise FileError(f"{path} holds no image; check the file")
        series = tif.series[0]
        check(path, tif, series, tuple(series.shape), max_pixels)
        layout, notes = capture(path, tif, series)
        stored = np.asarray(series.asarray(maxworkers=1))
        stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
        stored_axes = axes_of(path, series)
        data, axes, alpha = split(stored, stored_axes, series.keyframe.extrasamples)
        metadata = _metadata(tif, series)
        metadata["tiff"] = {"layout": layout, "stored_axes": stored_axes}
        notes += other_notes(tif, series)
    return ImageFile(data, axes, alpha, "tiff", metadata, path, tuple(notes))


def _metadata(tif: tifffile.TiffFile, series: Any) -> dict[str, Any]:
    tags = series.keyframe.tags
    found: dict[str, Any] = {
        "icc": tags.valueof(ICC),
        "xmp": tags.valueof(XMP),
        "description": tags.valueof(270),
        "imagej": tif.imagej_metadata,
        "ome_xml": tif.ome_metadata,
    }
    x, y = tags.valueof(282), tags.valueof(283)
    if isinstance(x, tuple) and isinstance(y, tuple) and x[1] and y[1]:
        unit = UNITS.get(int(tags.valueof(296, 2)), "none")
        found["resolution"] = (x[0] / x[1], y[0] / y[1], unit)
    return {key: value for key, value in found.items() if value}
