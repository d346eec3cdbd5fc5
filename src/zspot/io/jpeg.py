"""JPEG: 8-bit grey and RGB, written with the tables of the source and all its header segments.

Pillow codes the pixels; the segments (EXIF, ICC, XMP, comments, ...) are copied here byte for byte.
"""

import io
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

from zspot.core.errors import FileError
from zspot.io import pillow
from zspot.io.checks import check_header
from zspot.io.image_file import ImageFile, interleaved, plain_refusal

_SOI, _EOI, _SOS, _APP0, _APP14, _COM = 0xD8, 0xD9, 0xDA, 0xE0, 0xEE, 0xFE
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = 0xC2
_CODED = {0xC0, 0xC1, _PROGRESSIVE}
# Markers without a length: padding, restarts, start, TEM.
_BARE = {0x00, 0x01, *range(0xD0, 0xD9)}
_EXIF = b"Exif\0\0"
_SUBSAMPLING = {(1, 1): 0, (2, 1): 1, (2, 2): 2}

refusal = partial(plain_refusal, name="JPEG", dtypes=("uint8",), samples=(1, 3), largest=65535)


def read(path: Path, max_pixels: int) -> ImageFile:
    """Read a JPEG file.

    Kept: EXIF, ICC profile, XMP, comments, resolution and every other header segment byte for byte;
    quantisation tables, chroma subsampling, progressive coding. Pixels are not rotated: the EXIF
    orientation stays for the viewer. Dropped, with a note: images appended after the first one.
    CMYK, 12-bit, lossless and arithmetic coding are refused.
    """
    content = path.read_bytes()
    segments, trailing = _walk(path, content)
    marker, frame = next(((m, p) for m, p in segments if m in _FRAMES), (0, b""))
    if len(frame) < 6:
        raise FileError(f"{path} is damaged: it has no JPEG frame header; copy it again")
    components = [tuple(frame[i : i + 3]) for i in range(6, 6 + 3 * frame[5], 3)]
    if marker not in _CODED or frame[0] != 8:
        raise FileError(f"{path} uses a rare JPEG coding; convert it to baseline 8-bit JPEG")
    if len(components) not in (1, 3):
        raise FileError(f"{path} has {len(components)} colours (CMYK?); convert it to RGB")
    size = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    check_header(path, (*size, len(components)), max_pixels)
    picture, pixels = pillow.decode(path, content, "JPEG", max_pixels)
    coding, notes = _coding(segments, components, getattr(picture, "quantization", {}))
    coding["progressive"] = marker == _PROGRESSIVE
    # The index of a multi-picture file points at images that are not written.
    kept = [(m, p) for m, p in segments if _is_header((m, p)) and (m, p[:4]) != (0xE2, b"MPF\0")]
    metadata = _common_metadata(picture.info) | {"jpeg": {"coding": coding, "segments": kept}}
    if trailing:
        notes.append(f"The {trailing} bytes after the image are not kept.")
    axes = "YX" if pixels.ndim == 2 else "YXS"
    return ImageFile(pixels, axes, None, "jpeg", metadata, path, tuple(notes))


def _walk(path: Path, content: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Return the segments before the first scan, as (marker, payload), and the bytes left over."""
    segments, position, scanned = [], 2, False
    while True:
        position = content.find(b"\xff", position)
        if position < 0 or position + 2 > len(content):
            raise FileError(f"{path} is truncated: its data end early; copy the file again")
        marker = content[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker == _EOI:
            return segments, len(content) - position - 2
        elif marker in _BARE:
            position += 2
        else:
            length = int.from_bytes(content[position + 2 : position + 4], "big")
            scanned |= marker == _SOS
            if not scanned:
                segments.append((marker, content[position + 4 : position + 2 + length]))
            position += 2 + max(length, 2)


def _is_header(segment: tuple[int, bytes]) -> bool:
    return _APP0 <= segment[0] <= 0xEF or segment[0] == _COM


def _coding(
    segments: list[tuple[int, bytes]], components: list, tables: Any
) -> tuple[dict[str, Any], list[str]]:
    """Return how the image is coded, as options of Pillow, and notes."""
    notes = []
    ratio = tuple(
        max(c[1] >> shift & 15 for c in components) // max(components[-1][1] >> shift & 15, 1)
        for shift in (4, 0)
    )
    subsampling = _SUBSAMPLING.get(ratio) if len(components) == 3 else 0
    if subsampling is None:
        notes.append("The chroma subsampling is rare: the file is written with full chroma.")
        subsampling = 0
    chosen = [list(tables[c[2]]) for c in components]
    # Two tables where the chroma share one, as encoders do.
    if len(chosen) == 3 and chosen[1] == chosen[2]:
        chosen = chosen[:2]
    is_rgb = len(components) == 3 and _stores_rgb(segments, components)
    return {"qtables": chosen, "subsampling": subsampling, "keep_rgb": is_rgb}, notes


def _stores_rgb(segments: list[tuple[int, bytes]], components: list) -> bool:
    """Tell whether the file stores RGB instead of YCbCr, by the rule that all decoders share."""
    if any(m == _APP0 and p.startswith(b"JFIF\0") for m, p in segments):
        return False
    adobe = [p for m, p in segments if m == _APP14 and p.startswith(b"Adobe") and len(p) >= 12]
    if adobe:
        return adobe[-1][11] == 0
    return bytes(c[0] for c in components) == b"RGB"


def _common_metadata(info: dict[Any, Any]) -> dict[str, Any]:
    found = {
        "exif": info.get("exif", b"").removeprefix(_EXIF),
        "xmp": info.get("xmp"),
        "icc": info.get("icc_profile"),
        "description": info.get("comment", b"").decode("utf-8", "replace"),
        "resolution": (*map(float, info["dpi"]), "inch") if "dpi" in info else None,
    }
    return {key: value for key, value in found.items() if value}


def write(handle: BinaryIO, image: ImageFile) -> None:
    """Write with the coding of the source, or at quality 95 with full chroma if converted."""
    pixels = interleaved(image)
    own = image.metadata.get("jpeg")
    if own is None:
        pillow.encode(pixels, handle, "JPEG", **_converted(image))
        return
    buffer = io.BytesIO()
    pillow.encode(pixels, buffer, "JPEG", **own["coding"])
    encoded = buffer.getvalue()
    leading = takewhile(_is_header, _walk(Path("-"), encoded)[0])  # Pillow's own, left out
    body = sum(4 + len(payload) for _, payload in leading)
    handle.write(b"\xff\xd8")
    for marker, payload in own["segments"]:
        handle.write(bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload)
    handle.write(encoded[2 + body :])


def _converted(image: ImageFile) -> dict[str, Any]:
    found = image.metadata
    options: dict[str, Any] = {"quality": 95, "subsampling": 0}
    names = {"icc": "icc_profile", "xmp": "xmp"}
    options |= {names[key]: found[key] for key in names if key in found}
    if dpi := pillow.dots_per_inch(image):
        options["dpi"] = tuple(map(round, dpi))
    if "exif" in found:
        options["exif"] = _EXIF + found["exif"]
    return options
