"""TIFF files, read whole or plane by plane, written around the source's own bytes or anew."""

import contextlib
import functools
import io
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree

import numpy as np
from tifffile import TiffFile, TiffWriter

from zspot.core.errors import FileError
from zspot.io.checks import DENSEST, Limit, check_pixel_type, check_zeros, damaged
from zspot.io.coded import JXL
from zspot.io.image_file import ImageFile, Stack, join, samples_last, split_last
from zspot.io.jpeg import check_part
from zspot.io.pillow import size_of
from zspot.io.tiff.ifd import EXIF_TAGS, attach_exif, byte_order, check_chain, exif_of_tiff
from zspot.io.tiff.layout import capture, pieces_of, rewrite

# tifffile logs every oddity of a damaged file; without a handler Python prints that to stderr.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

ICC, XMP = 34675, 700
UNITS = {1: "none", 2: "inch", 3: "cm"}
_WIDTH, _HEIGHT = 256, 257
_GREY, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR, _CFA, _LINEAR_RAW = (0, 1), 2, 3, 4, 5, 6, 32803, 34892
_JPEG = (6, 7)
_JPEG_XL = (50002, 52546)
_CHECKED = (34933, 34934, *_JPEG_XL)  # PNG and JPEG XL have checksums or the like
_PICTURES = (33003, 33004, 33005, 34712, 50001, *_CHECKED)  # JPEG 2000, WebP: with a header
_SPARE = 2**20  # pixels, which may be blank
_ADVICE = {
    _PALETTE: "has palette colours; convert it to RGB",
    _MASK: "is a mask, nothing to denoise; convert it to 8-bit grey",
    _CMYK: "has CMYK colours; convert it to RGB",
    _CFA: "is undeveloped sensor data; give it its camera suffix such as .dng, or develop it",
}
_NDPI = "Only the largest image of the NDPI file is denoised and written."
_COUNTS = ("PlaneCount", "NumPlanes", "IFD")  # of OME-XML
_CLASSIC_LIMIT = 2**32 - 2**25  # above, offsets overflow classic TIFF; the rest is room for tags


def read(path: Path, limit: Limit) -> ImageFile:
    """Read the first image series of a TIFF file."""
    tif, notes = _opened(path)
    with tif:
        if not tif.series or not tif.series[0].keyframe:
            raise FileError(f"{path} holds no image; check the file")
        series = tif.series[0]
        check(path, tif, series, tuple(series.shape), limit)
        layout, more = (None, [_NDPI]) if tif.is_ndpi else capture(path, tif, series)
        notes += more
        for page in series.pages:
            notes += check_parts(path, tif, page, series.keyframe)
        stored = np.asarray(series.asarray(maxworkers=1))
        stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
        stored_axes = axes_of(path, series)
        data, alpha, axes = split(stored, stored_axes, series.keyframe)
        metadata = _metadata(tif, series)
        if layout is not None:
            pieces = tuple(pieces_of(tif.filehandle, layout))
            metadata["tiff"] = {"layout": layout, "pieces": pieces, "stored_axes": stored_axes}
            notes += other_notes(tif, series)
    return ImageFile(data, axes, alpha, "tiff", metadata, path, tuple(dict.fromkeys(notes)))


def _metadata(tif: TiffFile, series: Any) -> dict[str, Any]:
    tags = series.keyframe.tags
    xmp = tags.valueof(XMP)
    found: dict[str, Any] = {
        "icc": tags.valueof(ICC),
        "xmp": xmp.encode() if isinstance(xmp, str) else xmp,
        "description": tags.valueof(270),
        "imagej": tif.imagej_metadata,
        "ome_xml": tif.ome_metadata,
        "shown": _shown(series.keyframe),
    }
    x, y = tags.valueof(282), tags.valueof(283)
    if isinstance(x, tuple) and isinstance(y, tuple) and x[1] and y[1]:
        unit = UNITS.get(int(tags.valueof(296, 2)), "none")
        found["resolution"] = (x[0] / x[1], y[0] / y[1], unit)
    if {*EXIF_TAGS} & {tag.code for tag in tags} and not tif.is_bigtiff:
        found["exif"] = exif_of_tiff(tif.filehandle)
    found = {key: value for key, value in found.items() if value}
    nodata = nodata_of(series.keyframe)
    return found if nodata is None else found | {"nodata": nodata}


