"""Valid files of every format, small, as the seeds of the fuzz run; and their mutations."""

from __future__ import annotations

import re
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import tifffile

Files = dict[str, bytes]  # names inside a Zarr folder, or the one name "" of a file

_INTERESTING = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)

_NUMBERS = (0, -1, 3, 65536, 400_000_000, 2**62, 10**30)


def seeds() -> dict[str, Files]:
    """Return the seeds by the name of the file that they are written to."""
    makers = {**_plain(), **_coded(), **_science(), **_tiffs(), **_stores()}
    makers |= {**_microscope(), **_raw(), **_texts()}
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in makers.items():
            path = Path(folder, name)
            make(path)
            if path.is_dir():
                files = (p for p in path.rglob("*") if p.is_file())
                out[name] = {str(p.relative_to(path)): p.read_bytes() for p in sorted(files)}
            else:
                out[name] = {"": path.read_bytes()}
    return out


def _noise(*shape: int, dtype: str = "uint8") -> np.ndarray:
    rng = np.random.default_rng(0)
    if dtype.startswith("float"):
        return rng.normal(5, 2, shape).astype(dtype)
    return rng.integers(0, 255, shape).astype(dtype)


def _plain() -> dict[str, Callable[[Path], object]]:
    from PIL import Image

    def palette(path: Path) -> None:
        Image.fromarray(_noise(12, 14, 3)).convert("P").save(path)

    def exif(path: Path, **options: Any) -> None:
        tags = Image.Exif()
        tags[0x0112], tags[0x013B] = 6, "someone"
        Image.fromarray(_noise(12, 14, 3)).save(path, exif=tags, dpi=(72, 72), **options)

    return {
        "rgba.png": lambda p: iio.imwrite(p, _noise(12, 14, 4)),
        "grey16.png": lambda p: iio.imwrite(p, _noise(12, 14, dtype="uint16")),
        "palette.png": palette,
        "exif.png": exif,
        "photo.jpg": lambda p: exif(p, quality=90),
        "progressive.jpg": lambda p: exif(p, quality=90, progressive=1),
        "lossy.webp": exif,
        "lossless.webp": lambda p: iio.imwrite(p, _noise(12, 14, 4), lossless=True),
        "scan.bmp": lambda p: iio.imwrite(p, _noise(12, 14, 3)),
        "grey.npy": lambda p: np.save(p, _noise(12, 14, dtype="float32")),
        "stack.npy": lambda p: np.save(p, _noise(6, 12, 14, dtype="uint16")),
    }


def _coded() -> dict[str, Callable[[Path], object]]:
    import imagecodecs

    def smooth(dtype: str = "uint8") -> np.ndarray:
        rows, columns = np.mgrid[:48, :56]
        made = np.dstack([rows + columns, 2 * rows, 3 * columns]) / 2 + _noise(48, 56, 3) / 4
        return made.astype(dtype)

    def put(path: Path, content: object) -> None:
        path.write_bytes(bytes(content))  # type: ignore[call-overload]

    encode = imagecodecs
    return {
        "large.jpg": lambda p: put(p, encode.jpeg8_encode(smooth(), level=90)),
        "large.webp": lambda p: put(p, encode.webp_encode(smooth(), level=90, lossless=False)),
        "a.jxl": lambda p: put(p, encode.jpegxl_encode(smooth(), lossless=True, usecontainer=True)),
        "bare.jxl": lambda p: put(p, encode.jpegxl_encode(smooth(), level=80)),
        "a.avif": lambda p: put(p, encode.avif_encode(smooth(), level=100, speed=10)),
        "a.jp2": lambda p: put(p, encode.jpeg2k_encode(smooth("uint16"), level=0)),
        "lossy.j2k": lambda p: put(p, encode.jpeg2k_encode(smooth(), level=40, codecformat="j2k")),
    }


def _science() -> dict[str, Callable[[Path], object]]:
    """FITS, DICOM and OpenEXR."""

    def fits(path: Path) -> None:
        from astropy.io import fits as astropy_fits

        first = astropy_fits.PrimaryHDU(_noise(3, 20, 24, dtype="int16"))
        second = astropy_fits.ImageHDU(_noise(8, 9, dtype="float32"))
        astropy_fits.HDUList([first, second]).writeto(path)

    def dicom(path: Path, **options: Any) -> None:
        import pydicom
        from pydicom.dataset import FileMetaDataset
        from pydicom.uid import UID, ExplicitVRLittleEndian

        made = pydicom.Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7")
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
        made.PatientName, made.PatientID, made.PixelPaddingValue = "A^B", "1", 0
        made.set_pixel_data(_noise(20, 24, dtype="uint16"), "MONOCHROME2", 12)
        if options:
            made.compress(**options)
        pydicom.dcmwrite(path, made, enforce_file_format=True)

    def exr(path: Path, **options: Any) -> None:
        import OpenEXR

        names = ("R", "G", "B", "A")
        pixels = {name: _noise(24, 30, dtype="float32").astype(np.float16) for name in names}
        OpenEXR.File(dict(options), pixels).write(str(path))

    def tiled(path: Path) -> None:
        import OpenEXR

        exr(path, type=OpenEXR.tiledimage, tiles=OpenEXR.TileDescription())

    return {
        "cube.fits": fits,
        "plain.dcm": dicom,
        "rle.dcm": lambda p: dicom(p, transfer_syntax_uid="1.2.840.10008.1.2.5"),
        "lines.exr": exr,
        "tiles.exr": tiled,
    }


