"""TIFF, BigTIFF, ImageJ hyperstacks and OME-TIFF, read with tifffile.

A file that came from TIFF is written back around its new pixels (`_tiff_layout`); another format
is converted to a plain TIFF file.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile

from zspot.core.errors import FileError
from zspot.io.image_file import ImageFile, check_header, check_pixel_type
from zspot.io.stack import Stack
from zspot.io.tiff.exif import attach_exif, byte_order
from zspot.io.tiff.ifd import check_chain
from zspot.io.tiff.layout import capture, rewrite

# tifffile logs every oddity of a damaged file; without a handler Python prints that to stderr.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_ICC, _XMP = 34675, 700
_GREY = (0, 1)
_RGB, _PALETTE, _MASK, _CMYK, _YCBCR = 2, 3, 4, 5, 6
_ADVICE = {
    _PALETTE: "has palette colours; convert it to RGB",
    _MASK: "is a mask, nothing to denoise; convert it to 8-bit grey",
    _CMYK: "has CMYK colours; convert it to RGB",
    32803: "is undeveloped sensor data; give it its camera suffix such as .dng, or develop it",
}
_UNITS = {2: "inch", 3: "cm"}
# Above this, offsets overflow classic TIFF; the rest is room for tags.
_CLASSIC_LIMIT = 2**32 - 2**25


def read(path: Path, max_pixels: int) -> ImageFile:
    """Read the first image series of a TIFF file.

    Kept: everything but the pixels, byte for byte, among it byte order, BigTIFF, strips or tiles,
    planar configuration, predictor, ImageJ and OME metadata, resolution, ICC profile, EXIF and
    private tags, other series, and the compressions none, LZW, deflate, PackBits, ZSTD and LZMA.
    Other compressions become lossless deflate (noted). Sub-resolutions, thumbnails and other series
    keep their old pixels (noted). Palette (other than ImageJ's display colours), CMYK, CIELAB,
    sensor data, 1 to 7-bit and complex pixels are refused.
    """
    with path.open("rb") as handle:
        check_chain(path, handle, path.stat().st_size)
    with tifffile.TiffFile(path) as tif:
        if not tif.series or not tif.series[0].keyframe:
            raise FileError(f"{path} holds no image; check the file")
        series = tif.series[0]
        check(path, tif, series, tuple(series.shape), max_pixels)
        layout, notes = capture(path, tif, series)
        stored = np.asarray(series.asarray(maxworkers=1))
        axes = axes_of(path, series)
        data, axes, alpha = split(
            stored.astype(stored.dtype.newbyteorder("="), copy=False),
            axes,
            series.keyframe.extrasamples,
        )
        metadata = _metadata(tif, series)
        metadata["tiff"] = {"layout": layout, "stored_axes": axes_of(path, series)}
        notes += other_notes(tif, series)
    return ImageFile(data, axes, alpha, "tiff", metadata, path, tuple(notes))


def check(
    path: Path, tif: tifffile.TiffFile, series: Any, shape: tuple[int, ...], max_pixels: int
) -> None:
    """Refuse what cannot be decoded into `shape` or written back, before decoding it."""
    key = series.keyframe
    photometric, compression = int(key.photometric), int(key.compression)
    if not {256, 257} <= set(_codes(key)) or not key.dataoffsets:
        raise FileError(f"{path} is damaged: its TIFF tags are incomplete; copy it again")
    check_header(path, shape, max_pixels)
    if key.is_tiled:
        # Tiles may be larger than the image, and are decoded whole.
        check_header(path, (key.tilelength, key.tilewidth, key.samplesperpixel), max_pixels)
    if series.dtype is None or series.dtype.kind == "b" or key.bitspersample in range(1, 8):
        raise FileError(f"{path} has {key.bitspersample}-bit pixels; convert it to 8-bit grey")
    check_pixel_type(path, series.dtype)
    display_palette = photometric == _PALETTE and tif.is_imagej
    jpeg = photometric == _YCBCR and compression in (6, 7)
    if photometric not in (*_GREY, _RGB, 34892) and not display_palette and not jpeg:
        reason = _ADVICE.get(photometric, "has a rare colour space; convert it to RGB")
        raise FileError(f"{path} {reason}")


def _codes(key: Any) -> list[int]:
    return [tag.code for tag in key.tags]


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


def _metadata(tif: tifffile.TiffFile, series: Any) -> dict[str, Any]:
    tags = series.keyframe.tags
    found: dict[str, Any] = {
        "icc": tags.valueof(_ICC),
        "xmp": tags.valueof(_XMP),
        "description": tags.valueof(270),
        "imagej": tif.imagej_metadata,
        "ome_xml": tif.ome_metadata,
    }
    x, y = tags.valueof(282), tags.valueof(283)
    if isinstance(x, tuple) and isinstance(y, tuple) and x[1] and y[1]:
        unit = _UNITS.get(int(tags.valueof(296, 2)), "none")
        found["resolution"] = (x[0] / x[1], y[0] / y[1], unit)
    return {key: value for key, value in found.items() if value}


def other_notes(tif: tifffile.TiffFile, series: Any) -> list[str]:
    """Say what else the file holds."""
    notes = []
    if len(series.levels) > 1:
        notes.append("The reduced copies (pyramid levels) in the TIFF file keep their old pixels.")
    if len(tif.series) > 1:
        notes.append(f"{len(tif.series) - 1} more images in the TIFF file keep their old pixels.")
    return notes


def open_stack(path: Path, max_pixels: int) -> Stack | None:
    """Open a TIFF file whose series has more than one page, each a plane."""
    from zspot.io.tiff.stack import TiffStack

    with path.open("rb") as handle:
        check_chain(path, handle, path.stat().st_size)
    tif = tifffile.TiffFile(path)
    try:
        series = tif.series[0] if tif.series else None
        key = series.keyframe if series else None
        if series is None or key is None or len(series.shape) <= len(key.shape):
            tif.close()
            return None
        ends = series.shape[-len(key.shape) :] == key.shape and series.axes.endswith(key.axes)
        if not ends or key.axes not in ("YX", "YXS", "SYX") or "S" in series.axes[: -len(key.axes)]:
            tif.close()
            return None
        return TiffStack(path, tif, max_pixels)
    except BaseException:
        tif.close()
        raise


def refusal(image: ImageFile) -> str | None:
    """Say why TIFF cannot hold the image, or None: it holds all supported ones."""
    return None


def write(handle: BinaryIO, image: ImageFile) -> None:
    """Write the source file around the new pixels, or convert another format.

    A converted file is deflate-compressed and carries ICC profile, XMP, resolution, alpha and EXIF
    (without maker notes, whose internal offsets would break). Pages of a stack carry no axis names.
    """
    own = image.metadata.get("tiff")
    if own is not None:
        layout = own["layout"]
        data = join(image.data, image.axes, image.alpha, own["stored_axes"])
        planes = (data,) if layout.contiguous is not None else data.reshape(-1, *layout.shape)
        rewrite(handle, layout, planes)
        return
    exif = image.metadata.get("exif")
    order = byte_order(exif) if exif else "<"
    data, samples = _samples_last(image)
    big = data.nbytes > _CLASSIC_LIMIT
    with tifffile.TiffWriter(handle, bigtiff=big, byteorder=order, ome=False) as writer:
        writer.write(data, metadata=None, software=False, **_options(image, samples))
    if exif and not big:
        attach_exif(handle, exif)


def _samples_last(image: ImageFile) -> tuple[np.ndarray, int]:
    """Return pixels with interleaved samples, alpha last, and the number of samples."""
    data, axes = image.data, image.axes
    if "S" in axes:
        data, axes = np.moveaxis(data, axes.index("S"), -1), axes.replace("S", "") + "S"
    if image.alpha is not None:
        data = data if "S" in axes else data[..., np.newaxis]
        data = np.concatenate([data, image.alpha[..., np.newaxis]], axis=-1)
    elif "S" in axes and data.shape[-1] == 1:
        data = data[..., 0]
    return np.ascontiguousarray(data), data.shape[-1] if data.ndim > len(
        axes.replace("S", "")
    ) else 1


def join(data: np.ndarray, axes: str, alpha: np.ndarray | None, stored_axes: str) -> np.ndarray:
    """Put alpha back as the last sample."""
    if alpha is None:
        return data
    position = stored_axes.index("S") if "S" in stored_axes else data.ndim
    data = data if "S" in axes else np.expand_dims(data, position)
    return np.concatenate([data, np.expand_dims(alpha, position)], axis=position)


def _options(image: ImageFile, samples: int) -> dict[str, Any]:
    found = image.metadata
    alpha = image.alpha is not None
    colours = 3 if samples - alpha >= 3 else 1
    options: dict[str, Any] = {
        "photometric": "rgb" if colours == 3 else "minisblack",
        "planarconfig": "contig" if samples > 1 else None,
        "compression": "zlib",
        "predictor": 2 if image.data.dtype.kind in "iu" else None,
    }
    extra = ["unspecified"] * (samples - colours - alpha) + ["unassalpha"] * alpha
    if extra:
        options["extrasamples"] = extra
    if "resolution" in found:
        x, y, unit = found["resolution"]
        code = {"inch": 2, "cm": 3}.get(unit, 1)
        options |= {"resolution": (x, y), "resolutionunit": code}
    blocks = [(_XMP, 1, found.get("xmp")), (_ICC, 7, found.get("icc"))]
    options["extratags"] = [(code, kind, len(b), b, True) for code, kind, b in blocks if b]
    return options
