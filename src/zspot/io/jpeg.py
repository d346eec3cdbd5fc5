"""JPEG: written with the tables of the source; its segments are copied byte for byte."""

import contextlib
import io
import re
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import simplejpeg
from PIL import JpegImagePlugin

from zspot.core.errors import FileError
from zspot.io import pillow
from zspot.io.checks import Limit, check_zeros, damaged, first_line, notes_on_rest
from zspot.io.image_file import ImageFile, interleaved, plain_refusal, split_alpha

_Segments = list[tuple[int, bytes]]  # markers, or places of scans, and payloads
_EOI, _SOS, _APP0, _COM = 0xD9, 0xDA, 0xE0, 0xFE
_DHT, _COUNTS = 0xC4, 17  # bytes of a Huffman table before its symbols
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = 0xC2
_CODED = {0xC0, 0xC1, _PROGRESSIVE}
_BARE = {0x00, 0x01, *range(0xD0, 0xD9)}  # Markers without a length: padding, restarts, start, TEM.
_SPARE, _MOST_SCANS = 16, 100  # bytes that no picture needs; scans, each of which takes its time

refusal = partial(plain_refusal, name="JPEG", dtypes=("uint8",), samples=(1, 3), largest=65535)


def read(path: Path, limit: Limit) -> ImageFile:
    """Read a JPEG file, not rotated: the EXIF orientation stays for the viewer."""
    content = path.read_bytes()
    segments, scans, end = _walk(path, content)
    marker, frame = next(((m, p) for m, p in segments if m in _FRAMES), (0, b""))
    if len(frame) < 6:
        raise damaged(path, "it has no JPEG frame header")
    components = [tuple(frame[i : i + 3]) for i in range(6, 6 + 3 * frame[5], 3)]
    if marker not in _CODED or frame[0] != 8:
        raise FileError(f"{path} uses a rare JPEG coding; convert it to baseline 8-bit JPEG")
    if len(components) not in (1, 3):
        raise FileError(f"{path} has {len(components)} colours (CMYK?); convert it to RGB")
    size = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    limit.check(path, (*size, len(components)))
    picture = pillow.decode(path, content, "JPEG", limit)
    coding, notes = _coding(components, picture)
    pixels, wrong = _decoded(path, content, "GRAY" if len(components) == 1 else "RGB")
    pixels, _, axes = split_alpha(pixels)
    if wrong:
        notes.append(f"The JPEG data are not as they should be ({wrong}): look at the result.")
    coding["progressive"] = marker == _PROGRESSIVE
    if coding["progressive"] and _unfinished(scans, components):
        raise FileError(f"{path} is torn: some of its scans are missing; copy it again")
    if not coding["progressive"] and not _zeros_are_flat(segments):
        notes += check_zeros(path, content[scans[0][0] : end])
    # The index of a multi-picture file points at images that are not written.
    kept = [(m, p) for m, p in segments if _is_header((m, p)) and (m, p[:4]) != (0xE2, b"MPF\0")]
    metadata = pillow.metadata_of(picture.info) | {"jpeg": {"coding": coding, "segments": kept}}
    notes += notes_on_rest(len(content), end)
    return ImageFile(pixels, axes, None, "jpeg", metadata, path, tuple(notes))


def _decoded(path: Path, content: bytes, colours: str, **options: Any) -> tuple[np.ndarray, str]:
    """Decode, and return what is wrong with a few bytes; refuse data that libjpeg makes up."""
    try:
        return simplejpeg.decode_jpeg(content, colours, **options), ""
    except ValueError as error:
        wrong = first_line(error)
    spare = re.search(r"(\d+) extraneous bytes before marker 0xd9", wrong)
    few = spare is not None and int(spare[1]) <= _SPARE
    if re.match("Corrupt JPEG data|Premature end", wrong) and not few:
        raise FileError(f"{path} is damaged ({wrong}); copy it again, or save it anew")
    return simplejpeg.decode_jpeg(content, colours, strict=False, **options), wrong


def check_part(path: Path, content: bytes) -> None:
    """Refuse a JPEG inside another file of which much is missing; it is decoded small."""
    with contextlib.suppress(ValueError):  # of codings that only its reader knows
        _decoded(path, content, "GRAY", min_factor=8)


def _unfinished(scans: _Segments, components: list) -> bool:
    """Say whether a progressive image lacks a coefficient, or the last bit of one."""
    left = {}
    for _, scan in scans:
        first, last, bits = scan[-3:]
        for name in scan[1:-3:2]:
            left |= {(name, number): bits & 15 for number in range(first, last + 1)}
    return any(left.get((c[0], number)) != 0 for c in components for number in range(64))


def _zeros_are_flat(segments: _Segments) -> bool:
    """Say whether zero bits mean "as before" in all Huffman tables, as flat pictures have it."""
    symbols = []
    for tables in (payload for marker, payload in segments if marker == _DHT):
        while len(tables) > _COUNTS:
            symbols.append(tables[_COUNTS])
            tables = tables[_COUNTS + sum(tables[1:_COUNTS]) :]
    return not any(symbols)


def _walk(path: Path, content: bytes) -> tuple[_Segments, _Segments, int]:
    """Return (marker, payload) before the first scan, (place, head) of each scan, and the end."""
    segments, scans, position = [], [], 2
    while True:
        position = content.find(b"\xff", position)
        if position < 0 or position + 2 > len(content):
            raise FileError(f"{path} is truncated: its data end early; copy the file again")
        marker = content[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker == _EOI:
            return segments, scans, position + 2
        elif marker in _BARE:
            position += 2
        else:
            length = int.from_bytes(content[position + 2 : position + 4], "big")
            payload = content[position + 4 : position + 2 + length]
            if marker == _SOS:
                scans.append((position, payload))
            elif not scans:
                segments.append((marker, payload))
            if len(scans) > _MOST_SCANS:
                raise FileError(f"{path} uses a rare JPEG coding; convert it to baseline JPEG")
            position += 2 + max(length, 2)


def _is_header(segment: tuple[int, bytes]) -> bool:
    return _APP0 <= segment[0] <= 0xEF or segment[0] == _COM


def _coding(components: list, picture: Any) -> tuple[dict, list[str]]:
    """Return how the image is coded, as options of Pillow, and notes."""
    notes = []
    subsampling = JpegImagePlugin.get_sampling(picture) if len(components) == 3 else 0
    if subsampling < 0:
        notes.append("The chroma subsampling is rare: the file is written with full chroma.")
        subsampling = 0
    chosen = [list(picture.quantization[c[2]]) for c in components]
    # Two tables where the chroma share one, as encoders do.
    if len(chosen) == 3 and chosen[1] == chosen[2]:
        chosen = chosen[:2]
    # Whether the file stores RGB and not YCbCr, by the rule that all decoders share.
    adobe, names = picture.info.get("adobe_transform"), bytes(c[0] for c in components)
    rgb = "jfif" not in picture.info and (names == b"RGB" if adobe is None else adobe == 0)
    keep = rgb and len(components) == 3
    return {"qtables": chosen, "subsampling": subsampling, "keep_rgb": keep}, notes


def write(handle: BinaryIO, image: ImageFile) -> None:
    """Write with the coding of the source, or at quality 95 with full chroma if converted."""
    pixels = interleaved(image)
    own = image.metadata.get("jpeg")
    if own is None:
        dpi = {key: tuple(map(round, dpi)) for key, dpi in pillow.dots_per_inch(image).items()}
        options = {"quality": 95, "subsampling": 0, **pillow.blocks_of(image), **dpi}
        pillow.encode(pixels, handle, "JPEG", **options)
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
