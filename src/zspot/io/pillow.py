"""BMP and WebP, coded by Pillow under the limits of `zspot.io` instead of Pillow's own."""

import contextlib
import io
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image
from PIL import ImageFile as PillowFile

from zspot.core.errors import FileError
from zspot.io.checks import Limit, check_zeros, notes_on_rest
from zspot.io.image_file import ImageFile, interleaved, plain_refusal, split_alpha

EXIF = b"Exif\0\0"  # before an EXIF block
_LOCK = threading.Lock()
_MOST_BYTES_PER_PIXEL = 8
_WEBP = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"EXIF", b"XMP "}  # chunks that are known
_COPIES = 4  # of the pixels while Pillow hands them over


@contextlib.contextmanager
def _opened(content: bytes, names: tuple[str, ...] | None = None) -> Iterator[Image.Image]:
    """Open under a lock, as Pillow's own limits of size, lifted here, are process-wide."""
    with _LOCK, warnings.catch_warnings(action="ignore"):
        most, truncated = Image.MAX_IMAGE_PIXELS, PillowFile.LOAD_TRUNCATED_IMAGES
        Image.MAX_IMAGE_PIXELS, PillowFile.LOAD_TRUNCATED_IMAGES = None, False
        try:
            yield Image.open(io.BytesIO(content), formats=names)
        finally:
            Image.MAX_IMAGE_PIXELS, PillowFile.LOAD_TRUNCATED_IMAGES = most, truncated


def size_of(content: bytes) -> tuple[int, int]:
    """Return the rows and columns that a header names, 0 where there is none."""
    with contextlib.suppress(Exception), _opened(content) as image:  # decoders raise what they like
        return image.height, image.width
    return 0, 0


def decode(path: Path, content: bytes, name: str, limit: Limit) -> Image.Image:
    """Return the image, decoded but for JPEG, of which only the header is read."""
    with _opened(content, (name,)) as image:
        if name != "JPEG":
            limit.check(path, (image.height, image.width, len(image.getbands())), copies=_COPIES)
            if getattr(image, "is_animated", False):
                raise FileError(f"{path}: animated images are not supported; extract one frame")
            image.load()
        return image


def metadata_of(info: dict[Any, Any]) -> dict[str, Any]:
    """Return the common metadata of what Pillow found in a file."""
    found = {
        "exif": info.get("exif", b"").removeprefix(EXIF),
        "xmp": info.get("xmp"),
        "icc": info.get("icc_profile"),
        "description": info.get("comment", b"").decode("utf-8", "replace"),
        "resolution": (*map(float, info["dpi"]), "inch") if "dpi" in info else None,
    }
    return {key: value for key, value in found.items() if value}


def turned(exif: bytes) -> int:
    """Return the orientation that EXIF tells; 1 is upright."""
    with contextlib.suppress(Exception):  # damaged EXIF tells nothing
        tags = Image.Exif()
        tags.load(EXIF + exif)
        return int(tags.get(274, 1))
    return 1


def blocks_of(image: ImageFile) -> dict[str, bytes]:
    """Return colour profile, XMP and EXIF of an image as options of `encode`."""
    found = image.metadata
    exif = EXIF + found["exif"] if "exif" in found else b""
    return {"icc_profile": found.get("icc", b""), "xmp": found.get("xmp", b""), "exif": exif}


def dots_per_inch(image: ImageFile) -> dict[str, tuple[float, float]]:
    """Return the resolution of an image, where it has a unit, as an option of `encode`."""
    x, y, unit = image.metadata.get("resolution", (0, 0, "none"))
    factor = {"inch": 1.0, "cm": 2.54}.get(unit)
    return {"dpi": (float(x) * factor, float(y) * factor)} if factor else {}


