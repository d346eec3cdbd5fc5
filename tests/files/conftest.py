"""A small disk, a folder of images, and a cluster to run it on."""

from __future__ import annotations

import subprocess

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 200 kB; needs root."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", place], check=False,
        capture_output=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture(scope="module")
def scheduler():
    """A running cluster of four workers, as several machines would be."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=4, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def folder(tmp_path):
    """Three images in two folders, a bad one, and a file that is no image."""
    rng = np.random.default_rng(0)
    (tmp_path / "in/night/1").mkdir(parents=True)
    iio.imwrite(tmp_path / "in/b.png", rng.integers(0, 255, (30, 40, 3), dtype=np.uint8))
    iio.imwrite(tmp_path / "in/a.png", rng.integers(0, 255, (24, 30), dtype=np.uint8))
    stack = rng.integers(0, 4000, (2, 24, 30), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "in/night/1/c.tif", stack, compression="zlib")
    (tmp_path / "in/bad.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    (tmp_path / "in/notes.txt").write_text("x")
    return tmp_path
