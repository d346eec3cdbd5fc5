"""TIFF files read and written whole: around the source's own bytes, or from another format."""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile

from zspot.core.errors import FileError
from zspot.io.image_file import ImageFile, samples_last
from zspot.io.tiff.ifd import attach_exif, byte_order, check_chain
from zspot.io.tiff.layout import capture
from zspot.io.tiff.rewrite import rewrite
from zspot.io.tiff.series import (
    ICC,
    UNITS,
    XMP,
    axes_of,
    check,
    join,
    nodata_of,
    other_notes,
    split,
)

# Above this, offsets overflow classic TIFF; the rest is room for tags.
_NDPI = "Only the largest image of the NDPI file is denoised and written."
_CLASSIC_LIMIT = 2**32 - 2**25


def read(path: Path, max_pixels: int) -> ImageFile:
    """Read the first image series of a TIFF file.

    Kept: everything but the pixels, byte for byte, among it byte order, BigTIFF, strips or tiles,
    planar configuration, predictor, ImageJ and OME metadata, resolution, ICC profile, EXIF and
    private tags, other series, and the compressions none, LZW, deflate, PackBits, ZSTD and LZMA.
    Other compressions become lossless deflate (noted). Sub-resolutions, thumbnails and other series
    keep their old pixels (noted): so do those of SVS and LSM files. Of NDPI the largest image is
    written as a plain TIFF (noted). Palette (other than ImageJ's display colours), CMYK, CIELAB,
    sensor data, 1 to 7-bit and complex pixels are refused.
    """
    check_chain(path)
    with tifffile.TiffFile(path) as tif:
        if not tif.series or not tif.series[0].keyframe:
            raise FileError(f"{path} holds no image; check the file")
        series = tif.series[0]
        check(path, tif, series, tuple(series.shape), max_pixels)
        layout, notes = (None, [_NDPI]) if tif.is_ndpi else capture(path, tif, series)
        stored = np.asarray(series.asarray(maxworkers=1))
        stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
        stored_axes = axes_of(path, series)
        data, axes, alpha = split(stored, stored_axes, series.keyframe.extrasamples)
        metadata = _metadata(tif, series)
        if layout is not None:
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
    found = {key: value for key, value in found.items() if value}
    nodata = nodata_of(series.keyframe)
    return found if nodata is None else found | {"nodata": nodata}


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
    data = samples_last(image)
    samples = data.shape[-1]
    data = data[..., 0] if samples == 1 else data
    big = data.nbytes > _CLASSIC_LIMIT
    with tifffile.TiffWriter(handle, bigtiff=big, byteorder=order, ome=False) as writer:
        writer.write(data, metadata=None, software=False, **_options(image, samples))
    if exif and not big:
        attach_exif(handle, exif)


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
        code = next((code for code, name in UNITS.items() if name == unit), 1)
        options |= {"resolution": (x, y), "resolutionunit": code}
    blocks = [(XMP, 1, found.get("xmp")), (ICC, 7, found.get("icc"))]
    options["extratags"] = [(code, kind, len(b), b, True) for code, kind, b in blocks if b]
    return options
