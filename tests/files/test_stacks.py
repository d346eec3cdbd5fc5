"""Stacks: read and written plane by plane, axes by name, ND2 and CZI through bioio."""

from __future__ import annotations

import sys
import tracemalloc

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

import zspot
from zspot.core.errors import FileError, ImageError, OptionError
from zspot.files import denoise_file, planes
from zspot.io import open_stack, read, write
from zspot.recipe import Fit, Predict, Recipe, UNet

RECIPE = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(1), predict=Predict(1))


def noise(*shape, dtype="uint16") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, shape).astype(dtype)


STACKS = {
    "ome": (noise(2, 3, 20, 30), {"metadata": {"axes": "TZYX"}}),
    "ome zlib": (noise(2, 3, 20, 30), {"metadata": {"axes": "TCYX"}, "compression": "zlib"}),
    "imagej": (noise(4, 20, 30), {"imagej": True, "metadata": {"axes": "ZYX"}}),
    "pages": (noise(5, 20, 30, dtype="float32"), {"metadata": None, "byteorder": ">"}),
    "tiles": (noise(3, 40, 50), {"tile": (16, 32), "compression": "lzw", "predictor": 2}),
    "strips": (noise(3, 20, 30), {"rowsperstrip": 7, "metadata": None}),
    "big": (noise(3, 20, 30), {"bigtiff": True, "compression": "zstd"}),
    "rgba": (
        noise(3, 20, 30, 4, dtype="uint8"),
        {"photometric": "rgb", "extrasamples": ["unassalpha"], "compression": "zlib"},
    ),
    "planar": (
        noise(3, 3, 20, 30, dtype="uint8"),
        {"photometric": "rgb", "planarconfig": "separate", "metadata": {"axes": "TSYX"}},
    ),
}


@pytest.mark.parametrize("kind", STACKS)
def test_plane_by_plane_is_bit_for_bit_the_same_as_at_once(tmp_path, kind):
    data, options = STACKS[kind]
    path = tmp_path / ("a.ome.tif" if kind.startswith("ome") else "a.tif")
    tifffile.imwrite(path, data, **{"photometric": "minisblack", **options})
    whole = read(path)
    turned = (whole.data.astype(np.float64) * 0.5).astype(whole.data.dtype)
    write(tmp_path / "whole.tif", whole.replace(turned))
    with open_stack(path, tmp_path / "planes.tif") as stack:
        assert stack is not None
        assert (stack.axes, stack.shape) == (whole.axes, whole.data.shape)
        assert stack.notes == whole.notes
        planes = [stack.read(n) for n in range(len(stack))]
        assert np.array_equal(np.stack(planes).reshape(stack.shape), whole.data)
        halved = ((p.astype(np.float64) * 0.5).astype(p.dtype) for p in planes)
        stack.write(tmp_path / "planes.tif", halved, overwrite=False)
    assert (tmp_path / "planes.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()


def test_memory_does_not_grow_with_the_stack(tmp_path):
    data = noise(150, 96, 96)
    tifffile.imwrite(tmp_path / "a.tif", data, compression="zlib")
    tracemalloc.start()
    try:
        with open_stack(tmp_path / "a.tif", tmp_path / "b.tif") as stack:
            stack.write(tmp_path / "b.tif", map(stack.read, range(len(stack))), overwrite=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), data)
    assert peak < data.nbytes / 2


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_single_plane_is_no_stack(tmp_path, name):
    iio.imwrite(tmp_path / name, noise(20, 30, dtype="uint8"))
    with open_stack(tmp_path / name, tmp_path / "b.tif") as stack:
        assert stack is None