def _texts() -> dict[str, Callable[[Path], object]]:
    """Recipes, journals and weights."""
    import json

    import zspot
    from zspot.algorithms import METHODS
    from zspot.files.journal import NAME, Entry, Journal

    def recipe(path: Path) -> None:
        made = METHODS["bsn-ins"].make("fast")
        assert isinstance(made, zspot.Recipe)
        path.write_text(made.to_toml())

    def journal(path: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            with Journal(Path(folder)) as opened:
                for number in range(4):
                    entry = Entry(f"{number}.png", f"{number}.png", "done", f"sha256:{number}")
                    opened.add(entry)
            path.write_bytes(Path(folder, NAME).read_bytes())

    def weights(path: Path) -> None:
        content = (Path(zspot.__file__).parent / "weights/score.safetensors").read_bytes()
        length = int.from_bytes(content[:8], "little")
        listed = json.loads(content[8 : 8 + length])
        few = dict(list(listed.items())[:6])
        text = json.dumps(few).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :][:5000])

    return {"a.toml": recipe, "a.jsonl": journal, "a.safetensors": weights}


def _tiffs() -> dict[str, Callable[[Path], object]]:
    def tiff(path: Path, data: np.ndarray, **options: object) -> None:
        tifffile.imwrite(path, data, **options)  # type: ignore[arg-type]

    grey = _noise(20, 24, dtype="uint16")
    stack = _noise(2, 3, 20, 24, dtype="uint16")
    return {
        "plain.tif": lambda p: tiff(p, grey),
        "lzw.tif": lambda p: tiff(p, grey, compression="lzw", predictor=2, rowsperstrip=5),
        "tiles.tif": lambda p: tiff(p, grey, compression="zlib", tile=(16, 16)),
        "rgba.tif": lambda p: tiff(
            p, _noise(20, 24, 4), photometric="rgb", extrasamples=["unassalpha"]
        ),
        "float.tif": lambda p: tiff(p, _noise(20, 24, dtype="float32"), byteorder=">"),
        "big.tif": lambda p: tiff(p, stack[0], bigtiff=True, compression="zstd"),
        "stack.ome.tif": lambda p: tiff(p, stack, metadata={"axes": "TZYX"}, compression="zlib"),
        "jpeg.svs": lambda p: tiff(
            p,
            _noise(40, 48, 3),
            compression="jpeg",
            tile=(16, 16),
            description="Aperio Image Library v1\r\n40x48 |AppMag = 20",
        ),
        "jp2.tif": lambda p: tiff(p, _noise(32, 32), compression="jpeg2000", rowsperstrip=16),
        "lzma.tif": lambda p: tiff(p, grey, compression="lzma", rowsperstrip=5),
        "packbits.tif": lambda p: tiff(p, grey, compression="packbits", rowsperstrip=5),
        "set.ome.tif": _set,
        "imagej.tif": lambda p: tiff(p, stack, imagej=True, metadata={"axes": "TZYX"}),
    }


def _set(path: Path) -> None:
    """One file of an OME-TIFF set that names another one, which is not there."""
    tifffile.imwrite(path, _noise(20, 24, dtype="uint16"), ome=True, metadata={"axes": "YX"})
    text = str(tifffile.tiffcomment(path))
    uuid = '><UUID FileName="other.ome.tif">urn:uuid:1</UUID></TiffData>'
    place = text.index("<TiffData")
    end = text.index("/>", place)
    tifffile.tiffcomment(path, text[:end] + uuid + text[end + 2 :])


def _stores() -> dict[str, Callable[[Path], object]]:
    import zarr

    def store(path: Path, version: int) -> None:
        group = zarr.open_group(path, mode="w", zarr_format=version)  # type: ignore[arg-type]
        data = _noise(2, 16, 18, dtype="uint16")
        listed = []
        for level in range(2):
            part = data[..., :: 2**level, :: 2**level]
            group.create_array(str(level), data=part, chunks=(1, 8, 9))
            listed.append({"path": str(level)})
        axes = [{"name": name} for name in "zyx"]
        scales = {"multiscales": [{"axes": axes, "datasets": listed}]}
        group.attrs.update({"ome": scales} if version == 3 else scales)  # type: ignore[arg-type]

    def coded(path: Path, name: str, *, sharded: bool = False) -> None:
        from zarr.codecs import numcodecs

        data = _noise(2, 16, 18, dtype="uint16")
        zarr.create_array(
            path, data=data, chunks=(1, 8, 9), shards=(1, 16, 18) if sharded else None,
            compressors=[getattr(numcodecs, name)()],
        )  # fmt: skip

    return {
        "v2.zarr": lambda p: store(p, 2),
        "v3.zarr": lambda p: store(p, 3),
        "gzip.zarr": lambda p: coded(p, "GZip"),
        "lzma.zarr": lambda p: coded(p, "LZMA"),
        "shard.zarr": lambda p: coded(p, "Blosc", sharded=True),
    }


