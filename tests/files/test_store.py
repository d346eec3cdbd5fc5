"""Zarr folders: OME-Zarr v2 and v3, pyramids, resuming, and stores that lie."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("zarr")

import zarr
from numcodecs import Blosc

import zspot
import zspot.files.store
from tests.store_help import RECIPE, noise, ome, planes_of, tree
from zspot.core.errors import FileError
from zspot.files import denoise_file, planes


@pytest.mark.parametrize(
    ("version", "options"),
    [(2, {}), (3, {}), (3, {"shards": (1, 2, 20, 24)})],
    ids=["v2", "v3", "v3 sharded"],
)
def test_an_ome_zarr_image_comes_back_with_its_pyramid(tmp_path, version, options):
    data = noise(2, 3, 20, 24)
    chunks = (1, 1, 10, 12) if options else (1, 2, 16, 24)
    ome(tmp_path / "a.zarr", version, data, chunks, levels=1 if options else 3, **options)
    result, notes = denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE)
    assert result.recipe == RECIPE
    out = zarr.open_group(tmp_path / "b.zarr", mode="r")
    assert np.array_equal(out["0"][:], planes_of(data))
    old, new = tree(tmp_path / "a.zarr"), tree(tmp_path / "b.zarr")
    assert set(old) == set(new)
    for name in old:
        if "json" in name or "/." in name or name.startswith((".", "labels")):
            assert new[name] == old[name], name
    if not options:
        assert "averaging" in notes[0]
        blocks = out["0"][:].astype(float).reshape(2, 3, 10, 2, 12, 2).mean((3, 5))
        assert np.array_equal(out["1"][:], np.rint(blocks))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "b.zarr"]


def test_odd_sizes_and_z_are_averaged_over_all_pixels(tmp_path):
    data = noise(5, 11, 13, dtype="float32")
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    for name, shape in (("0", data.shape), ("1", (2, 5, 6))):
        part = data[: shape[0], : shape[1], : shape[2]]
        group.create_array(name, data=part, chunks=(2, 4, 13))
    datasets = [{"path": "0"}, {"path": "1"}]
    group.attrs["multiscales"] = [{"axes": ["z", "y", "x"], "datasets": datasets}]
    denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE)
    out = zarr.open_group(tmp_path / "b.zarr", mode="r")
    full = out["0"][:].astype(float)
    cells = [
        [slice(i * a // b, (i + 1) * a // b) for i in range(b)]
        for a, b in ((5, 2), (11, 5), (13, 6))
    ]
    expected = [[[full[z, y, x].mean() for x in cells[2]] for y in cells[1]] for z in cells[0]]
    np.testing.assert_allclose(out["1"][:], expected, rtol=1e-6)


def test_every_image_that_a_group_lists_is_denoised(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    cells, other = noise(2, 20, 24), noise(20, 24) // 2
    group.create_array("cells", data=cells, chunks=(1, 20, 24))
    group.create_array("small", data=cells[:, ::2, ::2], chunks=(1, 10, 12))
    group.create_array("other", data=other, chunks=(20, 24))
    both = [{"path": "cells"}, {"path": "small"}]
    group.attrs["multiscales"] = [
        {"axes": ["z", "y", "x"], "datasets": both},
        {"axes": ["y", "x"], "datasets": [{"path": "other"}]},
        {"axes": ["z", "y", "x"], "datasets": both[:1]},
    ]
    denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE)
    out = zarr.open_group(tmp_path / "b.zarr", mode="r")
    assert np.array_equal(out["cells"][:], planes_of(cells))
    assert np.array_equal(out["other"][:], planes_of(other))
    small = planes_of(cells).astype(float).reshape(2, 10, 2, 12, 2).mean((2, 4))
    assert np.array_equal(out["small"][:], np.rint(small))


@pytest.mark.parametrize("version", [2, 3])
def test_a_plain_array_and_axes_by_name(tmp_path, version):
    data = noise(3, 20, 24)
    names = {"dimension_names": ["z", "y", "x"]} if version == 3 else {}
    zarr.create_array(
        tmp_path / "a.zarr", data=data, chunks=(1, 20, 24), zarr_format=version, **names
    )
    denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE)
    assert np.array_equal(zarr.open_array(tmp_path / "b.zarr", mode="r")[:], planes_of(data))
    denoise_file(tmp_path / "a.zarr", tmp_path / "c.zarr", RECIPE, axes="SYX")
    expected = zspot.denoise(data, RECIPE, channel_axis=0)
    assert np.array_equal(zarr.open_array(tmp_path / "c.zarr", mode="r")[:], expected)
    with pytest.raises(FileError, match="has 3 axes"):
        denoise_file(tmp_path / "a.zarr", tmp_path / "d.zarr", RECIPE, axes="TZYX")


def test_an_interrupted_store_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    data = noise(2, 3, 20, 24)
    source = tmp_path / "a.zarr"
    ome(source, 3, data, (1, 1, 16, 24))
    denoise_file(source, tmp_path / "whole.zarr", RECIPE)
    done = []
    real = planes.run

    def counted(plane, *arguments, **options):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(plane)
        return real(plane, *arguments, **options)

    monkeypatch.setattr(planes, "run", counted)
    with pytest.raises(KeyboardInterrupt):
        denoise_file(source, tmp_path / "b.zarr", RECIPE)
    assert not (tmp_path / "b.zarr").exists()
    monkeypatch.setattr(planes, "run", lambda p, *a, **o: done.append(p) or real(p, *a, **o))
    seen = []
    denoise_file(source, tmp_path / "b.zarr", RECIPE, progress=seen.append)
    assert len(done) == 6
    assert seen[-1].done == pytest.approx(seen[-1].total)
    assert tree(tmp_path / "b.zarr") == tree(tmp_path / "whole.zarr")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "b.zarr", "whole.zarr"]


def test_another_job_or_input_starts_over(tmp_path, monkeypatch):
    source = tmp_path / "a.zarr"
    ome(source, 2, noise(1, 3, 20, 24), (1, 1, 16, 24), levels=1)
    real, calls = planes.run, []

    def stop(plane, *arguments, **options):
        calls.append(options["seed"])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(plane, *arguments, **options)

    monkeypatch.setattr(planes, "run", stop)
    with pytest.raises(KeyboardInterrupt):
        denoise_file(source, tmp_path / "b.zarr", RECIPE)
    denoise_file(source, tmp_path / "b.zarr", RECIPE, seed=1)
    assert calls[3:] == [1, 1, 1]


def test_overwriting_only_when_asked(tmp_path):
    ome(tmp_path / "a.zarr", 3, noise(1, 1, 20, 24), (1, 1, 20, 24), levels=1)
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr/precious").write_text("x")
    with pytest.raises(FileError, match="exists"):
        denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE)
    assert (tmp_path / "b.zarr/precious").read_text() == "x"
    denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE, overwrite=True)
    assert set(tree(tmp_path / "b.zarr")) == set(tree(tmp_path / "a.zarr"))


def _not_json(path: Path) -> None:
    (path / "0/.zarray").write_text("{")


def _no_pixels(path: Path) -> None:
    _edit(path / "0/.zarray", shape=[0, 1, 20, 24])


def _outside(path: Path) -> None:
    _edit(path / ".zattrs", multiscales=[{"axes": list("tzyx"), "datasets": [{"path": "../c"}]}])


def _huge_chunk(path: Path) -> None:
    _edit(path / "0/.zarray", shape=[1, 1, 10**7, 10**7], chunks=[1, 1, 10**7, 10**7])


def _link(path: Path) -> None:
    (path / "link").symlink_to(path.parent, target_is_directory=True)


def _no_axes(path: Path) -> None:
    _edit(path / ".zattrs", multiscales=[{"axes": [1, {}], "datasets": [{"path": "0"}]}])


def _no_table(path: Path) -> None:
    _edit(path / ".zattrs", ome=[1])


def _null(path: Path) -> None:
    _edit(path / ".zattrs", multiscales=[{"axes": list("tzyx"), "datasets": [{"path": "\0"}]}])


def _long_name(path: Path) -> None:
    named = [{"axes": list("tzyx"), "datasets": [{"path": "x" * 5000}]}]
    _edit(path / ".zattrs", multiscales=named)


def _missing_level(path: Path) -> None:
    shutil.rmtree(path / "0")


def _blosc(path: Path) -> None:
    chunk = path / "0/0.0.0.0"
    content = bytearray(chunk.read_bytes())
    content[12:16] = (2**31).to_bytes(4, "little")  # Blosc would read that many bytes
    chunk.write_bytes(content)


def _edit(path: Path, **values) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_not_json, "cannot be opened"),
        (_no_pixels, "no pixels"),
        (_outside, "outside of the store"),
        (_huge_chunk, "promises"),
        (_link, "is a link"),
        (_no_axes, "axes"),
        (_no_table, "holds no OME-Zarr image"),
        (_null, "does not list its images"),
        (_long_name, "name is too long"),
        (_missing_level, "not there"),
        (_blosc, "does not unpack to its size"),
    ],
)
def test_a_store_that_lies_is_a_line_and_leaves_nothing(tmp_path, spoil, says):
    data, chunks = noise(1, 1, 20, 24), (1, 1, 20, 24)
    ome(tmp_path / "a.zarr", 2, data, chunks, levels=1, compressors=[Blosc()])
    spoil(tmp_path / "a.zarr")
    with pytest.raises(FileError, match=says) as caught:
        denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "a.zarr") in str(caught.value)
    assert not (tmp_path / "b.zarr").exists()


def test_a_terabyte_on_paper_costs_only_the_chunks_that_are_there(tmp_path):
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=(10**9, 20, 24), chunks=(1, 20, 24), dtype="uint16"
    )
    array[123_456_789] = noise(20, 24)
    denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE)
    out = zarr.open_array(tmp_path / "b.zarr", mode="r")
    assert np.array_equal(out[123_456_789], planes_of(noise(20, 24)))
    assert not out[5].any()


def test_a_store_of_nan_comes_back(tmp_path):
    data = np.full((1, 20, 24), np.nan, np.float32)
    zarr.create_array(tmp_path / "a.zarr", data=data, chunks=(1, 20, 24), fill_value=0)
    result, _ = denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE)
    assert "100% NaN" in result.reason
    assert np.isnan(zarr.open_array(tmp_path / "b.zarr", mode="r")[:]).all()


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("a.zarr", "b.tif", "end both names"),
        ("a.tif", "b.zarr", "not a Zarr folder"),
        ("missing.zarr", "b.zarr", "does not exist"),
        ("a.zarr", "no/b.zarr", "create it first"),
        ("a.zarr", "a.zarr/b.zarr", "inside the source"),
        ("empty.zarr", "b.zarr", "no OME-Zarr image"),
    ],
)
def test_bad_use_is_a_line(tmp_path, source, target, says):
    ome(tmp_path / "a.zarr", 2, noise(1, 1, 20, 24), (1, 1, 20, 24), levels=1)
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(FileError, match=says):
        denoise_file(tmp_path / source, tmp_path / target, RECIPE)


@pytest.mark.skipif(os.name == "nt", reason="POSIX links and pipes")
@pytest.mark.parametrize("name", ["secret", "0/zarr.json", "0/c/0/0/0/0", "labels/more", "pipe"])
def test_links_and_pipes_in_a_store_are_refused(tmp_path, name):
    ome(tmp_path / "a.zarr", 3, noise(1, 1, 20, 24), (1, 1, 20, 24), levels=1)
    place = tmp_path / "a.zarr" / name
    if name == "pipe":
        os.mkfifo(place)
    else:
        (tmp_path / "elsewhere").write_bytes(place.read_bytes() if place.exists() else b"x")
        place.unlink(missing_ok=True)
        place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileError, match=r"is a link|pipe, socket or device"):
        denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE)
    assert sorted(p.name for p in tmp_path.glob("*b.zarr*")) == []


def test_a_link_to_a_store_stays_a_link(tmp_path):
    ome(tmp_path / "a.zarr", 3, noise(1, 1, 20, 24), (1, 1, 20, 24), levels=1)
    (tmp_path / "disk").mkdir()
    shutil.copytree(tmp_path / "a.zarr", tmp_path / "disk/b.zarr")
    (tmp_path / "b.zarr").symlink_to("disk/b.zarr", target_is_directory=True)
    denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE, overwrite=True)
    assert (tmp_path / "b.zarr").is_symlink()
    assert tree(tmp_path / "disk/b.zarr") != tree(tmp_path / "a.zarr")
    assert [p.name for p in (tmp_path / "disk").iterdir()] == ["b.zarr"]