def _shown(key: Any) -> str:
    """Say what readers of TIFF do to show the stored pixels, which other formats do not tell."""
    turn = int(key.tags.valueof(274, 1) or 1)
    ways = {
        "black and white are stored the other way round": int(key.photometric) == 0,
        f"its orientation is {turn}": turn != 1,
        "its colours are multiplied by alpha": 1 in map(int, key.extrasamples or ()),
    }
    return " and ".join(way for way, is_so in ways.items() if is_so)


def write(handle: BinaryIO, image: ImageFile) -> None:
    """Write the source around the new pixels, or convert another format with deflate."""
    own = image.metadata.get("tiff")
    if own is not None:
        layout = own["layout"]
        data = join(image.data, image.axes, image.alpha, own["stored_axes"])
        planes = (data,) if layout.contiguous is not None else data.reshape(-1, *layout.shape)
        rewrite(handle, layout, own["pieces"], planes)
        return
    exif = image.metadata.get("exif")
    order = byte_order(exif) if exif else "<"
    data = samples_last(image)
    samples = data.shape[-1]
    data = data[..., 0] if samples == 1 else data
    big = data.nbytes > _CLASSIC_LIMIT
    with TiffWriter(handle, bigtiff=big, byteorder=order, ome=False) as writer:
        writer.write(data, metadata=None, software=False, **_options(image, samples))
    if exif and not big:
        attach_exif(handle, io.BytesIO(exif))


def _options(image: ImageFile, samples: int) -> dict[str, Any]:
    found = image.metadata
    alpha = image.alpha is not None
    colours = 3 if samples - alpha >= 3 else 1
    extra = ["unspecified"] * (samples - colours - alpha) + ["unassalpha"] * alpha
    options: dict[str, Any] = {
        "photometric": "rgb" if colours == 3 else "minisblack",
        "planarconfig": "contig" if samples > 1 else None,
        "compression": "zlib",
        "predictor": 2 if image.data.dtype.kind in "iu" else None,
        "extrasamples": extra or None,
    }
    if "resolution" in found:
        x, y, unit = found["resolution"]
        code = next((code for code, name in UNITS.items() if name == unit), 1)
        options |= {"resolution": (x, y), "resolutionunit": code}
    blocks = [(XMP, 1, found.get("xmp")), (ICC, 7, found.get("icc"))]
    options["extratags"] = [(code, kind, len(b), b, True) for code, kind, b in blocks if b]
    return options


def open_stack(path: Path, limit: Limit) -> Stack | None:
    """Open a TIFF file whose first series has several pages, each a plane; None for any other."""
    tif, notes = _opened(path)
    with contextlib.ExitStack() as opened:
        opened.callback(tif.close)
        if not tif.series or not _pages_are_planes(tif.series[0]):
            return None
        stack = TiffStack(path, tif, notes, limit)
        opened.pop_all()
        return stack


def _pages_are_planes(series: Any) -> bool:
    key = series.keyframe
    if key is None or len(series.shape) <= len(key.shape):
        return False
    leading, inner = series.axes[: -len(key.axes)], series.axes[-len(key.axes) :]
    fits = inner == key.axes and series.shape[-len(key.shape) :] == key.shape
    return fits and inner in ("YX", "YXS", "SYX") and "S" not in leading


