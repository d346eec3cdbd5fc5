"""Opening a TIFF file by itself: its metadata may name other files and planes that it lacks."""

import math
from pathlib import Path
from xml.etree import ElementTree

import tifffile

from zspot.core.errors import FileError
from zspot.io.checks import DENSEST
from zspot.io.tiff.ifd import check_chain

_COUNTS = ("PlaneCount", "NumPlanes", "IFD")
_SPARE = 2**20  # values of pictures that are blank


def open_tiff(path: Path) -> tuple[tifffile.TiffFile, list[str]]:
    """Open a file so that nothing beside it is read; return it and notes on what is left out."""
    pages, cut = check_chain(path)
    tif = tifffile.TiffFile(path, is_mmstack=False, is_ndtiff=False)
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
