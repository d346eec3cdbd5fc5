"""PNG: 8 and 16 bits; imagecodecs codes the pixels, the chunks are copied here."""

import contextlib
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs

from zspot.core.errors import FileError
from zspot.io.checks import Limit, damaged, notes_on_rest
from zspot.io.image_file import ImageFile, interleaved, plain_refusal, split_alpha

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_Chunks = list[tuple[bytes, bytes]]  # names and payloads

_PALETTE = 3
_SAMPLES = {0: 1, 2: 3, _PALETTE: 3, 4: 2, 6: 4}  # of each colour type
# Chunks that stay true when pixel values change, although their names do not say "safe to copy".
_KEPT = frozenset(b"gAMA cHRM sRGB iCCP cICP mDCV cLLI pHYs eXIf tIME oFFs pCAL sPLT".split())
# Chunks that describe the layout of samples, true only while that layout stays.
_LAYOUT = frozenset((b"bKGD", b"sBIT"))
# Rebuilt, or made needless, by writing.
_REPLACED = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"hIST"))
_XMP = b"XML:com.adobe.xmp"
_LARGEST_PROFILE = 2**26  # a colour profile is at most a few megabytes; more is an attack

refusal = partial(plain_refusal, name="PNG", dtypes=("uint8", "uint16"), samples=(1, 2, 3, 4))


def read(path: Path, limit: Limit) -> ImageFile:
    """Read a PNG file."""
    content = path.read_bytes()
    chunks = list(_chunks(path, content))
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
        raise damaged(path, "a PNG file must begin with its header")
    width, height, bits, colour = struct.unpack(">IIBB", chunks[0][1][:10])
    if colour not in _SAMPLES:
        raise damaged(path, "its header names no PNG colour type")
    names = {name for name, _ in chunks}
    if b"acTL" in names:
        raise FileError(f"{path}: animated images are not supported; extract one frame")
    limit.check(path, (height, width, _SAMPLES[colour]), max(1, bits // 8))
    data, alpha, axes = split_alpha(imagecodecs.png_decode(content))
    same_layout = colour != _PALETTE and b"tRNS" not in names and bits >= 8
    before, after, dropped = _select(chunks, same_layout)
    notes = []
    if colour == _PALETTE:
        notes.append("The palette is expanded: the file is written as RGB.")
    elif bits < 8:
        notes.append(f"The {bits}-bit grey values are scaled to 8 bits.")
    if b"tRNS" in names:
        notes.append("The transparent colour is written as an alpha channel.")
    end = len(_SIGNATURE) + sum(12 + len(payload) for _, payload in chunks)
    notes += notes_on_rest(len(content), end)
    if dropped:
        notes.append(f"PNG chunks bound to the old pixels are not kept: {', '.join(dropped)}.")
    metadata = _common_metadata(before + after) | {"png": {"before": before, "after": after}}
    return ImageFile(data, axes, alpha, "png", metadata, path, tuple(notes))


def _chunks(path: Path, content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position, name = len(_SIGNATURE), b""
    while name != b"IEND":
        head = content[position : position + 8]
        length = int.from_bytes(head[:4], "big")
        end = position + 8 + length
        name, payload, check = head[4:], content[position + 8 : end], content[end : end + 4]
        if len(check) < 4:
            raise FileError(f"{path} is truncated: its data end early; copy the file again")
        if zlib.crc32(name + payload) != int.from_bytes(check, "big"):
            raise damaged(path, f"wrong checksum of chunk {name.decode('latin-1')!r}")
        yield name, payload
        position = end + 4


def _select(chunks: _Chunks, same_layout: bool) -> tuple[_Chunks, _Chunks, list[str]]:
    """Split the chunks to copy by their side of the pixels; name those that must go."""
    names = [name for name, _ in chunks]
    # Bit 5 of the last letter set means: may be copied although the pixels changed.
    kept = _KEPT.union(name for name in names if name[3] & 0x20) - _REPLACED
    kept |= _LAYOUT if same_layout else set()
    pixels = names.index(b"IDAT")
    sides = chunks[:pixels], chunks[pixels:]
    before, after = ([chunk for chunk in side if chunk[0] in kept] for side in sides)
    return before, after, [n.decode("latin-1") for n in names if n not in kept | _REPLACED]


def _common_metadata(chunks: _Chunks) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, payload in chunks:
        key, _, rest = payload.partition(b"\0")
        if name == b"eXIf":
            found["exif"] = payload
        elif name == b"pHYs" and len(payload) == 9:
            x, y, unit = struct.unpack(">IIB", payload)
            found["resolution"] = (x / 100, y / 100, "cm") if unit == 1 else (x, y, "none")
        elif name == b"iCCP":
            # A broken profile is still copied as it is; only conversions go without.
            with contextlib.suppress(zlib.error):
                found["icc"] = zlib.decompressobj().decompress(rest[1:], _LARGEST_PROFILE)
        elif name == b"iTXt" and key == _XMP and rest[:1] == b"\0":
            found["xmp"] = rest[2:].split(b"\0", 2)[-1]
        elif name == b"tEXt" and key == b"Description":
            found["description"] = rest.decode("latin-1")
    return found


def write(handle: BinaryIO, image: ImageFile) -> None:
    """Write the pixels and the chunks of the source, or what another format's metadata give."""
    pixels = interleaved(image)
    own = image.metadata.get("png") or {"before": _converted(image), "after": []}
    # Level 4 takes a third of the time of the usual 6 for two per cent more bytes.
    coded = bytes(imagecodecs.png_encode(pixels, level=4))
    header, *rest = [chunk for chunk in _chunks(Path("-"), coded) if chunk[0] in (b"IHDR", b"IDAT")]
    handle.write(_SIGNATURE)
    for name, payload in [header, *own["before"], *rest, *own["after"], (b"IEND", b"")]:
        handle.write(len(payload).to_bytes(4, "big") + name + payload)
        handle.write(zlib.crc32(name + payload).to_bytes(4, "big"))


def _converted(image: ImageFile) -> _Chunks:
    found = image.metadata
    chunks: _Chunks = []
    if "icc" in found:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(found["icc"])))
    if "resolution" in found:
        x, y, unit = found["resolution"]
        factor = {"inch": 1 / 0.0254, "cm": 100.0}.get(unit, 1.0)
        sizes = round(x * factor), round(y * factor)
        if all(0 < size < 2**31 for size in sizes):
            chunks.append((b"pHYs", struct.pack(">IIB", *sizes, unit != "none")))
    if "exif" in found:
        chunks.append((b"eXIf", found["exif"]))
    if "xmp" in found:
        chunks.append((b"iTXt", _XMP + b"\0\0\0\0\0" + found["xmp"]))
    return chunks
