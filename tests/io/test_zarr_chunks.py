"""Chunks of a Zarr array that unpack to more than their size, or are countless."""

import struct
import warnings

import numpy as np
import pytest

from tests.io_help import noise, one_line
from zspot.core.errors import FileError
from zspot.files import denoise_file
from zspot.recipe import Fit, Predict, Recipe, UNet

RECIPE = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(1), predict=Predict(1))


@pytest.mark.parametrize("codec", ["gzip", "zlib", "bz2", "lzma", "zstd", "lz4", "blosc"])
@pytest.mark.parametrize("sharded", [False, True])
def test_a_zarr_chunk_that_unpacks_to_more_than_its_size_is_refused(tmp_path, codec, sharded):
    zarr = pytest.importorskip("zarr")
    from zarr.codecs import numcodecs

    names = {"gzip": "GZip", "zlib": "Zlib", "bz2": "BZ2", "lzma": "LZMA", "zstd": "Zstd"}
    names |= {"lz4": "LZ4", "blosc": "Blosc"}

    def make(path, side):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of codecs that the format does not fix
            shape = (1, side, side)
            zarr.create_array(
                path, data=noise(shape, "u2"), chunks=(1, side // 2, side // 2),
                shards=shape if sharded else None,
                compressors=[getattr(numcodecs, names[codec])()],
            )  # fmt: skip

    make(tmp_path / "a.zarr", 64)
    make(tmp_path / "large.zarr", 512)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE)
        if sharded:
            chunk = swapped(tmp_path / "a.zarr/c/0/0/0", tmp_path / "large.zarr/c/0/0/0")
        else:
            chunk = tmp_path / "a.zarr/c/0/0/0"
            chunk.write_bytes((tmp_path / "large.zarr/c/0/0/0").read_bytes())
        with pytest.raises(FileError, match="copy it again") as caught:
            denoise_file(tmp_path / "a.zarr", tmp_path / "c.zarr", RECIPE)
    one_line(caught, str(chunk))


def swapped(path, large):
    """Put the first chunk of a large shard into a small one."""
    index = np.frombuffer(large.read_bytes()[-68:-4], "<u8").copy()
    content = large.read_bytes()[int(index[0]) : int(index[0] + index[1])]
    google_crc32c = pytest.importorskip("google_crc32c")
    new = np.array([0, len(content)] + [2**64 - 1] * 6, "<u8").tobytes()
    path.write_bytes(content + new + struct.pack("<I", google_crc32c.value(new)))
    return path


def test_a_vast_block_of_next_to_nothing_is_refused(tmp_path):
    zarr = pytest.importorskip("zarr")
    made = zarr.create_array(
        tmp_path / "a.zarr", shape=(20_000, 20_000), chunks=(64, 64), dtype="u1"
    )
    made[:64, :64] = noise((64, 64))
    with pytest.raises(FileError, match="bytes can hold"):
        denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE)


def test_a_zarr_plane_of_countless_chunks_is_refused(tmp_path):
    zarr = pytest.importorskip("zarr")
    zarr.create_array(tmp_path / "a.zarr", shape=(20_000, 20_000), chunks=(1, 1), dtype="u1")
    with pytest.raises(FileError, match="rechunk"):
        denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE)
