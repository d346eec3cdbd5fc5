"""The sets that benchmarks load, the files to submit, and the noise that is added."""

from __future__ import annotations

import base64

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import datasets, noises, store, studies
from benchmarks.metrics import BenchmarkError
from tests.bench_help import SIZE, bench, picture, sets

__all__ = ["sets"]


# --- loaders -------------------------------------------------------------------------------------


def test_folders_of_pairs_and_of_clean_images(sets):
    found = datasets.find(sets, "tiny")
    assert found.names() == [str(k) for k in range(6)]
    pair = datasets.load(sets, datasets.Entry("tiny"), "3", crop=16)
    assert pair.clean is not None
    assert np.array_equal(pair.clean, picture(3)[12:28, 12:28].astype(np.float32) / 255)
    assert pair.noisy.shape == (16, 16, 3)
    assert datasets.find(sets, "bare").names() == ["9", "10"]  # by number
    with pytest.raises(BenchmarkError, match=r"bare\+white:25"):
        datasets.load(sets, datasets.Entry("bare"), "9")


def test_sidd_blocks_and_the_files_to_submit(tmp_path, capsys):
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (2, 2, 16, 16, 3), dtype=np.uint8)
    folder = tmp_path / "data" / "SIDD"
    folder.mkdir(parents=True)
    for name in ("ValidationNoisyBlocksSrgb", "BenchmarkNoisyBlocksSrgb"):
        scipy.io.savemat(folder / f"{name}.mat", {name: blocks})
    with pytest.raises(BenchmarkError, match=r"ValidationGtBlocksSrgb\.mat is missing"):
        datasets.find(tmp_path / "data", "sidd_val")
    truth = "ValidationGtBlocksSrgb"
    scipy.io.savemat(folder / f"{truth}.mat", {truth: blocks[:, ::-1]})
    names = ["1_1", "1_2", "2_1", "2_2"]
    assert datasets.find(tmp_path / "data", "sidd_val").names() == names
    pair = datasets.load(tmp_path / "data", datasets.Entry("sidd_val"), "2_1")
    assert pair.clean is not None
    assert np.array_equal(pair.noisy * 255, blocks[1, 0])
    assert np.array_equal(pair.clean * 255, blocks[1, 1])

    common = ("--data", tmp_path / "data", "--out", tmp_path / "rows", "--methods", "noisy", "-q")
    assert bench(capsys, "run", "--suite", "sidd_benchmark", *common, "--limit", 3)[0] == 0
    assert store.read_rows(tmp_path / "rows")["psnr"].isna().all()  # no ground truth
    said = ("submit", "sidd_benchmark", "noisy", "--data", tmp_path / "data",
            "--rows", tmp_path / "rows", "--out")  # fmt: skip
    code, _, err = bench(capsys, *said, tmp_path / "S.csv")
    assert code == 2
    assert "1 of 4 images of sidd_benchmark have no row of noisy, the first is 2_2" in err
    assert bench(capsys, "run", "--suite", "sidd_benchmark", *common)[0] == 0
    assert bench(capsys, *said, tmp_path / "S.csv")[0] == 0
    sent = pd.read_csv(tmp_path / "S.csv")
    assert list(sent["ID"]) == [0, 1, 2, 3]
    decoded = np.frombuffer(base64.b64decode(sent["BLOCK"][2]), np.uint8).reshape(16, 16, 3)
    assert np.array_equal(decoded, blocks[1, 0])
    assert bench(capsys, *said, tmp_path / "S.mat")[0] == 0
    back = scipy.io.loadmat(tmp_path / "S.mat")
    assert back["DenoisedBlocksSrgb"].shape == (2, 2)
    assert np.array_equal(back["DenoisedBlocksSrgb"][1, 0], blocks[1, 0])
    assert bench(capsys, *said, tmp_path / "S.txt")[0] == 2


def test_dnd_regions_and_bundle(tmp_path, capsys):
    h5py = pytest.importorskip("h5py")
    folder = tmp_path / "data" / "dnd_2017"
    (folder / "images_srgb").mkdir(parents=True)
    image = np.random.default_rng(0).random((30, 40, 3)).astype(np.float32)
    with h5py.File(folder / "images_srgb" / "0001.mat", "w") as file:
        file["InoisySRGB"] = image.T  # MATLAB's axes are reversed in HDF5
    corners = np.array([[1, 1, 16, 20], [11, 21, 30, 40]], dtype=np.float64)
    with h5py.File(folder / "info.mat", "w") as file:
        file["boxes"] = corners.T
        kept = file.create_dataset("info/boundingboxes", (1, 1), dtype=h5py.ref_dtype)
        kept[0, 0] = file["boxes"].ref
    found = datasets.find(tmp_path / "data", "dnd")
    assert found.names() == ["0001_01", "0001_02"]
    noisy, clean = found.load("0001_02")
    assert clean is None
    assert np.array_equal(noisy, image[10:30, 20:40])
    out = tmp_path / "rows"
    common = ("--data", tmp_path / "data", "--methods", "noisy", "-q")
    assert bench(capsys, "run", "--suite", "dnd", "--out", out, *common)[0] == 0
    said = ("submit", "dnd", "noisy", "--data", tmp_path / "data", "--rows", out)
    assert bench(capsys, *said, "--out", tmp_path / "bundled")[0] == 0
    back = scipy.io.loadmat(tmp_path / "bundled" / "0001.mat")
    assert back["Idenoised"].size == 2
    assert not back["israw"].item()
    assert np.allclose(back["Idenoised"].flat[1], image[10:30, 20:40], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "noisy", "clean"),
    [
        ("polyu", "CroppedImages/A_1_real.JPG", "CroppedImages/A_1_mean.JPG"),
        ("cc", "Real_ccnoise_denoised_part/b_real.png", "Real_ccnoise_denoised_part/b_mean.png"),
        ("fmdd", "test_mix/raw/Confocal_1.png", "test_mix/gt/Confocal_1.png"),
        ("set9", None, "Set9/image_F16.png"),
        ("bsd68", None, "BSD68/test001.png"),
        ("set12", None, "Set12/01.png"),
        ("kodak24", None, "Kodak24/kodim01.png"),
        ("mcmaster", None, "McM/1.tif"),
    ],
)
def test_sets_as_their_authors_lay_them_out(tmp_path, name, noisy, clean):
    with pytest.raises(BenchmarkError, match=r"authors offer it at https://"):
        datasets.find(tmp_path, name)
    for number, path in enumerate(filter(None, (noisy, clean))):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        iio.imwrite(tmp_path / path, picture(number))
    found = datasets.find(tmp_path, name)
    assert len(found.names()) == 1
    sides = found.load(found.names()[0])
    assert [side is not None for side in sides] == [noisy is not None, True]
    assert sides[1].shape == (SIZE, SIZE, 3)


