"""Full disks, read-only folders, lying headers, a torn journal: one line, nothing damaged."""

from __future__ import annotations

import os
import resource
import socket
import stat
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from zspot.core.errors import FileError, printable
from zspot.files import denoise_file
from zspot.files.folder import denoise_many
from zspot.files.journal import NAME
from zspot.io import open_stack, read
from zspot.recipe import Fit, Predict, Recipe, UNet

RECIPE = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(1), predict=Predict(1))


def noise(*shape, dtype="uint16") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, shape).astype(dtype)


def refusal(source: Path, target: Path, **options) -> str:
    with pytest.raises(FileError) as caught:
        denoise_file(source, target, RECIPE, **options)
    assert "\n" not in str(caught.value)
    assert str(target.parent) in str(caught.value)
    return str(caught.value)


def test_a_full_disk_is_a_line_for_a_file_a_stack_and_a_store(tmp_path, small_disk):
    zarr = pytest.importorskip("zarr")
    sources = [tmp_path / "a.npy", tmp_path / "a.tif", tmp_path / "a.zarr"]
    np.save(sources[0], noise(320, 400))
    tifffile.imwrite(sources[1], noise(2, 320, 400), photometric="minisblack")
    zarr.create_array(sources[2], data=noise(2, 320, 400), chunks=(1, 320, 400), compressors=None)
    (small_disk / "old.npy").write_bytes(b"precious")
    for source in sources:
        target = small_disk / f"old{source.suffix}"
        assert "the disk is full" in refusal(source, target, overwrite=True)
    assert sorted(p.name for p in small_disk.iterdir()) == ["old.npy"]
    assert (small_disk / "old.npy").read_bytes() == b"precious"


def test_a_read_only_disk_is_a_line(tmp_path, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in/a.npy", noise(20, 24))
    assert "writable" in refusal(tmp_path / "in/a.npy", small_disk / "b.npy")
    for out in (small_disk, small_disk / "new"):
        with pytest.raises(FileError, match="read-only"):
            denoise_many(tmp_path / "in", out, RECIPE)


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_a_file_that_may_not_grow_leaves_nothing(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(4, 80, 80), photometric="minisblack")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    try:
        said = refusal(tmp_path / "a.tif", tmp_path / "b.tif")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "too large for this file system" in said
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def _png(path: Path, width: int, height: int, pixels: bytes) -> None:
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))]
    chunks += [(b"IDAT", pixels), (b"IEND", b"")]
    with path.open("wb") as handle:
        handle.write(b"\x89PNG\r\n\x1a\n")
        for name, body in chunks:
            check = zlib.crc32(name + body)
            handle.write(struct.pack(">I", len(body)) + name + body + struct.pack(">I", check))


def test_headers_that_promise_more_than_there_is(tmp_path):
    """Refused before room is made: the limit below would be passed by any such allocation."""
    _png(tmp_path / "huge.png", 200_000, 100_000, zlib.compress(bytes(1000)))
    _png(tmp_path / "large.png", 20_000, 20_000, zlib.compress(bytes(1000)))
    with (tmp_path / "huge.npy").open("wb") as handle:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**5, 125_000)}
        np.lib.format.write_array_header_1_0(handle, header)
    for name, options in (("a.tif", {}), ("deflated.tif", {"compression": "zlib"})):
        path = tmp_path / name
        tifffile.imwrite(path, noise(20, 24), metadata=None, **options)
        with tifffile.TiffFile(path, mode="r+b") as tif:
            for code in ("ImageWidth", "ImageLength", "RowsPerStrip"):
                tif.pages[0].tags[code].overwrite(30_000)
    code = (
        "import resource, sys, zspot.io.tiff.image; from zspot.io import png, npy\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**30 + 2**28,) * 2)\n"
        "for path in sys.argv[1:]:\n"
        "    try: zspot.io.read(path)\n"
        "    except zspot.io.FileError as error: print(error)\n"
    )
    paths = sorted(p for p in tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(paths) == 5
    assert all("promises" in line or "truncated" in line for line in lines), lines


def test_a_circle_of_tiff_directories_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise(20, 24), metadata=None)
    content = bytearray(path.read_bytes())
    place = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, place)[0]
    content += bytes(len(content) % 2) + struct.pack("<HI", 0, len(content) + len(content) % 2)
    struct.pack_into("<I", content, place + 2 + 12 * count, len(content) - 6)
    path.write_bytes(content)
    with pytest.raises(FileError, match="circle"):
        read(path)


