"""PNG: pixels by a decoder written here, chunks by a parser written here, so nothing is shared."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tests.io_help import ICC
from zspot.core.errors import FileError
from zspot.io import read, write

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR = {1: 0, 2: 4, 3: 2, 4: 6}


def chunk(name, payload):
    return (
        struct.pack(">I", len(payload))
        + name
        + payload
        + struct.pack(">I", zlib.crc32(name + payload))
    )


def chunks_of(content):
    found, position = [], 8
    while position < len(content):
        (size,) = struct.unpack(">I", content[position : position + 4])
        found.append((content[position + 4 : position + 8], content[position + 8 :][:size]))
        position += size + 12
    return found


def encode(pixels, before=(), after=()):
    """Make a PNG of unfiltered rows."""
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, samples = pixels.shape
    big = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in big)
    head = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, COLOUR[samples], 0, 0, 0)
    parts = [(b"IHDR", head), *before, (b"IDAT", zlib.compress(rows)), *after, (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(*part) for part in parts)


def paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else (b if pb <= pc else c)


def decode(content):
    """Undo the row filters of a non-interlaced PNG of 8 or 16 bits."""
    chunks = chunks_of(content)
    width, height, bits, colour = struct.unpack(">IIBB", chunks[0][1][:10])
    samples = {v: k for k, v in COLOUR.items()}[colour]
    raw = zlib.decompress(b"".join(payload for name, payload in chunks if name == b"IDAT"))
    step = samples * bits // 8
    size = width * step
    above, out = [0] * (size + step), b""
    for y in range(height):
        kind, *line = raw[y * (size + 1) : (y + 1) * (size + 1)]
        row = [0] * step
        for x, value in enumerate(line):
            a, b, c = row[x], above[x + step], above[x]
            guess = (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]
            row.append((value + guess) & 255)
        above = row
        out += bytes(row[step:])
    pixels = np.frombuffer(out, f">u{bits // 8}").reshape(height, width, samples)
    return pixels[..., 0] if samples == 1 else pixels


def sample(rng, shape, dtype):
    return rng.integers(0, np.iinfo(dtype).max, shape, endpoint=True).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_everything_is_kept(tmp_path, dtype, samples):
    rng = np.random.default_rng(samples)
    pixels = sample(rng, (7, 9, samples), dtype)
    exif = Image.Exif()
    exif[274], exif[271] = 6, "maker"
    background = bytes(2 if samples < 3 else 6)
    before = [
        (b"gAMA", struct.pack(">I", 45455)),
        (b"cHRM", struct.pack(">8I", *range(8))),
        (b"iCCP", b"my profile\0\0" + zlib.compress(ICC)),
        (b"sBIT", bytes([8] * samples)),
        (b"bKGD", background),
        (b"pHYs", struct.pack(">IIB", 11811, 5905, 1)),
        (b"eXIf", exif.tobytes()[6:]),
        (b"tEXt", b"Description\0a noisy image"),
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"compressed")),
        (b"tIME", struct.pack(">HBBBBB", 2024, 2, 29, 1, 2, 3)),
        (b"prVt", b"private, safe to copy: lower-case last letter"),
    ]
    before = [(name[:3] + b"t" if name == b"prVt" else name, payload) for name, payload in before]
    after = [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta/>"), (b"tEXt", b"Author\0me")]
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    source.write_bytes(encode(pixels, before, after))

    image = read(source)
    assert image.axes == ("YX" if samples < 3 else "YXS")
    assert image.channel_axis == (None if samples < 3 else 2)
    colours = samples - (samples in (2, 4))
    np.testing.assert_array_equal(image.data, pixels[..., :colours].squeeze())
    assert image.data.dtype == dtype
    if samples in (2, 4):
        np.testing.assert_array_equal(image.alpha, pixels[..., -1])
    else:
        assert image.alpha is None
    assert image.metadata["icc"] == ICC
    assert image.metadata["xmp"] == b"<x:xmpmeta/>"
    assert image.metadata["resolution"] == (118.11, 59.05, "cm")
    assert image.metadata["description"] == "a noisy image"
    assert image.notes == ()

    write(target, image.replace(image.data // 2))
    content = target.read_bytes()
    expected = pixels.copy()
    expected[..., :colours] //= 2
    np.testing.assert_array_equal(decode(content), expected.squeeze())
    written = [item for item in chunks_of(content) if item[0] not in (b"IHDR", b"IDAT", b"IEND")]
    assert written == before + after
    names = [name for name, _ in chunks_of(content)]
    assert names[0] == b"IHDR"
    assert names[-1] == b"IEND"
    assert names.index(b"tIME") < names.index(b"IDAT") < names.index(b"iTXt")
    picture = Image.open(io.BytesIO(content))
    assert picture.info["icc_profile"] == ICC
    assert picture.getexif()[274] == 6
    assert picture.info["dpi"] == pytest.approx((299.9994, 149.987))
    picture.load()
    assert picture.info["Author"] == "me"


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 4),
    st.sampled_from([np.uint8, np.uint16]), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_round_trip_is_exact(tmp_path_factory, height, width, samples, dtype, seed):
    folder = tmp_path_factory.mktemp("png")
    pixels = sample(np.random.default_rng(seed), (height, width, samples), dtype)
    (folder / "a.png").write_bytes(encode(pixels))
    image = read(folder / "a.png")
    assert image.data.shape == (height, width, 3)[: image.data.ndim]
    write(folder / "b.png", image)
    result = decode((folder / "b.png").read_bytes())
    np.testing.assert_array_equal(result.reshape(pixels.shape), pixels)
    assert result.dtype.itemsize == pixels.dtype.itemsize


def test_palette_is_expanded(tmp_path):
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    picture = Image.fromarray(indices).convert("P")
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    picture.save(tmp_path / "a.png", bits=8)
    image = read(tmp_path / "a.png")
    colours = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90]], np.uint8)
    np.testing.assert_array_equal(image.data, colours[indices])
    assert "palette" in image.notes[0]
    write(tmp_path / "b.png", image)
    np.testing.assert_array_equal(decode((tmp_path / "b.png").read_bytes()), colours[indices])
    assert b"PLTE" not in dict(chunks_of((tmp_path / "b.png").read_bytes()))

    picture.save(tmp_path / "c.png", bits=8, transparency=bytes([0, 128, 255]))
    image = read(tmp_path / "c.png")
    np.testing.assert_array_equal(image.alpha, np.array([0, 128, 255], np.uint8)[indices])
    assert image.data.shape == (3, 4, 3)
    assert len(image.notes) == 2


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_are_scaled(tmp_path, bits):
    values = np.arange(16, dtype=np.uint8).reshape(2, 8) % (1 << bits)
    flags = np.unpackbits(values[..., None], axis=-1)[..., 8 - bits :]
    rows = np.packbits(flags.reshape(2, -1), axis=-1)
    head = struct.pack(">IIBBBBB", 8, 2, bits, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = ((b"IHDR", head), (b"bKGD", b"\0\1"), (b"IDAT", data), (b"IEND", b""))
    (tmp_path / "a.png").write_bytes(SIGNATURE + b"".join(chunk(*p) for p in parts))
    image = read(tmp_path / "a.png")
    np.testing.assert_array_equal(image.data, values * (255 // ((1 << bits) - 1)))
    assert f"{bits}-bit" in image.notes[0]
    assert "bKGD" in image.notes[1]


def test_colour_key_becomes_alpha(tmp_path):
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    (tmp_path / "a.png").write_bytes(encode(pixels, [(b"tRNS", b"\0\4")]))
    image = read(tmp_path / "a.png")
    np.testing.assert_array_equal(image.data, pixels)
    np.testing.assert_array_equal(image.alpha, np.where(pixels == 4, 0, 255))
    write(tmp_path / "b.png", image.replace(image.data + 1))
    result = decode((tmp_path / "b.png").read_bytes())
    np.testing.assert_array_equal(result, np.dstack([pixels + 1, image.alpha]))


def test_interlaced_is_read(tmp_path):
    # Adam7 of a 1x1 image is one pass of one pixel.
    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 1)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0\x7b")), (b"IEND", b""))
    (tmp_path / "a.png").write_bytes(SIGNATURE + b"".join(chunk(*p) for p in parts))
    assert read(tmp_path / "a.png").data.tolist() == [[123]]


def test_chunks_bound_to_pixels_are_dropped_and_named(tmp_path):
    pixels = np.zeros((2, 2), np.uint8)
    (tmp_path / "a.png").write_bytes(encode(pixels, [(b"abCD", b"unsafe"), (b"abCd", b"safe")]))
    image = read(tmp_path / "a.png")
    assert "abCD" in image.notes[0]
    write(tmp_path / "b.png", image)
    names = [name for name, _ in chunks_of((tmp_path / "b.png").read_bytes())]
    assert b"abCd" in names
    assert b"abCD" not in names


def test_damage_is_reported(tmp_path):
    pixels = sample(np.random.default_rng(0), (20, 20, 3), np.uint8)
    content = encode(pixels, [(b"tEXt", b"Author\0me")])
    path = tmp_path / "a.png"
    damaged = {
        "checksum": content.replace(b"Author\0me", b"Author\0ME"),
        "truncated": content[: len(content) // 2],
        "header": SIGNATURE + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
        "no PNG colour type": content.replace(
            content[8:33], chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 20, 8, 5, 0, 0, 0))
        ),
        "no pixels": content.replace(
            content[8:33], chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 20, 8, 2, 0, 0, 0))
        ),
        "limit": content.replace(
            content[8:33], chunk(b"IHDR", struct.pack(">IIBBBBB", 2**30, 2**30, 8, 2, 0, 0, 0))
        ),
        "decoded": content.replace(
            content[8:33], chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 40, 8, 2, 0, 0, 0))
        ),
        "animated": encode(pixels, [(b"acTL", struct.pack(">II", 2, 0))]),
    }
    for words, bad in damaged.items():
        path.write_bytes(bad)
        with pytest.raises(FileError, match=words) as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_written_by_pillow_with_text(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Title", "Ünïcode", lang="de", tkey="Titel")
    info.add_text("Note", "x" * 2000, zip=True)
    Image.fromarray(np.full((4, 5, 3), 9, np.uint8)).save(tmp_path / "a.png", pnginfo=info)
    write(tmp_path / "b.png", read(tmp_path / "a.png"))
    picture = Image.open(tmp_path / "b.png")
    picture.load()
    assert picture.info["Title"] == "Ünïcode"
    assert picture.info["Note"] == "x" * 2000