class TiffStack(Stack):
    """The first series of an open TIFF file, which `close` closes."""

    def __init__(self, path: Path, tif: TiffFile, notes: list[str], limit: Limit) -> None:
        series = tif.series[0]
        key = series.keyframe
        self.path, self._tif, self._key = path, tif, key
        check(path, tif, series, tuple(key.shape), limit)
        self._layout, more = capture(path, tif, series)
        self._pages: list[Any] = [] if self._layout.contiguous is not None else list(series.pages)
        # The last plane is kept, as its transparency is asked for after its samples.
        self._parts = functools.lru_cache(maxsize=1)(self._decoded)
        leading = len(series.shape) - len(key.shape)
        probe = np.broadcast_to(np.zeros((), key.dtype), key.shape)
        plane, _, self.plane_axes = split(probe, key.axes, key)
        self.axes = axes_of(path, series)[:leading] + self.plane_axes
        self.shape = (*series.shape[:leading], *plane.shape)
        self._has_alpha = plane.shape != tuple(key.shape)
        self.notes = (*notes, *more, *other_notes(tif, series))
        self.nodata = nodata_of(key)
        if not self._layout.contiguous and len(self._pages) != len(self):
            raise damaged(path, "it has fewer planes than it says, or more")

    def _read(self, number: int) -> np.ndarray:
        return self._parts(number)[0]

    def valid(self, number: int) -> np.ndarray | None:
        """Return where a plane is not transparent, if it has transparency."""
        alpha = self._alpha(number)
        return None if alpha is None else alpha > 0

    def _decoded(self, number: int) -> tuple[np.ndarray, np.ndarray | None, str]:
        """Return the samples of a plane, its transparency and the axes of the samples."""
        start = self._layout.contiguous
        if start is None:
            notes = check_parts(self.path, self._tif, self._pages[number], self._key)
            self.notes = tuple(dict.fromkeys((*self.notes, *notes)))
            plane = np.asarray(self._pages[number].asarray(maxworkers=1))
        else:
            dtype = self._layout.coding.dtype
            size = math.prod(self._key.shape) * dtype.itemsize
            self._tif.filehandle.seek(start + number * size)
            content = self._tif.filehandle.read(size)
            if len(content) < size:
                raise FileError(f"{self.path} changed while it was read; run again")
            plane = np.frombuffer(content, dtype)
        plane = plane.reshape(self._key.shape)
        plane = plane.astype(plane.dtype.newbyteorder("="), copy=False)
        return split(plane, self._key.axes, self._key)

    def _write(self, handle: BinaryIO, planes: Iterator[np.ndarray]) -> None:
        own, stored = self.plane_axes, self._key.axes
        joined = (join(plane, own, self._alpha(n), stored) for n, plane in enumerate(planes))
        rewrite(handle, self._layout, pieces_of(self._tif.filehandle, self._layout), joined)

    def _alpha(self, number: int) -> np.ndarray | None:
        return self._parts(number)[1] if self._has_alpha else None

    def close(self) -> None:
        """Close the file."""
        self._parts.cache_clear()
        self._tif.close()


def _opened(path: Path) -> tuple[TiffFile, list[str]]:
    """Open a file without what its metadata may name beside it; note what is left out."""
    pages, cut = check_chain(path)
    tif = TiffFile(path, is_mmstack=False, is_ndtiff=False)
    try:
        reason = _misfit(tif.ome_metadata, pages, path) if tif.is_ome else None
        if reason:
            tif.is_ome = False
        images = int((tif.imagej_metadata or {}).get("images", 1))
        if images > pages and tif.series and tif.series[0].kind in ("generic", "uniform"):
            raise FileError(f"{path} is truncated: it lacks planes of {images}; copy it again")
    except BaseException:
        tif.close()
        raise
    notes = [f"The OME-XML of the TIFF file {reason}."] if reason else []
    return tif, notes + ["The TIFF file is torn: look at the result."] * cut


def _misfit(xml: str | None, pages: int, path: Path) -> str | None:
    """Say why OME-XML does not describe the pages of this file, or None."""
    try:
        root = ElementTree.fromstring(xml or "")
    except ElementTree.ParseError:
        return None  # and tifffile does without, too
    own, most, values = root.get("UUID"), 0.0, 0
    for element in root.iter():
        kind = element.tag.rpartition("}")[2]
        if kind == "UUID":
            named = element.get("FileName", "").lower() == path.name.lower()
            other = element.text != own if own else not named
        else:
            other = kind == "BinaryOnly"
        if other:
            return "is about a set of files, of which only this one is read, without its axes"
        if kind == "Pixels":
            channel = element.find("{*}Channel")
            samples = 1 if channel is None else int(channel.get("SamplesPerPixel", 1))
            sizes = [int(element.get(f"Size{letter}", 1)) for letter in "ZCTYX"]
            most = max(most, math.prod(sizes[:3]) / max(samples, 1))
            values = max(values, math.prod(sizes))
        elif "Along" in kind:  # of a modulo annotation
            start, end, step = (float(element.get(key, 1)) for key in ("Start", "End", "Step"))
            most = max(most, abs((end - start) / step))
        most = max(most, *(int(element.get(count, 0)) for count in _COUNTS))
    if most <= pages and values <= DENSEST * path.stat().st_size + _SPARE:
        return None
    return f"lists more than the {pages} planes of the file: its axes are not used"


