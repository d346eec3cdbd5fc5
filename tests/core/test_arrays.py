"""Torch tensors, dask arrays and DataArrays come back as what they were."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import zspot
from tests.images import tiny
from zspot.algorithms import bsn_ins

RECIPE = tiny(bsn_ins.recipe("fast"), steps=1)
RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 4000, (2, 12, 14)).astype(np.uint16)
COLOUR = RNG.normal(size=(3, 12, 14)).astype(np.float32)


def test_a_tensor_comes_back_as_a_tensor():
    image = torch.from_numpy(COLOUR).requires_grad_()
    out = zspot.denoise(image, RECIPE, channel_axis=0)
    assert isinstance(out, torch.Tensor)
    assert (out.dtype, out.device, out.requires_grad) == (image.dtype, image.device, False)
    assert np.array_equal(out.numpy(), zspot.denoise(COLOUR, RECIPE, channel_axis=0))
    half = zspot.denoise(image.to(torch.bfloat16), RECIPE, channel_axis=0)
    assert half.dtype == torch.bfloat16
    with pytest.raises(zspot.ImageError, match="channel_axis"):
        zspot.denoise(image, RECIPE)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_tensor_stays_on_its_device():
    out = zspot.denoise(torch.from_numpy(COLOUR).cuda(), RECIPE, channel_axis=0, device="cpu")
    assert out.device.type == "cuda"


def test_a_dask_array_stays_lazy():
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    read = []

    def plane(block_id):
        read.append(block_id)
        return STACK[block_id[0] : block_id[0] + 1]

    lazy = da.map_blocks(plane, chunks=((1, 1), 12, 14), dtype=STACK.dtype, meta=STACK[:0])
    out = zspot.denoise(lazy, RECIPE)
    assert not read  # nothing is computed before it is asked for
    assert (out.shape, out.dtype, out.chunks) == (STACK.shape, STACK.dtype, ((1, 1), (12,), (14,)))
    second = out[1].compute(scheduler="synchronous")
    assert len(read) == 1  # and no other plane with it
    assert np.array_equal(second, zspot.denoise(STACK[1], RECIPE))


def test_dask_chunks_within_a_plane_do_not_matter():
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    colours = da.from_array(np.stack([COLOUR, 2 * COLOUR], axis=1), chunks=(1, 1, 5, 5))
    out = zspot.denoise(colours, RECIPE, channel_axis=0).compute(scheduler="synchronous")
    assert np.array_equal(out[:, 0], zspot.denoise(COLOUR, RECIPE, channel_axis=0))
    with pytest.raises(zspot.OptionError, match="magic"):
        zspot.denoise(colours, "magic", channel_axis=0)
    with pytest.raises(zspot.OptionError, match="seed=-1"):
        zspot.denoise(colours, RECIPE, channel_axis=0, seed=-1)
    with pytest.raises(zspot.OptionError, match="ProgressBar"):
        zspot.denoise(colours, RECIPE, channel_axis=0, progress=print)
    with pytest.raises(zspot.ImageError, match="axes"):
        zspot.denoise(da.ones(5), RECIPE)
    with pytest.raises(zspot.ImageError, match="does not fit"):
        zspot.denoise(colours, RECIPE, channel_axis=7)


@pytest.mark.parametrize("lazy", [True, False])
def test_a_data_array_keeps_its_coordinates(lazy):
    xr = pytest.importorskip("xarray", reason="xarray is not installed")
    image = xr.DataArray(
        STACK,
        dims=("t", "y", "x"),
        coords={"t": [0.5, 1.5], "y": np.arange(12) * 0.1, "x": np.arange(14) * 0.1},
        attrs={"units": "counts"},
        name="cells",
    )
    if lazy:
        pytest.importorskip("dask.array", reason="dask is not installed")
        image = image.chunk({"t": 1})
    out = zspot.denoise(image, RECIPE)
    assert (type(out), type(out.data)) == (type(image), type(image.data))
    assert (out.dims, out.attrs, out.name) == (image.dims, image.attrs, image.name)
    assert all(np.array_equal(out[name], image[name]) for name in "tyx")
    assert np.array_equal(out.values[0], zspot.denoise(STACK[0], RECIPE))
    assert np.array_equal(image.values, STACK)


def test_the_libraries_are_not_imported_for_others():
    code = (
        "import sys, numpy, zspot; zspot.denoise(numpy.ones((9, 9)));"
        "print(sorted({'dask', 'xarray', 'gradio', 'napari'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_python_dash_m_is_the_command_line():
    command = [sys.executable, "-m", "zspot", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"zspot {zspot.__version__}\n"


def test_fractions_that_are_asked_for_come_back():
    counts = torch.from_numpy(STACK[0].astype(np.uint8))
    out = zspot.denoise(counts, RECIPE, dtype="float32")
    assert out.dtype == torch.float32
    expected = zspot.denoise(counts.numpy(), RECIPE, dtype="float32")
    assert np.array_equal(out.numpy(), expected)
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    lazy = zspot.denoise(da.from_array(counts.numpy()), RECIPE, dtype="float32")
    assert lazy.dtype == np.float32
    assert np.array_equal(lazy.compute(scheduler="synchronous"), expected)


def test_a_data_array_that_names_rows_and_columns_elsewhere():
    xr = pytest.importorskip("xarray", reason="xarray is not installed")
    last = np.moveaxis(COLOUR, 0, -1)
    out = zspot.denoise(xr.DataArray(last, dims=("y", "x", "s")), RECIPE)
    assert np.array_equal(out.to_numpy(), zspot.denoise(last, RECIPE, channel_axis=-1))
    with pytest.raises(zspot.ImageError, match="y, x, band: name the axes"):
        zspot.denoise(xr.DataArray(last, dims=("y", "x", "band")), RECIPE)
    named = zspot.denoise(xr.DataArray(last, dims=("y", "x", "band")), RECIPE, axes="YXS")
    assert np.array_equal(named.to_numpy(), out.to_numpy())