def test_a_tiff_with_fewer_strips_than_rows_is_refused_before_room_is_made(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise(3, 20, 24), photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as tif:
        for page in tif.pages:
            page.tags["RowsPerStrip"].overwrite(2)
    for opened in (lambda: read(path), lambda: open_stack(path, "b.tif").__enter__()):
        with pytest.raises(FileError, match="fewer strips"):
            opened()


def test_a_czi_directory_that_promises_millions_of_planes_is_refused(tmp_path):
    czi = pytest.importorskip("pylibCZIrw.czi")
    path = tmp_path / "a.czi"
    with czi.create_czi(str(path)) as document:
        for z in range(2):
            document.write(noise(12, 14), plane={"T": 0, "C": 0, "Z": z})
    content = bytearray(path.read_bytes())
    place = content.index(b"Z\0\0\0", content.index(b"ZISRAWDIRECTORY"))
    struct.pack_into("<i", content, place + 4, 2**24)
    path.write_bytes(content)
    with pytest.raises(FileError, match="promises"):
        read(path)


@pytest.mark.skipif(os.name == "nt", reason="POSIX names")
def test_a_pipe_is_refused_at_once_and_names_are_made_printable(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(FileError, match="pipe"):
        read(tmp_path / "a.png")
    odd = os.fsdecode(b"\xff\x1b[2J.png")
    with pytest.raises(FileError) as caught:
        read(tmp_path / odd)
    assert r"\xff\x1b[2J.png" in str(caught.value)
    assert printable("plain äö") == "plain äö"


WRITING = """
import os, sys
from pathlib import Path
from zspot.io.atomic import atomic_write

with atomic_write(Path(sys.argv[1]), overwrite=True) as handle:
    handle.write(b"half")
    handle.flush()
    print("ready", flush=True)
    sys.stdin.read()
"""


def _writing(target: Path) -> subprocess.Popen:
    """Start a process that is in the middle of writing a file."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    run = subprocess.Popen([sys.executable, "-c", WRITING, target], **pipes)
    assert run.stdout.readline() == b"ready\n"
    return run


@pytest.mark.skipif(os.name == "nt", reason="POSIX locks")
@pytest.mark.parametrize("name", ["b.npy", f"{'ä' * 100}.npy"])
def test_what_a_killed_run_left_goes_and_what_a_living_one_writes_stays(tmp_path, name):
    np.save(tmp_path / "a.npy", noise(20, 24))
    target = tmp_path / name
    dead, living = _writing(target), _writing(target)
    dead.kill()
    dead.communicate()
    assert len(list(tmp_path.glob(".*"))) == 2
    denoise_file(tmp_path / "a.npy", target, RECIPE)
    assert len(list(tmp_path.glob(".*"))) == 1
    living.communicate(b"")
    assert living.returncode == 0
    assert target.read_bytes() == b"half"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.skipif(os.name == "nt", reason="POSIX locks")
def test_what_a_killed_run_left_goes_where_the_next_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", noise(20, 24))
    target = tmp_path / "b.npy"
    dead = _writing(target)
    dead.kill()
    dead.communicate()
    target.write_bytes(b"whole")
    with pytest.raises(FileError, match="exists"):
        denoise_file(tmp_path / "a.npy", target, RECIPE)
    assert target.read_bytes() == b"whole"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.skipif(os.name == "nt", reason="POSIX locks")
def test_a_folder_run_leaves_the_file_of_a_living_run_alone(tmp_path):
    pytest.importorskip("distributed")
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    np.save(tmp_path / "in/a.npy", noise(20, 24))
    living = _writing(tmp_path / "out/a.npy")
    summary = denoise_many(tmp_path / "in", tmp_path / "out", RECIPE, workers=1)
    assert summary.count("done") == 1
    living.communicate(b"")
    assert living.returncode == 0
    assert (tmp_path / "out/a.npy").read_bytes() == b"half"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.npy", NAME]


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes, sockets and devices")
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_outputs_that_are_no_files_are_refused(tmp_path, kind, linked):
    np.save(tmp_path / "a.npy", noise(20, 24))
    place = tmp_path / ("there.npy" if linked else "b.npy")
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(place))
    else:
        try:
            os.mknod(place, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("making a device needs root")
    if linked:
        (tmp_path / "b.npy").symlink_to(place)
    before = place.stat()
    assert "pipe, socket or device" in refusal(
        tmp_path / "a.npy", tmp_path / "b.npy", overwrite=True
    )
    assert place.stat() == before