def check(path: Path, tif: TiffFile, series: Any, shape: tuple[int, ...], limit: Limit) -> None:
    """Refuse what cannot be decoded into `shape` or written back, before decoding it."""
    key = series.keyframe
    photometric, compression = int(key.photometric), int(key.compression)
    inner = (sub for sub in key.pages or () if int(sub.photometric) in (_CFA, _LINEAR_RAW))
    if any(inner):  # the image found first is only its preview
        raise FileError(f"{path} {_ADVICE[_CFA]}")
    if not {_WIDTH, _HEIGHT} <= {tag.code for tag in key.tags} or not key.dataoffsets:
        raise damaged(path, "its TIFF tags are incomplete")
    if series.dtype is None or series.dtype.kind == "b" or key.bitspersample in range(1, 8):
        raise FileError(f"{path} has {key.bitspersample}-bit pixels; convert it to 8-bit grey")
    check_pixel_type(path, series.dtype)
    if any(int(extra) in (1, 2) for extra in (key.extrasamples or ())[:-1]):
        raise FileError(f"{path} has transparency before its last sample; convert it")
    # Tiles may be larger than the image, and are decoded whole.
    tile = [(key.tilelength, key.tilewidth, key.samplesperpixel)] if key.is_tiled else []
    for part in (shape, *tile):
        limit.check(path, part, series.dtype.itemsize)
    display_palette = photometric == _PALETTE and tif.is_imagej
    jpeg = photometric == _YCBCR and compression in _JPEG
    if photometric not in (*_GREY, _RGB, _LINEAR_RAW) and not display_palette and not jpeg:
        reason = _ADVICE.get(photometric, "has a rare colour space; convert it to RGB")
        raise FileError(f"{path} {reason}")


def check_parts(path: Path, tif: TiffFile, page: Any, key: Any) -> list[str]:
    """Refuse torn strips or tiles, or note them, where a decoder would make up the rest."""
    notes: list[str] = []
    jpeg, tables = int(key.compression) in _JPEG, key.jpegtables or b""
    if not jpeg and int(key.compression) not in _PICTURES:
        return notes
    rows = key.tilelength if key.is_tiled else min(key.rowsperstrip, key.imagelength)
    most = 4 * rows * (key.tilewidth if key.is_tiled else key.imagewidth) + _SPARE
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        tif.filehandle.seek(offset)
        content = tif.filehandle.read(count)
        content = tables[:-2] + content[2:] if tables else content
        coded = int(key.compression) in _JPEG_XL
        rows, columns = JXL.size(path, content) if coded else size_of(content)
        if columns * rows > most:
            raise damaged(path, f"a strip or tile of it promises {columns} x {rows} pixels")
        if jpeg:
            check_part(path, content)
        elif int(key.compression) not in _CHECKED:
            notes += check_zeros(path, content)
    return notes


def axes_of(path: Path, series: Any) -> str:
    """Return the letters of a series' axes, Q for those that mean nothing here."""
    axes = "".join(a if a in "TZCYXS" else "Q" for a in series.axes)
    if any(axes.count(a) != 1 for a in "YX"):
        raise FileError(f"{path} has axes {series.axes} without rows and columns; convert it")
    # S next to C, as OME has for RGB with several channels: C is then a plain stack.
    return axes.replace("C", "Q") if "S" in axes else axes


def split(stored: np.ndarray, axes: str, key: Any) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Separate the alpha sample, if the last sample is declared as one."""
    has_alpha = "S" in axes and key.extrasamples and int(key.extrasamples[-1]) in (1, 2)
    return split_last(stored, axes) if has_alpha else (stored, None, axes)


def nodata_of(page: Any) -> float | None:
    """Return what marks pixels without picture: a tag of GDAL, decimals as text."""
    try:
        return float(str(page.tags.valueof(42113)).strip("\0 "))
    except ValueError:
        return None


def other_notes(tif: TiffFile, series: Any) -> list[str]:
    """Say what else the file holds."""
    notes = []
    if len(series.levels) > 1:
        notes.append("The reduced copies (pyramid levels) in the TIFF file keep their old pixels.")
    if len(tif.series) > 1:
        notes.append(f"Other images in the TIFF file keep their old pixels: {len(tif.series) - 1}.")
    if tif.is_ome and (more := len(tif.pages) - sum(len(one.pages) for one in tif.series)) > 0:
        notes.append(f"Pages that the OME-XML does not list keep their old pixels: {more}.")
    return notes
