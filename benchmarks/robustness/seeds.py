"""Valid files of every format, small, as the seeds of the fuzz run; and their mutations."""

from __future__ import annotations

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


def seeds() -> dict[str, Files]:
    """Return the seeds by the name of the file that they are written to."""
    makers = {**_plain(), **_tiffs(), **_stores(), **_microscope(), **_raw()}
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
        "imagej.tif": lambda p: tiff(p, stack, imagej=True, metadata={"axes": "TZYX"}),
    }


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

    return {"v2.zarr": lambda p: store(p, 2), "v3.zarr": lambda p: store(p, 3)}


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
    kind = rng.integers(8)
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
    else:  # a digit, as headers of text have them
        digits = [i for i, byte in enumerate(content[:2000]) if 48 <= byte <= 57]
        if digits:
            content[int(rng.choice(digits))] = 48 + int(rng.integers(10))
    return content
