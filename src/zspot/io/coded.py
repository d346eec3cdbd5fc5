"""JPEG XL, AVIF, JPEG 2000: 8 to 16 bits, always written losslessly."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from PIL import Image

from zspot.core.errors import FileError
from zspot.io.checks import Limit, check_zeros, notes_on_rest
from zspot.io.image_file import ImageFile, interleaved, plain_refusal, split_alpha
from zspot.io.pillow import turned
from zspot.io.tiff.ifd import exif_of_tiff

_Boxes = list[tuple[bytes, bytes]]  # names and payloads
_PIXELS = frozenset((b"jxlc", b"jxlp", b"jxli", b"jbrd", b"jp2c"))
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
# Which box holds what of the common metadata, and how its payload begins.
_JXL_BOXES = {"exif": (b"Exif", bytes(4)), "xmp": (b"xml ", b"")}
_JP2_BOXES = {"exif": (b"uuid", b"JpgTiffExif->JP2"), "xmp": (b"uuid", _XMP_UUID)}
_LOSSY = "The file is written losslessly: if it was lossy, it will be larger."


@dataclass
class _Header:
    """What a header says, checked against the limit by whoever uses it."""

    size: tuple[int, ...]  # rows, columns, samples if known
    bits: int
    notes: list[str]
    turns: int = 0  # anticlockwise quarters that show the picture upright
    icc: bytes | None = None
    exif: bytes = b""
    own: dict[str, int] = field(default_factory=dict)  # of the encoder: the colour space of AVIF


@dataclass(frozen=True)
class Coded:
    """A format that imagecodecs codes."""

    name: str
    codec: str
    look: Callable[[Path, bytes, _Boxes], _Header]
    options: dict[str, Any]  # of the encoder
    bits: int = 16  # the most
    boxes: dict[str, tuple[bytes, bytes]] | None = None  # None: no box is kept

    def read(self, path: Path, limit: Limit) -> ImageFile:
        """Read a still image, grey or RGB, with or without alpha."""
        content = path.read_bytes()
        boxes, end = _boxes(content)
        header = self.look(path, content, boxes)
        limit.check(path, header.size, -(-header.bits // 8))
        pixels = getattr(imagecodecs, f"{self.codec}_decode")(content)
        data, alpha, axes = split_alpha(np.ascontiguousarray(np.rot90(pixels, header.turns)))
        own = {"boxes": boxes, "bits": header.bits, "own": header.own}
        metadata: dict[str, Any] = {self.codec: own}
        metadata |= {"icc": header.icc} if header.icc else {}
        if header.bits not in (8, 16):
            metadata["shown"] = f"its values stay those of {header.bits} bits"
        for key, (name, start) in (self.boxes or {}).items():
            found = [p[len(start) :] for n, p in boxes if n == name and p.startswith(start)]
            metadata |= {key: found[0]} if found else {}
        if self is JXL and turned(metadata.get("exif", b"")) != 1:  # its pixels are upright
            metadata["exif"] = exif_of_tiff(io.BytesIO(metadata["exif"])) or b""
        others = (metadata.get(key, b"") for key in ("exif", "xmp", "icc"))
        zeros = check_zeros(path, content[:end], header.exif, *others) if self is not JXL else ()
        notes = (*header.notes, *notes_on_rest(len(content), end), *zeros)
        return ImageFile(data, axes, alpha, self.codec, metadata, path, notes)

    def size(self, path: Path, content: bytes) -> tuple[int, ...]:
        """Return the rows and columns that the header names, and the samples if it does."""
        return self.look(path, content, _boxes(content)[0]).size

    def refusal(self, image: ImageFile) -> str | None:
        """Say why the format cannot hold the image, or None."""
        if image.data.dtype == np.uint16 and self._bits(image) > self.bits:
            return f"{self.name} cannot hold more than {self.bits} bits; write a .png or .tif file"
        return plain_refusal(image, self.name, ("uint8", "uint16"), (1, 2, 3, 4))

    def write(self, handle: BinaryIO, image: ImageFile) -> None:
        """Write losslessly, with the boxes of the source or what another format's metadata give."""
        bits = self._bits(image)
        pixels = np.minimum(interleaved(image), image.data.dtype.type((1 << bits) - 1))
        encode = getattr(imagecodecs, f"{self.codec}_encode")
        found = image.metadata.get(self.codec, {})
        options = self.options | found.get("own", {})
        coded, own = bytes(encode(pixels, bitspersample=bits, **options)), found.get("boxes", [])
        if self.boxes is None or not (own or {*self.boxes} & {*image.metadata}):
            handle.write(coded)
            return
        new, _ = _boxes(coded)
        if not own:
            pairs = ((self.boxes[key], image.metadata.get(key)) for key in self.boxes)
            own = new + [(name, start + value) for (name, start), value in pairs if value]
        left = [box for box in new if box[0] in _PIXELS]
        for name, payload in own:
            if name not in _PIXELS:
                _put(handle, name, payload)
            while left and name in _PIXELS:
                _put(handle, *left.pop(0))

    def _bits(self, image: ImageFile) -> int:
        return image.metadata.get(self.codec, {}).get("bits", 8 * image.data.dtype.itemsize)


