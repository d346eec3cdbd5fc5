"""Files and comparisons for the tests of reading and writing."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from zspot.core.errors import FileError
from zspot.io import read, write

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TYPES = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]
SUFFIXES = [".png", ".jpg", ".tif", ".webp", ".bmp", ".npy"]
# Where the pixels lie and how long their compressed form is: the only tags that may change.
PLACES = {273, 279, 324, 325}


def noise(shape, kind="u1", seed=0):
    return (np.random.default_rng(seed).random(shape) * 200).astype(kind)


def opened(path):
    return Image.open(io.BytesIO(path.read_bytes()))


def make(path, pixels=None):
    """Write a plain image of the kind that the suffix names, without zspot."""
    pixels = noise((20, 30, 3)) if pixels is None else pixels
    if path.suffix == ".npy":
        np.save(path, pixels)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="rgb", metadata=None)
    else:
        Image.fromarray(pixels).save(path, **({"lossless": True} if path.suffix == ".webp" else {}))
    return path


def one_line(caught, *words):
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 800
    for word in words:
        assert word in text


def refused(path, most, cuts):
    """Check that a file is refused above a limit of `most` values, and where it is cut."""
    with pytest.raises(FileError) as caught:
        read(path, max_pixels=most)
    one_line(caught, str(path), "more than the limit")
    content = path.read_bytes()
    for cut in cuts:
        path.write_bytes(content[:cut])
        with pytest.raises(FileError) as caught:
            read(path)
        one_line(caught, str(path))
    return content


def tags_of(path, allowed=PLACES):
    """All tags of all pages, as their types and values."""
    with tifffile.TiffFile(path) as tif:
        return [
            {t.code: (t.dtype, t.count, repr(t.value)) for t in page.tags if t.code not in allowed}
            for page in tif.pages
            if isinstance(page, tifffile.TiffPage)
        ]


def copy_with_new_pixels(tmp_path, source, seed=1):
    """Read, replace the pixels by noise, write; return record, new pixels, and target."""
    image = read(source)
    new = noise(image.data.shape, image.data.dtype, seed)
    target = tmp_path / f"target{source.suffix}"
    write(target, image.replace(new), overwrite=True)
    return image, new, target
