"""DICOM: grey or RGB, 8 to 32 bits, one frame or many (extra `dicom`)."""

import copy
import hashlib
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zspot._version import __version__
from zspot.core.errors import FileError
from zspot.io.checks import Limit, check_pixel_type
from zspot.io.image_file import ImageFile

_LITTLE_ENDIAN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")  # implicit and explicit
_DEFLATED, _MOST_DEFLATED = "1.2.840.10008.1.2.1.99", 2**20  # bytes, which may become a gigabyte


def read(path: Path, limit: Limit) -> ImageFile:
    """Read a DICOM file; several frames are planes ("QYX"), values are as they are stored."""
    import pydicom
    from pydicom.filereader import read_file_meta_info
    from pydicom.pixels.utils import pixel_array

    with warnings.catch_warnings(action="ignore"):  # files may break rules where it does no harm
        packed = read_file_meta_info(path).get("TransferSyntaxUID") == _DEFLATED
        if packed and path.stat().st_size > _MOST_DEFLATED:
            raise FileError(f"{path} is large and deflated as a whole; convert it to a plain one")
        source = pydicom.dcmread(path)
        del source[0:0x00020000]  # elements of no file, as which padding behind the image is read
        colour = source.get("PhotometricInterpretation", "")
        if "PixelData" not in source or source.BitsAllocated < 8 or colour.startswith("PALETTE"):
            raise FileError(f"{path} has no grey or RGB pixels of whole numbers; convert it")
        frames, samples = int(source.get("NumberOfFrames") or 1), source.SamplesPerPixel
        sizes = {"Q": frames, "Y": source.Rows, "X": source.Columns, "S": samples}
        limit.check(path, tuple(sizes.values()), source.BitsAllocated // 8)
        axes = "".join(letter for letter in sizes if letter in "YX" or sizes[letter] > 1)
        bits, high = source.BitsStored, source.get("HighBit", source.BitsStored - 1)
        overlays = [t for t in list(source.keys()) if t.elem == 0x102 and t.group >> 8 == 0x60]
        if high != bits - 1 or any(source[tag].value for tag in overlays):
            raise FileError(f"{path} keeps other things in the spare bits of pixels; convert it")
        _check_decoder(path, source)
        _check_spare_bits(path, source)
    with warnings.catch_warnings(record=True, action="always") as warned:
        pixels = pixel_array(source)
    data = pixels.astype(pixels.dtype.newbyteorder("=")).reshape([sizes[a] for a in axes])
    check_pixel_type(path, data.dtype)
    del source.PixelData
    metadata: dict[str, Any] = {"dicom": source}
    if colour == "MONOCHROME1":
        metadata["shown"] = "black and white are stored the other way round"
    elif (source.get("RescaleSlope") or 1, source.get("RescaleIntercept") or 0) != (1, 0):
        metadata["shown"] = "the stored numbers are kept, without RescaleSlope and RescaleIntercept"
    padding = source.get("PixelPaddingValue")
    if padding is not None and samples == 1:
        low, high = sorted((int(padding), int(source.get("PixelPaddingRangeLimit", padding))))
        metadata["valid"] = (data < low) | (data > high)
    notes = tuple(f"{w.message}: look at the result." for w in warned if "RLE" in str(w.message))
    notes += ("The YBR colours are written as RGB.",) if colour.startswith("YBR") else ()
    if source.file_meta.TransferSyntaxUID not in _LITTLE_ENDIAN:
        name = source.file_meta.TransferSyntaxUID.name
        notes += (f"{name} is replaced by Explicit VR Little Endian; the file may grow.",)
    return ImageFile(data, axes, None, "dicom", metadata, path, notes)


def _check_decoder(path: Path, source: Any) -> None:
    """Refuse pixels that are coded in a way for which a package is missing."""
    from pydicom.pixels.decoders.base import get_decoder

    syntax = source.file_meta.TransferSyntaxUID
    if syntax.is_compressed and not (coder := get_decoder(syntax)).is_available:
        needs = " or ".join(coder.missing_dependencies)
        raise FileError(f"{path} is coded as {syntax.name}; pip install what decodes it ({needs})")


def _check_spare_bits(path: Path, source: Any) -> None:
    """Refuse plain pixels beyond the bits that are said to be used, which decoders cut off."""
    syntax, size, bits = source.file_meta.TransferSyntaxUID, source.BitsAllocated, source.BitsStored
    if not syntax.is_compressed and size in (16, 32) and bits < size:
        kind = f"{'<' if syntax.is_little_endian else '>'}{'ui'[source.PixelRepresentation]}"
        stored = np.frombuffer(source.PixelData, f"{kind}{size // 8}")
        if stored.min() < -(1 << bits - 1) or stored.max() >= 1 << bits:
            raise FileError(f"{path} has pixels of more than the {bits} bits it names; convert it")


def refusal(image: ImageFile) -> str | None:
    """Say why DICOM cannot hold the image, or None."""
    why = "DICOM is written from DICOM only, as it needs a patient and a study; write a .tif file"
    return None if "dicom" in image.metadata else why


def write(handle: BinaryIO, image: ImageFile) -> None:
    """Write the tags of the source around the new pixels, as a derived image."""
    from pydicom import dcmwrite
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    made = copy.deepcopy(image.metadata["dicom"])
    bits, signed = made.BitsStored, image.data.dtype.kind == "i"
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    data = np.clip(image.data, low, high)
    colour = "RGB" if made.SamplesPerPixel > 1 else made.PhotometricInterpretation
    if made.file_meta.TransferSyntaxUID not in _LITTLE_ENDIAN:
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    with warnings.catch_warnings(action="ignore"):
        made.set_pixel_data(data, colour, bits, generate_instance_uid=False)
        digest = hashlib.sha256(data.tobytes()).hexdigest()  # the same result, the same identifier
        made.SOPInstanceUID = generate_uid(entropy_srcs=[str(made.get("SOPInstanceUID")), digest])
        made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
        made.ImageType = ["DERIVED", "SECONDARY", *list(made.get("ImageType") or ())[2:]]
        earlier = [made.DerivationDescription] if made.get("DerivationDescription") else []
        made.DerivationDescription = "; ".join([*earlier, f"denoised by zspot {__version__}"])
        dcmwrite(handle, made, enforce_file_format=True)