def _microscope() -> dict[str, Callable[[Path], object]]:
    """CZI; there is no library that writes ND2, so its seed is a bare header."""
    from pylibCZIrw import czi

    def make(path: Path) -> None:
        with czi.create_czi(str(path)) as document:
            for z in range(2):
                document.write(_noise(12, 14, dtype="uint16"), plane={"T": 0, "C": 0, "Z": z})

    head = b"\xda\xce\xbe\x0a" + (32).to_bytes(4, "little") + (64).to_bytes(8, "little")
    return {
        "scene.czi": make,
        "head.nd2": lambda p: p.write_bytes(
            head + b"ND2 FILE SIGNATURE CHUNK NAME01!" + b"Ver3.0" + bytes(4000)
        ),
    }


def _raw() -> dict[str, Callable[[Path], object]]:
    """A minimal DNG: Bayer pattern, 12 bits in 16."""

    def make(path: Path) -> None:
        matrix = [v for x in (1, 0, 0, 0, 1, 0, 0, 0, 1) for v in (x * 10000, 10000)]
        tags = [
            (33421, "H", 2, (2, 2), True),
            (33422, "B", 4, bytes([0, 1, 1, 2]), True),
            (50706, "B", 4, bytes([1, 4, 0, 0]), True),
            (50708, "s", 0, "zspot test", True),
            (50721, 10, 9, matrix, True),
            (50717, "I", 1, 4095, True),
        ]
        data = _noise(64, 64, dtype="uint16") * 16
        tifffile.imwrite(path, data, photometric="cfa", extratags=tags, metadata=None)  # type: ignore[arg-type]

    return {"bayer.dng": make}


def tear(content: bytes, rng: np.random.Generator) -> tuple[bytes, bool]:
    """Lose a part in the middle, at the end with the last bytes kept, or put zeros in its place.

    Also return whether it is zeros.
    """
    length = max(64, int(len(content) * rng.uniform(0.03, 0.6)))
    start = int(rng.integers(len(content) // 4, max(len(content) // 4 + 1, len(content) - length)))
    kind = rng.integers(3)
    if kind == 0:
        return content[:start] + content[start + length :], False
    if kind == 1:
        return content[:start] + content[-2:], False
    zeros = bytes(len(content[start : start + length]))
    return content[:start] + zeros + content[start + length :], True


def mutate(files: Files, others: list[bytes], rng: np.random.Generator) -> Files:
    """Return the files with a few mutations, two on average, in one of them."""
    files = dict(files)
    name = list(files)[int(rng.integers(len(files)))]
    if len(files) > 1 and rng.random() < 0.05:
        del files[name]
        return files
    content = bytearray(files[name])
    for _ in range(min(8, int(rng.geometric(0.5)))):
        content = _once(content, others, rng)
    if content[:4] == b"\x89PNG" and rng.random() < 0.7:
        content = _with_checksums(content)
    files[name] = bytes(content)
    return files


def _with_checksums(content: bytearray) -> bytearray:
    """Make the checksums of PNG chunks right, so that damage gets past them."""
    place = 8
    while place + 12 <= len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        end = place + 8 + size
        if end + 4 > len(content):
            break
        content[end : end + 4] = zlib.crc32(content[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return content


def _once(content: bytearray, others: list[bytes], rng: np.random.Generator) -> bytearray:
    if not content:
        return bytearray(rng.bytes(16))
    # Half of the mutations go to the first 200 bytes, where the headers are.
    reach = len(content) if rng.random() < 0.5 else min(200, len(content))
    start = int(rng.integers(reach))
    length = min(int(rng.integers(1, 65)), len(content) - start)
    kind = rng.integers(9)
    if kind == 0:
        content[start] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        content[start : start + length] = rng.bytes(length)
    elif kind == 2:  # a number at its limits, in either byte order
        size = int(rng.choice([1, 2, 4, 8]))
        value = int(rng.choice(_INTERESTING)) % 256**size
        order = "little" if rng.random() < 0.5 else "big"
        content[start : start + size] = value.to_bytes(size, order)
    elif kind == 3:
        del content[start:]
    elif kind == 4:
        del content[start : start + length]
    elif kind == 5:
        content[start:start] = content[start : start + length]
    elif kind == 6:
        other = others[int(rng.integers(len(others)))]
        place = int(rng.integers(len(other))) if other else 0
        content[start : start + length] = other[place : place + length]
    elif kind == 7:  # a number in a text becomes another one
        found = list(re.finditer(rb"[0-9]+", content[:4000]))
        if found:
            one = found[int(rng.integers(len(found)))]
            content[one.start() : one.end()] = str(rng.choice(_NUMBERS)).encode()
    else:  # a digit, as headers of text have them
        digits = [i for i, byte in enumerate(content[:2000]) if 48 <= byte <= 57]
        if digits:
            content[int(rng.choice(digits))] = 48 + int(rng.integers(10))
    return content
