"""ND2 and CZI: read only, plane by plane through bioio (extra `bioio`), written as OME-TIFF."""

import hashlib
import importlib
import itertools
import logging
import math
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile

from zspot.core.errors import FileError
from zspot.io.checks import Limit, check_pixel_type, check_shape, damaged
from zspot.io.image_file import ImageFile, Stack

# bioio logs each failure; without a handler Python prints that to stderr.
logging.getLogger("bioio").addHandler(logging.NullHandler())

_HEAD = 2**24  # bytes that tell one file from another


def read(path: Path, limit: Limit) -> ImageFile:
    """Read the first scene of an ND2 or CZI file as a whole."""
    stack = BioStack(path, limit)
    limit.check(path, stack.shape, stack.dtype.itemsize)
    data = np.stack([stack.read(number) for number in range(len(stack))])
    notes = (*stack.notes, "Pixel sizes, names of channels and of axes are not kept.")
    return ImageFile(data.reshape(stack.shape), stack.axes, None, "tiff", {}, path, notes)


class BioStack(Stack):
    """The first scene of an ND2 or CZI file, axes TCZYX or TCZYXS."""

    def __init__(self, path: Path, limit: Limit) -> None:
        self.path = path
        from bioio import BioImage

        reader = importlib.import_module(f"bioio_{path.suffix[1:].lower()}").Reader
        if path.suffix.lower() == ".czi":
            check_directory(path, limit)
        self._image = BioImage(path, reader=reader)
        self.axes = self._image.dims.order
        self.shape = tuple(self._image.shape)
        self.plane_axes = "YXS" if self.axes.endswith("S") else "YX"
        if set(self.axes) - set("TCZYXS"):
            raise FileError(f"{path} has axes {self.axes}, of which some are unknown; convert it")
        check_shape(path, self.shape)
        self.dtype = np.dtype(self._image.dtype)
        check_pixel_type(path, self.dtype)
        limit.check(path, self.shape[-len(self.plane_axes) :], self.dtype.itemsize)
        if (scenes := len(self._image.scenes)) > 1:
            self.notes = (f"Only the first of {scenes} scenes is denoised and written.",)

    def _read(self, number: int) -> np.ndarray:
        place = dict(zip("TCZ", map(int, np.unravel_index(number, self.shape[:3])), strict=True))
        plane = self._image.get_image_dask_data(self.plane_axes, **place)
        return np.ascontiguousarray(plane.compute(scheduler="synchronous"))

    def _write(self, handle: BinaryIO, planes: Iterator[np.ndarray]) -> None:
        form: Any = {"shape": self.shape, "dtype": self.dtype, "compression": "zlib"}
        form["photometric"] = "rgb" if self.plane_axes == "YXS" else "minisblack"
        self.notes += ("The file is written as OME-TIFF with pixel sizes and channel names.",)
        with tifffile.TiffWriter(handle, bigtiff=True, ome=True) as writer:
            writer.write(planes, **form, metadata=self._metadata())

    def _metadata(self) -> dict[str, Any]:
        with self.path.open("rb") as handle:
            head = hashlib.sha256(handle.read(_HEAD))
        head.update(str(self.path.stat().st_size).encode())
        # A random identifier would make each run's bytes differ.
        identifier = str(uuid.uuid5(uuid.NAMESPACE_OID, head.hexdigest()))
        found: dict[str, Any] = {"axes": self.axes, "UUID": identifier}
        sizes = self._image.physical_pixel_sizes
        for letter in "XYZ":
            if size := getattr(sizes, letter):
                found |= {f"PhysicalSize{letter}": float(size), f"PhysicalSize{letter}Unit": "µm"}
        names = [str(name) for name in self._image.channel_names or ()]
        if len(names) == self.shape[1]:
            found["Channel"] = {"Name": names}
        return found

    def close(self) -> None:
        """Nothing stays open: bioio opens the file for each plane."""


open_stack = BioStack


# CZI as in ZEISS, "CZI file format", DS 2011: header segment, sub-block directory, entries of DV.
_SEGMENT = struct.Struct("<16sqq")
_DIRECTORY_POSITION = _SEGMENT.size + 52
_ENTRIES = 128  # bytes before the first entry
_ENTRY = struct.Struct("<2si qiiB5si")
_DIMENSION = struct.Struct("<4siifi")
_MOST_DIMENSIONS = 40
_SPARSE = 64  # planes that may be promised for each that is there


def check_directory(path: Path, limit: Limit) -> None:
    """Refuse a damaged CZI directory, or one of too many or too large planes."""
    try:
        with path.open("rb") as handle:
            entries = list(_read(handle, path.stat().st_size))
    except (struct.error, ValueError) as error:
        raise damaged(path, "its directory does not fit the file") from error
    if not entries:
        raise FileError(f"{path} holds no image; check the file")
    ends: dict[bytes, set[int]] = {}
    for name, start, size in itertools.chain.from_iterable(entries):
        ends.setdefault(name, set()).update((start, start + size))
    extent = {name: max(places) - min(places) for name, places in ends.items()}
    limit.check(path, (extent.pop(b"Y", 0), extent.pop(b"X", 0)))
    planes = math.prod(max(1, size) for size in extent.values())
    if planes > _SPARSE * len(entries):
        raise damaged(path, f"its directory promises {planes} planes and lists {len(entries)}")


def _read(handle: BinaryIO, length: int) -> Iterator[list[tuple[bytes, int, int]]]:
    """Yield (name, start, size) of the dimensions of each entry."""
    handle.seek(_DIRECTORY_POSITION)
    (position,) = struct.unpack("<q", handle.read(8))
    if not 0 < position <= length - _SEGMENT.size - _ENTRIES:
        raise ValueError
    handle.seek(position)
    name, _, used = _SEGMENT.unpack(handle.read(_SEGMENT.size))
    (count,) = struct.unpack("<i", handle.read(_ENTRIES)[:4])
    room = min(used, length - position)
    if not name.startswith(b"ZISRAWDIRECTORY") or not 0 <= count <= room // _ENTRY.size:
        raise ValueError
    for _ in range(count):
        schema, *_, dimensions = _ENTRY.unpack(handle.read(_ENTRY.size))
        if schema != b"DV" or not 0 < dimensions <= _MOST_DIMENSIONS:
            raise ValueError
        parts = list(_DIMENSION.iter_unpack(handle.read(dimensions * _DIMENSION.size)))
        if len(parts) != dimensions or any(size < 0 for _, _, size, _, _ in parts):
            raise ValueError
        yield [(key.rstrip(b"\0"), start, size) for key, start, size, _, _ in parts]