def encode(pixels: np.ndarray, handle: Any, name: str, **options: Any) -> None:
    """Encode (Y, X) or (Y, X, samples) uint8 pixels with Pillow into a file object."""
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    with _LOCK:
        block = PillowFile.MAXBLOCK
        if options.get("progressive"):
            # libjpeg needs the whole file in one buffer; Pillow's guess is too small for noise.
            PillowFile.MAXBLOCK = max(block, _MOST_BYTES_PER_PIXEL * picture.width * picture.height)
        try:
            picture.save(handle, format=name, **options)
        finally:
            PillowFile.MAXBLOCK = block


@dataclass(frozen=True)
class Plain:
    """An 8-bit format of one plane."""

    name: str
    samples: tuple[int, ...]  # a pixel may have, alpha included
    look: Callable[[Path, bytes, Limit], tuple[Image.Image, tuple[str, ...]]]
    options: Callable[[ImageFile], dict[str, Any]]  # of `encode`
    largest: int = 0  # pixels a side

    def read(self, path: Path, limit: Limit) -> ImageFile:
        """Read a still image; what is kept is in docs/files.md, as of all formats."""
        picture, notes = self.look(path, path.read_bytes(), limit)
        data, alpha, axes = split_alpha(np.asarray(picture))
        metadata = metadata_of(picture.info)
        return ImageFile(data, axes, alpha, self.name.lower(), metadata, path, notes)

    def refusal(self, image: ImageFile) -> str | None:
        """Say why the format cannot hold the image, or None."""
        return plain_refusal(image, self.name, ("uint8",), self.samples, self.largest)

    def write(self, handle: BinaryIO, image: ImageFile) -> None:
        """Write the pixels and what the format holds of the metadata."""
        encode(interleaved(image), handle, self.name.upper(), **self.options(image))


def _bmp(path: Path, content: bytes, limit: Limit) -> tuple[Image.Image, tuple[str, ...]]:
    picture = decode(path, content, "BMP", limit)
    notes = notes_on_rest(len(content), int.from_bytes(content[2:6], "little") or len(content))
    if picture.mode == "1":
        raise FileError(f"{path} has 1-bit pixels, nothing to denoise; convert it to 8-bit grey")
    if picture.mode == "P":
        picture = picture.convert("RGB")
        notes += ("The palette is expanded: the file is written as RGB.",)
    if picture.mode == "RGBA":
        notes += ("Readers that know 32 bits as colours alone will miss the transparency.",)
    if content[28:30] == b"\x10\0":
        notes += ("The packed colours are written as RGB.",)
    if content[14:15] == b"\x7c" and content[70:74] in (b"DEBM", b"LKNI"):
        notes += ("The colour profile inside the BMP file is not kept.",)
    return picture, notes


def _webp(path: Path, content: bytes, limit: Limit) -> tuple[Image.Image, tuple[str, ...]]:
    end = 8 + int.from_bytes(content[4:8], "little")
    if len(content) < end:
        raise FileError(f"{path} is truncated: its data end early; copy the file again")
    picture = decode(path, content, "WEBP", limit)
    notes = notes_on_rest(len(content), end)
    notes += check_zeros(path, content[:end], *metadata_of(picture.info).values())
    names, position = [], 12
    while position + 8 <= end:  # RIFF: name, length, payload of even length
        names.append(content[position : position + 4])
        size = int.from_bytes(content[position + 4 : position + 8], "little")
        position += 8 + size + size % 2
    if lost := {*names} - _WEBP:
        notes += (f"Chunks that are not kept: {b', '.join(sorted(lost)).decode('latin-1')}.",)
    if b"VP8L" not in names:
        notes += ("The WebP file is lossy: it is written losslessly, so it will be larger.",)
    return picture, notes


BMP = Plain("BMP", (1, 3, 4), _bmp, dots_per_inch)
_LOSSLESS = {"lossless": True, "exact": True}  # the colour of transparent pixels, too
WEBP = Plain("WebP", (1, 2, 3, 4), _webp, lambda i: _LOSSLESS | blocks_of(i), largest=16383)