def _boxes(content: bytes) -> tuple[_Boxes, int]:
    """Return name and payload of each box of an ISO base media file, and where the image ends."""
    if bare := re.match(rb"\xff(\x4f.*\xff\xd9|[\x4f\x0a].*)", content, re.DOTALL):
        return [], bare.end()
    boxes, position = [], 0
    while re.match(rb".{4}[ -~]{4}", content[position : position + 8], re.DOTALL):
        size, head = int.from_bytes(content[position : position + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(content[position + 8 : position + 16], "big"), 16
        end = position + size if size else len(content)
        if end > len(content) and content[position + 4 : position + 8] not in _PIXELS:
            break  # it is no box, or the rest of one that no picture needs
        boxes.append((content[position + 4 : position + 8], content[position + head : end]))
        position = max(end, position + 8)
    return boxes, position


def _put(handle: BinaryIO, name: bytes, payload: bytes) -> None:
    size = len(payload) + 8
    long = size >= 1 << 32
    handle.write((1 if long else size).to_bytes(4, "big") + name)
    handle.write(((size + 8).to_bytes(8, "big") if long else b"") + payload)


def _jpeg_2000(path: Path, content: bytes, boxes: _Boxes) -> _Header:
    found = dict(boxes)
    code = found.get(b"jp2c", content)
    start = code.find(b"\xff\x51")
    numbers = [int.from_bytes(code[i : i + 4], "big") for i in range(start + 6, start + 22, 4)]
    count = int.from_bytes(code[start + 38 : start + 40], "big")
    depths = {code[start + 40 + 3 * i : start + 43 + 3 * i] for i in range(count)}
    if start < 0 or len(depths) != 1 or (depth := depths.pop())[1:] != b"\1\1" or depth[0] > 15:
        raise FileError(f"{path} uses a rare JPEG 2000 coding; convert it to TIFF")
    own = found.get(b"jp2h", b"")
    at = own.find(b"colr\2") - 4
    icc = own[at + 11 : at + int.from_bytes(own[at : at + 4], "big")] if at >= 0 else None
    if b"pclr" in own or b"colr\1\0\0\0\0\0\x12" in own:  # palette and YCC become RGB
        boxes.clear()
    coding = code.find(b"\xff\x52")
    notes = [_LOSSY] if code[coding + 13 : coding + 14] == b"\0" else []
    size = numbers[1] - numbers[3], numbers[0] - numbers[2], count
    return _Header(size, depth[0] + 1, notes, icc=icc)


def _avif(path: Path, content: bytes, boxes: _Boxes) -> _Header:
    with Image.open(io.BytesIO(content), formats=("AVIF",)) as image:
        size, bands, info = image.size[::-1], len(image.getbands()), image.info
        if image.is_animated:  # pyright: ignore[reportAttributeAccessIssue]
            raise FileError(f"{path}: animated images are not supported; extract one frame")
    meta = dict(boxes).get(b"meta", b"")
    if b"imir" in meta:
        raise FileError(f"{path} is stored mirrored; convert it")
    flags = re.search(rb"av1C.{2}(.)", meta, re.DOTALL)
    turn = re.search(rb"\0\0\0\x09irot([\0-\3])", meta)
    deep = flags[1][0] if flags else 0
    lost = {"exif": "EXIF", "xmp": "XMP", "icc_profile": "the colour profile"}
    lost = [word for key, word in lost.items() if info.get(key)]
    notes = [_LOSSY] + [f"{' and '.join(lost)} of the AVIF file are not kept."] * bool(lost)
    colours = re.search(rb"nclx\0(.)\0(.)", meta, re.DOTALL)
    own = {"primaries": colours[1][0], "transfer": colours[2][0]} if colours else {}
    bits = 12 if deep & 0x20 else 10 if deep & 0x40 else 8
    turns, icc = turn[1][0] if turn else 0, info.get("icc_profile")
    return _Header((*size, bands), bits, notes, turns, icc, info.get("exif", b""), own)


_SIDE = (1, 9), (1, 13), (1, 18), (1, 30)


class _Bits:
    """The bits of a JPEG XL header (ISO/IEC 18181-1, annexes A to D)."""

    def __init__(self, code: bytes) -> None:
        self._left = int.from_bytes(code, "little")

    def take(self, count: int) -> int:
        """Return the next bits as a number."""
        value = self._left & (1 << count) - 1
        self._left >>= count
        return value

    def number(self, *ways: tuple[int, int]) -> int:
        """Return a number in one of four ways: an offset and the bits added to it."""
        offset, count = ways[self.take(2)]
        return offset + self.take(count)

    def size(self) -> tuple[int, int]:
        """Return rows and columns."""
        small = self.take(1)

        def side() -> int:
            return 8 * (1 + self.take(5)) if small else self.number(*_SIDE)

        rows = side()
        ratios = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
        ratio = self.take(3)
        return rows, rows * ratios[ratio][0] // ratios[ratio][1] if ratio else side()


def _jpeg_xl(path: Path, content: bytes, boxes: _Boxes) -> _Header:
    parts = (p if n == b"jxlc" else p[4:] for n, p in boxes if n in (b"jxlc", b"jxlp"))
    bits = _Bits((next(parts, b"") if boxes else content)[2:64])
    size, depth, notes = bits.size(), 8, [_LOSSY]
    if bits.take(1):  # all else as usual
        return _Header(size, depth, notes)
    if bits.take(1) and bits.take(6) >> 3:  # after the orientation: a second size, preview, frames
        raise FileError(f"{path} is a rare kind of JPEG XL (animation, preview); convert it")
    if bits.take(1):
        raise FileError(f"{path} has floating-point values in JPEG XL; convert it to TIFF")
    depth = bits.number((8, 0), (10, 0), (12, 0), (1, 6))
    bits.take(1)
    extra = bits.number((0, 0), (1, 0), (2, 4), (1, 12))
    usual = all(bits.take(1) for _ in range(extra)) and bits.take(2) >> 1
    if not usual and (extra or bits.take(3) != 2):  # not grey
        notes.append("The colour profile of the JPEG XL file, if it is not sRGB, is not kept.")
    return _Header(size, depth, notes)


JXL = Coded("JPEG XL", "jpegxl", _jpeg_xl, {"lossless": True, "usecontainer": True}, 16, _JXL_BOXES)
AVIF = Coded("AVIF", "avif", _avif, {"level": 100}, 12)
JP2 = Coded("JPEG 2000", "jpeg2k", _jpeg_2000, {"level": 0, "reversible": True}, 16, _JP2_BOXES)
J2K = Coded("JPEG 2000", "jpeg2k", _jpeg_2000, JP2.options | {"codecformat": "j2k"})
