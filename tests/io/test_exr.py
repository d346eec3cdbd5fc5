"""OpenEXR."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.io_help import refused
from zspot.core.errors import FileError
from zspot.files import denoise_file
from zspot.io import ImageFile, read, write

OpenEXR = pytest.importorskip("OpenEXR")


def values(shape, kind, seed=0):
    return (np.random.default_rng(seed).random(shape) * 9).astype(kind)


def make(path, channels, **header):
    OpenEXR.File(header, dict(channels)).write(str(path))
    return path


def pixels_of(path, part=0):
    channels = OpenEXR.File(str(path), separate_channels=True).parts[part].channels
    return {name: channel.pixels for name, channel in channels.items()}


@given(
    st.sampled_from(["R G B", "R G B A", "Y", "Y A", "red nir", "G", "R G B Z"]),
    st.sampled_from(["f2", "f4", "u4"]), st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.sampled_from(["ZIP", "PIZ", "NO"]), st.booleans(), st.integers(0, 9),
)  # fmt: skip
def test_round_trips(tmp_path, names, kind, sides, compression, tiled, seed):
    channels = {n: values(sides, kind, seed + i) for i, n in enumerate(names.split())}
    header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "owner": "me", "n": 7}
    header["dataWindow"] = (
        np.array([-2, 3], "i4"), np.array([sides[1] - 3, sides[0] + 2], "i4")
    )  # fmt: skip
    header["displayWindow"] = np.array([0, 0], "i4"), np.array([99, 99], "i4")
    if tiled:
        header |= {"type": OpenEXR.tiledimage, "tiles": OpenEXR.TileDescription()}
    source = make(tmp_path / "a.exr", channels, **header)
    image = read(source)
    colour = names.startswith("R G B")
    assert image.axes == ("YXS" if colour else "CYX" if names == "red nir" else "YX")
    assert image.data.dtype == np.dtype(kind)
    new = values(image.data.shape, kind, seed + 50)
    write(tmp_path / "b.exr", image.replace(new), overwrite=True)
    after = pixels_of(tmp_path / "b.exr")
    assert {*after} == {*channels}
    axis = image.channel_axis
    planes = [new] if axis is None else np.moveaxis(new, axis, 0)
    kept = [n for n in names.split() if n not in ("A", "Z")]
    written = dict(zip(["R", "G", "B"] if colour else sorted(kept), planes, strict=True))
    for name, plane in after.items():
        np.testing.assert_array_equal(plane, written.get(name, channels[name]))
    heads = [OpenEXR.File(str(tmp_path / n)).parts[0].header for n in ("a.exr", "b.exr")]
    assert repr(heads[0]) == repr(heads[1])


def test_other_parts_and_lossy_compression(tmp_path):
    first = {n: values((9, 8), "f2", i) for i, n in enumerate("RGB")}
    depth = {"Z": values((9, 8), "f4")}
    lossy = {"name": "a", "compression": OpenEXR.B44_COMPRESSION}
    parts = [OpenEXR.Part(lossy, dict(first)), OpenEXR.Part({"name": "b"}, dict(depth))]
    OpenEXR.File(parts).write(str(tmp_path / "a.exr"))
    image = read(tmp_path / "a.exr")
    assert any("1 other parts" in note for note in image.notes)
    assert any("B44" in note for note in image.notes)
    write(tmp_path / "b.exr", image.replace(image.data + 1))
    np.testing.assert_array_equal(pixels_of(tmp_path / "b.exr", 1)["Z"], depth["Z"])
    np.testing.assert_array_equal(pixels_of(tmp_path / "b.exr")["G"], image.data[..., 1] + 1)


def test_denoised_and_converted(tmp_path):
    channels = {n: values((24, 30), "f2", i) for i, n in enumerate("RGBA")}
    channels["R"][3, 4] = np.nan
    source = make(tmp_path / "a.exr", channels)
    denoise_file(source, tmp_path / "b.exr", "zs-n2n", effort="fast")
    after = pixels_of(tmp_path / "b.exr")
    np.testing.assert_array_equal(after["A"], channels["A"])
    assert np.isnan(after["R"][3, 4])
    assert after["G"].std() < channels["G"].std()
    write(tmp_path / "c.tif", read(source))
    write(tmp_path / "d.exr", read(tmp_path / "c.tif"))
    back = pixels_of(tmp_path / "d.exr")
    for name in "RGBA":
        np.testing.assert_array_equal(back[name], channels[name])
    write(tmp_path / "e.exr", ImageFile(values((1, 5, 6), "f4"), "ZYX"))
    assert pixels_of(tmp_path / "e.exr")["Y"].shape == (5, 6)


def test_refused(tmp_path, capfd):
    path = make(tmp_path / "a.exr", {"Y": values((70, 60), "f4")})
    refused(path, 1000, (5, 100, path.stat().st_size // 2))
    assert capfd.readouterr().out == ""
    with pytest.raises(FileError, match="cannot hold uint8"):
        write(tmp_path / "b.exr", ImageFile(np.zeros((3, 4), np.uint8), "YX"))
    mixed = make(
        tmp_path / "m.exr",
        {n: values((5, 6), k) for n, k in zip("RGB", ["f2", "f4", "f2"], strict=True)},
    )
    with pytest.raises(FileError, match="several types"):
        read(mixed)
