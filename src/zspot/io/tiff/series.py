"""What an image series of a TIFF file is: can it be denoised, its axes, its alpha."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from zspot.core.errors import FileError
from zspot.io.checks import check_header, check_pixel_type

# tifffile logs every oddity of a damaged file; without a handler Python prints that to stderr.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

ICC, XMP = 34675, 700
UNITS = {1: "none", 2: "inch", 3: "cm"}
_WIDTH, _HEIGHT = 256, 257
_GREY, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR, _CFA, _LINEAR_RAW = (0, 1), 2, 3, 4, 5, 6, 32803, 34892
_JPEG = (6, 7)
_ADVICE = {
    _PALETTE: "has palette colours; convert it to RGB",
    _MASK: "is a mask, nothing to denoise; convert it to 8-bit grey",
    _CMYK: "has CMYK colours; convert it to RGB",
    _CFA: "is undeveloped sensor data; give it its camera suffix such as .dng, or develop it",
}


def check(
    path: Path, tif: tifffile.TiffFile, series: Any, shape: tuple[int, ...], max_pixels: int
) -> None:
    """Refuse what cannot be decoded into `shape` or written back, before decoding it."""
    key = series.keyframe
    photometric, compression = int(key.photometric), int(key.compression)
    inner = (sub for sub in key.pages or () if int(sub.photometric) in (_CFA, _LINEAR_RAW))
    if any(inner):  # the image found first is only its preview
        raise FileError(f"{path} {_ADVICE[_CFA]}")
    if not {_WIDTH, _HEIGHT} <= {tag.code for tag in key.tags} or not key.dataoffsets:
        raise FileError(f"{path} is damaged: its TIFF tags are incomplete; copy it again")
    check_header(path, shape, max_pixels)
    if key.is_tiled:
        # Tiles may be larger than the image, and are decoded whole.
        check_header(path, (key.tilelength, key.tilewidth, key.samplesperpixel), max_pixels)
    if series.dtype is None or series.dtype.kind == "b" or key.bitspersample in range(1, 8):
        raise FileError(f"{path} has {key.bitspersample}-bit pixels; convert it to 8-bit grey")
    check_pixel_type(path, series.dtype)
    display_palette = photometric == _PALETTE and tif.is_imagej
    jpeg = photometric == _YCBCR and compression in _JPEG
    if photometric not in (*_GREY, _RGB, _LINEAR_RAW) and not display_palette and not jpeg:
        reason = _ADVICE.get(photometric, "has a rare colour space; convert it to RGB")
        raise FileError(f"{path} {reason}")


def axes_of(path: Path, series: Any) -> str:
    """Return the letters of a series' axes, Q for those that mean nothing here."""
    axes = "".join(a if a in "TZCYXS" else "Q" for a in series.axes)
    if any(axes.count(a) != 1 for a in "YX") or ("S" in axes and "C" in axes):
        # S next to C, as OME has for RGB with several channels: C is then a plain stack.
        axes = axes.replace("C", "Q")
    if any(axes.count(a) != 1 for a in "YX"):
        raise FileError(f"{path} has axes {series.axes} without rows and columns; convert it")
    return axes


def split(
    stored: np.ndarray, axes: str, extrasamples: tuple[int, ...]
) -> tuple[np.ndarray, str, np.ndarray | None]:
    """Separate the alpha sample, if the last sample is declared as one."""
    if "S" not in axes or not extrasamples or int(extrasamples[-1]) not in (1, 2):
        return stored, axes, None
    position = axes.index("S")
    alpha = np.ascontiguousarray(np.take(stored, -1, axis=position))
    data = np.delete(stored, -1, axis=position)
    if data.shape[position] == 1:
        data, axes = np.take(data, 0, axis=position), axes.replace("S", "")
    return np.ascontiguousarray(data), axes, alpha


def join(data: np.ndarray, axes: str, alpha: np.ndarray | None, stored_axes: str) -> np.ndarray:
    """Put alpha back as the last sample."""
    if alpha is None:
        return data
    position = stored_axes.index("S") if "S" in stored_axes else data.ndim
    data = data if "S" in axes else np.expand_dims(data, position)
    return np.concatenate([data, np.expand_dims(alpha, position)], axis=position)


def nodata_of(page: Any) -> float | None:
    """Return what marks pixels without picture: a tag of GDAL, decimals as text."""
    try:
        return float(str(page.tags.valueof(42113)).strip("\0 "))
    except ValueError:
        return None


def other_notes(tif: tifffile.TiffFile, series: Any) -> list[str]:
    """Say what else the file holds."""
    notes = []
    if len(series.levels) > 1:
        notes.append("The reduced copies (pyramid levels) in the TIFF file keep their old pixels.")
    if len(tif.series) > 1:
        notes.append(f"{len(tif.series) - 1} more images in the TIFF file keep their old pixels.")
    return notes
