"""How the pixels of a TIFF file become bytes: bits, predictor, compression."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np

COMPRESSION = 259
_BITS, _PHOTOMETRIC, _FILL_ORDER, _PREDICTOR = 258, 262, 266, 317
_DEFLATE, _PACKBITS, _GREY, _RGB, _YCBCR = 8, 32773, 1, 2, 6

_ENCODERS: dict[int, Callable[[bytes], Any]] = {
    1: bytes,
    5: imagecodecs.lzw_encode,
    # libdeflate: the same format as zlib, smaller and several times faster.
    _DEFLATE: imagecodecs.deflate_encode,
    32946: imagecodecs.deflate_encode,
    50000: imagecodecs.zstd_encode,
    34925: lambda raw: imagecodecs.lzma_encode(raw),
}
#: Compressions of which none is denser than deflate.
DEFLATED = frozenset({1, _DEFLATE, 32946, _PACKBITS})


@dataclass(frozen=True)
class Coding:
    """How samples are stored."""

    dtype: np.dtype  # in the byte order of the file
    bits: int  # of a sample
    compression: int  # as the tag names it
    predictor: int  # as the tag names it
    patches: dict[int, int]  # tags whose values change in writing

    @property
    def whole_bytes(self) -> bool:
        """Whether samples are stored as the array holds them."""
        return self.bits == 8 * self.dtype.itemsize

    def encode(self, block: np.ndarray) -> bytes:
        """Code a strip or tile (rows, columns, samples)."""
        columns, samples = block.shape[1:]
        if not self.whole_bytes:
            largest = (1 << self.bits) - 1
            packed = np.minimum(block, largest).ravel()
            raw = imagecodecs.packints_encode(packed, self.bits, runlen=columns * samples)
        elif self.predictor == 3:
            raw = imagecodecs.floatpred_encode(block.astype(self.dtype), axis=-2).tobytes()
        elif self.predictor == 2:
            raw = imagecodecs.delta_encode(block, axis=-2).astype(self.dtype).tobytes()
        else:
            raw = block.astype(self.dtype).tobytes()
        if self.compression == _PACKBITS:
            # PackBits must not run across rows.
            size = len(raw) // block.shape[0]
            lines = (raw[i : i + size] for i in range(0, len(raw), size))
            return b"".join(bytes(imagecodecs.packbits_encode(line)) for line in lines)
        return bytes(_ENCODERS[self.compression](bytes(raw)))


def coding_of(key: Any, order: str) -> tuple[Coding, list[str]]:
    """Choose how the pixels of a page are written; say what changes."""
    compression, predictor, patches, notes = int(key.compression), int(key.predictor), {}, []
    whole = 8 * key.dtype.itemsize
    if compression not in (*_ENCODERS, _PACKBITS) or predictor not in (1, 2, 3):
        name = getattr(key.compression, "name", str(key.compression))
        notes.append(f"{name} compression is replaced by lossless deflate; the file may grow.")
        compression, predictor = _DEFLATE, 1
        patches |= {COMPRESSION: _DEFLATE, _BITS: whole}
        if _PREDICTOR in key.tags:
            patches[_PREDICTOR] = 1
        if int(key.photometric) == _YCBCR:
            patches[_PHOTOMETRIC] = _RGB if key.samplesperpixel >= 3 else _GREY
    # A mixture of bits for each sample, such as RGB 565, is unpacked to whole bytes.
    mixed = not isinstance(key.bitspersample, int)
    if mixed or key.dtype.kind == "f":
        patches[_BITS] = whole
    elif key.bitspersample % 8 and _BITS not in patches and not _can_pack():
        notes.append(f"The {key.bitspersample}-bit values are written as 16-bit numbers.")
        patches[_BITS] = whole
    if _FILL_ORDER in key.tags:
        patches[_FILL_ORDER] = 1
    bits = patches.get(_BITS, key.bitspersample)
    dtype = key.dtype.newbyteorder(order)
    return Coding(dtype, bits, compression, predictor, patches), notes


def _can_pack() -> bool:
    try:
        imagecodecs.packints_encode(np.zeros(2, np.uint16), 12, runlen=2)
    except (NotImplementedError, AttributeError):  # older imagecodecs only unpack
        return False
    return True