def test_a_pair_of_two_sizes_is_an_error(sets):
    iio.imwrite(sets / "tiny/clean/0.png", picture(0, SIZE + 1))
    with pytest.raises(BenchmarkError, match="not a pair"):
        datasets.load(sets, datasets.Entry("tiny"), "0")


# --- noise ---------------------------------------------------------------------------------------


@given(
    st.sampled_from(["white:25", "poisson:0.02/0.05", "correlated:10", "camera:0.01/0.02"]),
    st.integers(0, 2**32),
    st.integers(5, 20),
)
def test_noise_depends_on_its_seed_alone(text, seed, size):
    clean = np.linspace(0, 1, size * 7 * 3, dtype=np.float32).reshape(size, 7, 3)
    add = noises.parse(text).add
    assert add is not None
    noisy = add(clean, seed)
    assert noisy.shape == clean.shape
    assert noisy.dtype == np.float32
    assert np.array_equal(noisy, add(clean, seed))
    assert not np.array_equal(noisy, add(clean, seed + 1))


def noisy(text: str, clean: np.ndarray, seed: int) -> np.ndarray:
    add = noises.parse(text).add
    assert add is not None
    return add(clean, seed)


def test_noise_is_as_strong_and_correlated_as_it_says():
    clean = np.full((200, 200, 3), 0.3, dtype=np.float32)
    white = noisy("white:25", clean, 0) - clean
    assert white.std() * 255 == pytest.approx(25, rel=0.02)
    expected = np.random.default_rng(0).normal(0, 25 / 255, clean.shape)
    assert np.allclose(white, expected, atol=1e-6)  # as in the project's other measurements
    poisson = noisy("poisson:0.02/0.05", clean, 0) - clean
    assert poisson.var() == pytest.approx(0.02 * 0.3 + 0.05**2, rel=0.03)
    smooth = noisy("correlated:10", clean, 0) - clean
    assert smooth.std() * 255 == pytest.approx(10, rel=0.02)
    lags = [np.corrcoef(smooth[:, k:, 0].ravel(), smooth[:, :-k, 0].ravel())[0, 1] for k in (1, 2)]
    assert lags == pytest.approx([0.51, 0.08], abs=0.02)
    between = np.corrcoef(smooth[..., 0].ravel(), smooth[..., 2].ravel())[0, 1]
    assert between == pytest.approx(0.4, abs=0.03)
    taken = noisy("camera:0.01/0.01", clean, 0)
    assert 0 <= taken.min() <= taken.max() <= 1
    noise = taken - clean
    neighbours = np.corrcoef(noise[:, 1:, 0].ravel(), noise[:, :-1, 0].ravel())[0, 1]
    assert neighbours > 0.3  # demosaicking spreads it
    with pytest.raises(BenchmarkError, match="colour"):
        noisy("camera:0.01/0.01", clean[..., 0], 0)


def test_suites_name_entries_that_parse():
    for suite in studies.SUITES.values():
        for text in suite.entries:
            entry = datasets.Entry.parse(text)
            assert str(entry) == text
            assert entry.set in datasets.SETS


def test_a_reference_is_cut_noised_and_rounded_in_the_order_told(sets):
    whole, cut = (
        datasets.load(sets, datasets.Entry.parse(f"bare+{text}"), "9", crop=16)
        for text in ("white:4+8bit", "cut+white:4+8bit")
    )
    assert np.array_equal(whole.clean, cut.clean)
    assert not np.array_equal(whole.noisy, cut.noisy)  # the noise is drawn for 16 x 16 pixels
    drawn = np.random.default_rng(0).normal(0, 4 / 255, (16, 16, 3))
    expected = np.rint(255 * (cut.clean + drawn).clip(0, 1))
    assert np.abs(255 * cut.noisy - expected).max() < 1e-3
    clean = datasets.load(sets, datasets.Entry.parse("tiny+clean"), "0")
    assert np.array_equal(clean.noisy, clean.clean)
    assert not np.array_equal(datasets.load(sets, datasets.Entry("tiny"), "0").noisy, clean.clean)


def test_a_mosaic_has_the_size_that_its_name_says(tmp_path):
    folder = tmp_path / "polyu" / "clean"
    folder.mkdir(parents=True)
    for number in range(3):
        iio.imwrite(folder / f"{number}.png", picture(number))
    pair = datasets.load(tmp_path, datasets.Entry.parse("mosaic+8bit"), "0.012")
    assert pair.noisy.shape == (95, 126, 3)
    assert pair.clean is not None
    assert np.array_equal(pair.clean[:SIZE, :SIZE], picture(0).astype(np.float32) / 255)
