"""NPY: one NumPy array. Pickled objects are never loaded."""

from pathlib import Path
from typing import BinaryIO

import numpy as np

from zspot.core.errors import FileError
from zspot.io.checks import Limit, check_pixel_type, notes_on_rest
from zspot.io.image_file import ImageFile


def read(path: Path, limit: Limit) -> ImageFile:
    """Read rows and columns ("YX"), with 1 to 4 samples ("YXS") or planes before them ("QYX")."""
    with path.open("rb") as handle:
        first = np.lib.format.read_magic(handle)[0] == 1
        read_header = getattr(np.lib.format, f"read_array_header_{1 if first else 2}_0")
        shape, fortran_order, dtype = read_header(handle)
        start = handle.tell()
    if dtype.hasobject:
        raise FileError(f"{path} holds pickled objects, which are never loaded; save numbers")
    if len(shape) not in (2, 3):
        raise FileError(f"{path} has {len(shape)} dimensions; save 2 (Y, X) or 3 (Y, X, S)")
    limit.check(path, shape, dtype.itemsize)
    check_pixel_type(path, dtype)
    size, end = path.stat().st_size, start + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if size < end:
        raise FileError(f"{path} is truncated: it ends before its last pixel; copy it again")
    data = np.load(path, allow_pickle=False)
    axes = "YX" if data.ndim == 2 else ("YXS" if shape[2] <= 4 else "QYX")
    own = {"byteorder": dtype.byteorder, "fortran_order": fortran_order}
    data = np.ascontiguousarray(data, dtype=dtype.newbyteorder("="))
    notes = notes_on_rest(size, end)
    return ImageFile(data, axes, format="npy", metadata={"npy": own}, path=path, notes=notes)


def refusal(image: ImageFile) -> str | None:
    """Say why NPY cannot hold the image, or None."""
    if image.alpha is not None:
        return "NPY cannot mark transparency; write a .png or .tif file"
    if image.data.ndim > 3:
        return f"NPY files have 2 or 3 dimensions here, not {image.axes}; write a .tif file"
    return None


def write(handle: BinaryIO, image: ImageFile) -> None:
    """Write the array; all metadata but byte order and memory order are lost."""
    own = image.metadata.get("npy", {"byteorder": "=", "fortran_order": False})
    dtype = image.data.dtype.newbyteorder(own["byteorder"])
    data = np.asarray(image.data, dtype, order="F" if own["fortran_order"] else "C")
    np.lib.format.write_array(handle, data, allow_pickle=False)