def test_what_the_planes_raise_comes_through_and_leaves_nothing(tmp_path, monkeypatch):
    data = noise(3, 20, 30, dtype="float32")
    real = planes.run

    def second_fails(plane, *arguments, **options):
        if np.array_equal(plane, data[1]):
            raise ImageError("broken")
        return real(plane, *arguments, **options)

    monkeypatch.setattr(planes, "run", second_fails)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack")
    with pytest.raises(ImageError, match=r"a\.tif, plane 2 of 3: broken"):
        denoise_file(tmp_path / "a.tif", tmp_path / "b.tif", RECIPE)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_damage_inside_a_stack_is_a_line(tmp_path):
    options = {"compression": "zlib", "photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "a.tif", noise(3, 20, 30), **options)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        place = tif.pages[2].dataoffsets[0]
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[place : place + 40] = bytes(40)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(FileError, match="damaged"):
        denoise_file(tmp_path / "a.tif", tmp_path / "b.tif", RECIPE)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize(
    ("axes", "channel_axis", "planes"),
    [("TYX", None, 3), ("CYX", None, 3), ("SYX", 0, 1), ("YXS", -1, 1), ("XYC", None, 30)],
)
def test_axes_name_what_is_denoised_together(tmp_path, axes, channel_axis, planes):
    shape = (20, 24, 3) if axes == "YXS" else (3, 20, 30)
    data = noise(*shape)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack", metadata=None)
    denoise_file(tmp_path / "a.tif", tmp_path / "b.tif", RECIPE, axes=axes)
    out = tifffile.imread(tmp_path / "b.tif")
    if channel_axis is not None:
        expected = zspot.denoise(data, RECIPE, channel_axis=channel_axis)
    elif axes == "XYC":
        expected = np.stack([zspot.denoise(data[..., i], RECIPE) for i in range(30)], -1)
    else:
        expected = np.stack([zspot.denoise(plane, RECIPE) for plane in data])
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("axes", ["YX", "TZYX", "TTYX", "TYY", "ABC", "", "TZC"])
def test_axes_that_do_not_fit_are_refused(tmp_path, axes):
    np.save(tmp_path / "a.npy", noise(5, 20, 30))
    tifffile.imwrite(tmp_path / "a.tif", noise(5, 20, 30))
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(OptionError, match="axes"):
            denoise_file(path, tmp_path / f"out{path.suffix}", RECIPE, axes=axes)


def test_a_czi_file_becomes_ome_tiff_the_same_each_time(tmp_path):
    czi = pytest.importorskip("pylibCZIrw.czi")
    pytest.importorskip("bioio_czi")
    data = noise(2, 2, 20, 30)
    with czi.create_czi(str(tmp_path / "a.czi")) as document:
        for c, z in np.ndindex(2, 2):
            document.write(data[c, z], plane={"T": 0, "C": c, "Z": z})
        document.write_metadata(
            document_name="a", channel_names={0: "DAPI", 1: "GFP"}, scale_x=2e-7, scale_y=2e-7
        )
    for name in ("b.ome.tif", "c.ome.tif"):
        _, notes = denoise_file(tmp_path / "a.czi", tmp_path / name, RECIPE)
    assert "OME-TIFF" in notes[0]
    assert (tmp_path / "b.ome.tif").read_bytes() == (tmp_path / "c.ome.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as tif:
        assert tif.series[0].axes == "CZYX"
        out = tif.series[0].asarray()
        assert "DAPI" in tif.ome_metadata
        assert 'PhysicalSizeX="0.2"' in tif.ome_metadata
    expected = [zspot.denoise(plane, RECIPE) for plane in data.reshape(4, 20, 30)]
    assert np.array_equal(out.reshape(4, 20, 30), np.stack(expected))
    with pytest.raises(FileError, match=r"a\.ome\.tif"):
        denoise_file(tmp_path / "b.ome.tif", tmp_path / "a.czi", RECIPE)


@pytest.mark.parametrize(("name", "head"), [("a.czi", b"ZISRAWFILE"), ("a.nd2", b"\xda\xce\xbe\n")])
def test_a_damaged_microscope_file_is_a_line(tmp_path, monkeypatch, name, head):
    pytest.importorskip("bioio_nd2")
    pytest.importorskip("bioio_czi")
    (tmp_path / name).write_bytes(head + bytes(500))
    with pytest.raises(FileError, match="damaged"):
        denoise_file(tmp_path / name, tmp_path / "b.tif", RECIPE)
    monkeypatch.setitem(sys.modules, "bioio", None)
    with pytest.raises(FileError, match=r'pip install "bioio'):
        denoise_file(tmp_path / name, tmp_path / "b.tif", RECIPE)


def agreeing(count: int = 6, *lead: int) -> np.ndarray:
    """Planes of one smooth picture, each with its own noise."""
    rows, columns = np.indices((40, 48))
    picture = 1500 + 800 * np.sin(rows / 7) * np.cos(columns / 9)
    rng = np.random.default_rng(3)
    return (picture + rng.normal(0, 200, (*lead, count, 40, 48))).astype("uint16")


def test_neighbours_give_the_same_from_arrays_streamed_files_and_stores(tmp_path):
    pytest.importorskip("zarr")
    from tests.store_help import ome

    data = agreeing(6, 2)
    expected = zspot.denoise(data, axes="TZYX", neighbours=1, effort="fast")
    alone = zspot.denoise(data, axes="TZYX", effort="fast")
    assert not np.array_equal(expected, alone)
    tifffile.imwrite(tmp_path / "a.ome.tif", data, metadata={"axes": "TZYX"})
    options = {"neighbours": 1, "effort": "fast"}
    result, _ = denoise_file(tmp_path / "a.ome.tif", tmp_path / "b.ome.tif", **options)
    assert np.array_equal(read(tmp_path / "b.ome.tif").data, expected)
    assert "neighbouring planes helped" in "; ".join(result.told)
    ome(tmp_path / "a.zarr", 2, data, (1, 4, 40, 48), levels=1)
    denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", **options)
    import zarr

    assert np.array_equal(zarr.open_array(tmp_path / "b.zarr/0", mode="r")[:], expected)


def test_neighbours_of_a_single_image_are_told_to_do_nothing(tmp_path):
    iio.imwrite(tmp_path / "a.png", noise(24, 30))
    result, _ = denoise_file(tmp_path / "a.png", tmp_path / "b.png", effort="fast", neighbours=2)
    assert any("no plane is beside another" in told for told in result.told)
    with pytest.raises(OptionError, match="shared fit"):
        denoise_file(tmp_path / "a.png", tmp_path / "c.png", "n2v", share_fit=True, neighbours=1)
