"""The benchmark runner as a researcher uses it: resumable runs, loaders, tables, comparisons."""

from __future__ import annotations

import base64
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from benchmarks import __main__ as cli
from benchmarks import compare, datasets, evaluation, noises, runner, store, suites, tables, worker
from benchmarks.errors import BenchmarkError
from benchmarks.watch import Watch

ROOT = Path(__file__).parents[1]
SIZE = 40


def picture(seed: int, size: int = SIZE, channels: int = 3) -> np.ndarray:
    """A smooth picture of 8 bits."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(size, size, channels)), (3, 3, 0))
    levels = 128 + 45 * smooth / smooth.std()
    return np.clip(levels, 0, 255).round().astype(np.uint8)


def noisier(image: np.ndarray, seed: int, sigma: float = 20) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 255).round().astype(np.uint8)


@pytest.fixture
def sets(tmp_path) -> Path:
    """A data folder with the set "tiny" of six pairs and "bare" of two clean images."""
    return make_sets(tmp_path / "data")


def make_sets(data: Path) -> Path:
    for role in ("tiny/noisy", "tiny/clean", "bare/clean"):
        (data / role).mkdir(parents=True)
    for number in range(6):
        clean = picture(number)
        iio.imwrite(data / f"tiny/clean/{number}.png", clean)
        iio.imwrite(data / f"tiny/noisy/{number}.png", noisier(clean, 100 + number))
    for name in ("10", "9"):
        iio.imwrite(data / f"bare/clean/{name}.png", picture(int(name)))
    return data


def command(sets: Path, out: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "benchmarks", "run", "--suite", "tiny", "--data", str(sets),
        "--out", str(out), "--methods", "noisy,auto:fast", *more,
    ]  # fmt: skip


def environment() -> dict[str, str]:
    paths = [str(ROOT / "src"), str(ROOT)]
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}


def count(out: Path) -> int:
    try:
        return len(store.read_rows(out))
    except BenchmarkError:
        return 0


def bench(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def quality_of(out: Path) -> pd.DataFrame:
    """What must not depend on interruptions: everything but times and the machine's load."""
    rows = store.read_rows(out)
    timed = ["seconds", "cpu_seconds", "peak_mib", "load", "started"]
    return rows.drop(columns=timed)


def test_a_run_killed_twice_and_resumed_gives_the_same_table(sets, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    quiet = {"env": environment(), "cwd": ROOT, "stderr": subprocess.DEVNULL}
    before: list[str] = []
    for wanted in (3, 6):
        process = subprocess.Popen(command(sets, broken), start_new_session=True, **quiet)
        while count(broken) < wanted and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        rows = store.read_rows(broken)
        assert wanted <= len(rows) < 12, "the kill must come in the middle"
        assert set(before) <= set(rows["started"]), "a row was made again"
        before = list(rows["started"])
    subprocess.run(command(sets, broken), check=True, **quiet)
    kept = store.Store(whole)
    tasks, _ = runner.plan(sets, suites.suite("tiny"), suites.methods("noisy,auto:fast"))
    for task in tasks:
        outcome = worker.work(task)
        kept.add(outcome.row, outcome.image, outcome.recipe)
    kept.close()
    assert set(before) <= set(store.read_rows(broken)["started"])
    pd.testing.assert_frame_equal(quality_of(broken), quality_of(whole))
    shown = [
        tables.means(store.read_rows(out), "float", every=False).drop(columns="seconds")
        for out in (broken, whole)
    ]
    pd.testing.assert_frame_equal(*shown)
    assert list(shown[0]["n"]) == [6, 6]
    for path in (broken / "outputs").glob("[!.]*"):  # whole, though a kill may leave a .tmp
        assert path.stem == store.digest(path.read_bytes())


@pytest.mark.slow
def test_a_worker_that_is_killed_is_a_row_with_its_error(sets, tmp_path):
    psutil = pytest.importorskip("psutil")
    out = tmp_path / "out"
    process = subprocess.Popen(
        command(sets, out), env=environment(), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    while count(out) < 2 and process.poll() is None:
        time.sleep(0.02)
    for child in psutil.Process(process.pid).children(recursive=True):
        if "multiprocessing.spawn" in " ".join(child.cmdline()):
            child.kill()
    _, err = process.communicate()
    rows = store.read_rows(out)
    assert len(rows) == 12
    failed = rows[rows["error"].notna()]
    assert len(failed) == 1
    assert "signal 9" in failed["error"].iloc[0]
    assert process.returncode == 2
    assert "1 of 12 rows are errors" in err


@pytest.mark.slow
def test_ctrl_c_stops_at_once_and_keeps_the_rows(sets, tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        command(sets, out), env=environment(), cwd=ROOT, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        # A background job inherits an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    while count(out) < 2 and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "cancelled: the rows made so far are kept" in err
    assert "Traceback" not in err
    assert 2 <= count(out) < 12


def test_a_bad_image_is_a_row_and_can_be_retried(sets, tmp_path, capsys):
    bad = sets / "tiny/noisy/2.png"
    good = bad.read_bytes()
    bad.write_bytes(b"not a picture")
    out = tmp_path / "out"
    options = ("run", "--suite", "tiny", "--data", sets, "--out", out, "--methods", "noisy")
    code, _, err = bench(capsys, *options)
    assert code == 2
    assert "1 of 6 rows are errors" in err
    rows = store.read_rows(out).set_index("image")
    assert rows["error"].notna().to_dict() == {str(k): k == 2 for k in range(6)}
    assert rows["psnr"].notna().sum() == 5
    bad.write_bytes(good)
    assert "0 of 6 rows to make" in bench(capsys, *options)[2]  # an error is not run again ...
    code, _, err = bench(capsys, *options, "--retry-errors", "--quiet")  # ... unless asked
    assert (code, "1 of 6 rows to make" in err) == (0, True)
    assert store.read_rows(out)["error"].isna().all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--suite", "kodak24+white:25"), "https://r0k.us/graphics/kodak"),
        (("--suite", "kodak24+white:25,tiny", "--methods", "magic"), "'magic' is not registered"),
        (("--suite", "tiny", "--methods", "auto:slow"), "'slow': choose one of fast"),
        (("--suite", "tiny+grey:3"), "choose one of white"),
        (("--suite", "tiny+white"), "white needs 1 positive number"),
        (("--suite", "nowhere"), "neither a folder"),
        (("--suite", "tiny", "--jobs", "2", "--scheduler", "tcp://a:1"), "exclude each other"),
    ],
)
def test_bad_use_is_one_line(sets, tmp_path, capsys, arguments, said):
    code, out, err = bench(capsys, "run", "--data", sets, "--out", tmp_path / "o", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_missing_sets_can_be_left_out(sets, tmp_path, capsys):
    options = ("--data", sets, "--out", tmp_path / "o", "--methods", "noisy", "--limit", 1)
    code, _, err = bench(
        capsys, "run", "--suite", "set12+white:25,tiny", *options, "--skip-missing"
    )
    assert code == 0
    assert "left out: Set12" in err
    assert count(tmp_path / "o") == 1


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
    add = noises.parse(text)
    noisy = add(clean, seed)
    assert noisy.shape == clean.shape
    assert noisy.dtype == np.float32
    assert np.array_equal(noisy, add(clean, seed))
    assert not np.array_equal(noisy, add(clean, seed + 1))


def test_noise_is_as_strong_and_correlated_as_it_says():
    clean = np.full((200, 200, 3), 0.3, dtype=np.float32)
    white = noises.parse("white:25")(clean, 0) - clean
    assert white.std() * 255 == pytest.approx(25, rel=0.02)
    expected = np.random.default_rng(0).normal(0, 25 / 255, clean.shape)
    assert np.allclose(white, expected, atol=1e-6)  # as in the project's other measurements
    poisson = noises.parse("poisson:0.02/0.05")(clean, 0) - clean
    assert poisson.var() == pytest.approx(0.02 * 0.3 + 0.05**2, rel=0.03)
    smooth = noises.parse("correlated:10")(clean, 0) - clean
    assert smooth.std() * 255 == pytest.approx(10, rel=0.02)
    lags = [np.corrcoef(smooth[:, k:, 0].ravel(), smooth[:, :-k, 0].ravel())[0, 1] for k in (1, 2)]
    assert lags == pytest.approx([0.51, 0.08], abs=0.02)
    between = np.corrcoef(smooth[..., 0].ravel(), smooth[..., 2].ravel())[0, 1]
    assert between == pytest.approx(0.4, abs=0.03)
    taken = noises.parse("camera:0.01/0.01")(clean, 0)
    assert 0 <= taken.min() <= taken.max() <= 1
    noise = taken - clean
    neighbours = np.corrcoef(noise[:, 1:, 0].ravel(), noise[:, :-1, 0].ravel())[0, 1]
    assert neighbours > 0.3  # demosaicking spreads it
    with pytest.raises(BenchmarkError, match="colour"):
        noises.parse("camera:0.01/0.01")(clean[..., 0], 0)


# --- measuring -----------------------------------------------------------------------------------


def test_conventions_measure_what_they_say():
    rng = np.random.default_rng(0)
    clean = (picture(0) / 255).astype(np.float32)
    image = (clean + rng.normal(0, 0.05, clean.shape)).astype(np.float32)
    image[0, 0] = 1.7  # clipped first
    found = {name: c.measure(clean, image) for name, c in evaluation.CONVENTIONS.items()}
    cut = np.clip(image, 0, 1).astype(np.float64)
    error = np.mean((cut - clean) ** 2)
    assert found["float"][0] == pytest.approx(-10 * np.log10(error), abs=1e-4)
    rounded = np.mean((np.round(cut * 255) / 255 - clean) ** 2)
    assert found["8bit"][0] == pytest.approx(-10 * np.log10(rounded), abs=1e-4)
    assert found["8bit"] != found["float"]
    assert found["gaussian"][0] == found["float"][0]
    assert found["gaussian"][1] == pytest.approx(gaussian_ssim(clean, cut), abs=1e-4)
    luma = np.mean(((cut - clean) @ np.array(evaluation.LUMA)) ** 2)
    assert found["luma"][0] == pytest.approx(-10 * np.log10(luma), abs=1e-4)
    grey = clean[..., 0], image[..., 0]
    conventions = evaluation.CONVENTIONS
    assert conventions["luma"].measure(*grey) == conventions["float"].measure(*grey)
    assert set(evaluation.measure_all(*grey)) == set(store.QUALITY)


def gaussian_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM as Wang et al. define it, on pixels whose 11 x 11 window lies inside."""

    def blur(x: np.ndarray) -> np.ndarray:
        return gaussian_filter(x.astype(np.float64), (1.5, 1.5, 0), truncate=3.5)

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a**2) - mean_a**2, blur(b**2) - mean_b**2
    both = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    bottom = (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return float((top / bottom)[5:-5, 5:-5].mean())


# --- rows, tables, comparisons -------------------------------------------------------------------


def fill(folder: Path, sets: Path, values: dict[tuple[str, str], tuple[float, float]]) -> None:
    """Store rows of made-up methods on "tiny": (method, effort) -> (share of noise left, s)."""
    kept = store.Store(folder)
    for (method, effort), (left, seconds) in values.items():
        for name in datasets.find(sets, "tiny").names():
            task = worker.Task(sets, datasets.Entry("tiny"), name, method, effort)
            pair = datasets.load(sets, task.entry, name)
            assert pair.clean is not None
            image = pair.clean + left * (pair.noisy - pair.clean)
            row = {**task.key(), **worker.surroundings(task), "seconds": seconds}
            row["cpu_seconds"] = seconds / 2
            kept.add({**row, **evaluation.measure_all(pair.clean, image)}, image, f"of {method}")
    kept.close()


MADE = {
    ("noisy", ""): (1.0, 0.0), ("mash", "balanced"): (0.5, 10.0), ("auto", "fast"): (0.4, 4.0),
    ("auto", "balanced"): (0.3, 8.0), ("auto", "best"): (0.2, 80.0), ("dip", "best"): (0.6, 99.0),
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A run's folder with the rows of `MADE`, which tests only read."""
    folder = tmp_path_factory.mktemp("made")
    fill(folder / "run", make_sets(folder / "data"), MADE)
    return folder / "run"


def test_tables_from_a_store_and_from_its_csv_are_the_same(made, tmp_path, capsys):
    done = bench(capsys, "tables", "--rows", made, "--out", tmp_path / "first")
    assert done[0] == 0, done
    again = ("tables", "--rows", tmp_path / "first/rows.csv", "--out", tmp_path / "second")
    assert bench(capsys, *again)[0] == 0
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert {"rows.csv", "table-1.md", "table-all.tex", "table-conventions.csv"} <= set(names)
    for name in names:
        first, second = (tmp_path / part / name for part in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
    assert bench(capsys, *again)[0] == 2  # nothing is replaced unasked
    assert bench(capsys, *again, "--overwrite")[0] == 0


def test_table_1_takes_the_best_effort_within_the_time(made):
    table = tables.equal_time(store.read_rows(made), "mash", tables.How())
    assert table is not None
    cells = table.cells.set_index("method")
    assert cells["effort"].to_dict() == {"dip": "best", "mash": "balanced", "auto": "balanced"}
    assert cells["in time"].to_dict() == {"dip": "no: its fastest", "mash": "yes", "auto": "yes"}
    cpu = tables.equal_time(store.read_rows(made), "mash", tables.How(clock="cpu"))
    assert cpu is not None
    assert list(cpu.cells["s"]) == ["49.5", "5.0", "4.0"]
    assert tables.equal_time(store.read_rows(made), "n2v", tables.How()) is None


def test_published_figures_are_marked(made):
    rows = store.read_rows(made)
    rows["set"] = "sidd_val"
    table = tables.quality("Table real", "words", rows, tables.REAL, tables.How())
    assert table is not None
    assert "*35.06 / .851*" in table.markdown()
    assert r"\textcolor{gray}{35.06 / .851}" in table.latex()
    assert "SIDD validation, 6 images" in table.cells.columns
    assert table.cells["method"].iloc[0] == "noisy"


def test_means_are_over_common_images_and_failures_are_counted(made):
    rows = store.read_rows(made)
    mash = rows[(rows["method"] == "mash")].index
    rows.loc[mash[:2], ["psnr", "ssim", "error"]] = [np.nan, np.nan, "it broke"]
    common = tables.means(rows, "float", every=False)
    assert set(common["n"]) == {4}
    own = tables.means(rows, "float", every=True).set_index("method")
    assert own.loc["dip", "n"] == 6
    assert (own.loc["mash", "n"], own.loc["mash", "failed"]) == (4, 2)


def test_rows_of_different_crops_are_not_averaged(made, tmp_path, capsys):
    rows = store.read_rows(made)
    rows.loc[0, "crop"] = 16
    rows.to_csv(tmp_path / "rows.csv", index=False)
    common = ("compare", "auto", "noisy", "--rows", tmp_path / "rows.csv")
    code, _, err = bench(capsys, *common)
    assert code == 2
    assert "crop 0, 16" in err
    code, out, _ = bench(capsys, *common, "--crop", 0, "--csv")
    assert code == 0
    assert pd.read_csv(io.StringIO(out))["n"].tolist() in ([5], [6])


def test_differences_are_paired(made):
    found = compare.differences(store.read_rows(made), "auto:best", "mash")
    line = found.iloc[0]
    expected = 20 * np.log10(0.5 / 0.2)  # every image gains the same: the interval is narrow
    assert line["PSNR"] == pytest.approx(expected, abs=0.1)
    assert line["PSNR high"] - line["PSNR low"] < 0.1
    assert line["n"] == 6
    assert line["higher"] == 1
    with pytest.raises(BenchmarkError, match=r"no rows of auto:slow .* auto:best, auto:fast"):
        compare.differences(store.read_rows(made), "auto:slow", "mash")


def test_intervals_cover_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(60):
        low, high = compare.interval(rng.normal(0.3, 1, 30), 0.9)
        assert low < high
        hits += low < 0.3 < high
    assert 45 <= hits <= 60  # 54 expected
    change = rng.normal(0.3, 1, 400)
    low, high = compare.interval(change, 0.95)
    assert high - low == pytest.approx(2 * 1.96 * change.std() / 20, rel=0.1)
    assert compare.interval(np.full(5, 0.25), 0.95) == (0.25, 0.25)
    assert np.isnan(compare.interval(np.array([1.0, 2.0]), 0.95)).all()


def test_outputs_are_kept_to_16_bits(tmp_path):
    rng = np.random.default_rng(0)
    for shape in ((9, 11), (9, 11, 3)):
        image = rng.uniform(-0.1, 1.1, shape).astype(np.float32)
        (tmp_path / "outputs").mkdir(exist_ok=True)
        name = store.save_image(image, tmp_path / "outputs")
        assert name == store.save_image(image, tmp_path / "outputs")
        back = store.load_image(tmp_path, name)
        assert np.abs(back - np.clip(image, 0, 1)).max() < 1e-5


def test_a_file_that_is_no_store_is_an_error(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/rows.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(BenchmarkError, match="not a database"):
        store.Store(tmp_path / "a")
    with pytest.raises(BenchmarkError, match="run `python -m benchmarks run`"):
        store.read_rows(tmp_path / "b")


def test_time_left_follows_the_methods(sets):
    entry = datasets.Entry("tiny")
    tasks = [worker.Task(sets, entry, str(k), m, "fast") for k in range(3) for m in ("auto", "dip")]
    watch = Watch(tasks, jobs=2, quiet=True)
    assert watch.seconds_left() is None
    watch.finished(tasks[0], {"seconds": 1.0})
    watch.finished(tasks[1], {"seconds": 100.0})
    assert watch.seconds_left() == pytest.approx((2 * 1 + 2 * 100) / 2)
    watch.running({tasks[3]: 0.5})
    assert watch.seconds_left() == pytest.approx((2 * 1 + 1.5 * 100) / 2)


def test_suites_name_entries_that_parse():
    for suite in suites.SUITES.values():
        for text in suite.entries:
            entry = datasets.Entry.parse(text)
            assert str(entry) == text
            assert entry.set in datasets.SETS


# --- figures -------------------------------------------------------------------------------------


def test_figures_of_stored_rows(sets, tmp_path, monkeypatch, capsys):
    from benchmarks import figures

    dark = picture(3) // 20
    iio.imwrite(sets / "tiny/clean/3.png", dark)
    iio.imwrite(sets / "tiny/noisy/3.png", noisier(dark, 5, 3))
    fill(tmp_path / "run", sets, {**MADE, ("bsn-ins", "best"): (1.2, 70.0)})
    monkeypatch.setitem(figures.PANELS, "3", ("tiny", ""))
    said = ("figures", "--rows", tmp_path / "run", "--data", sets, "--out", tmp_path / "f")
    code, out, err = bench(capsys, *said, "--which", "2,3,quality-time")
    assert code == 0, err
    for name in ("figure-2.png", "figure-3.png", "quality-time.png"):
        assert str(tmp_path / "f" / name) in out
        assert iio.imread(tmp_path / "f" / name)[..., :3].std() > 5  # something is drawn
    windows = pd.read_csv(tmp_path / "f/figure-2.csv")
    assert set(windows["image"].astype(str)) == {"3"}
    assert windows["ratio"].to_numpy() == pytest.approx(1.44, rel=0.05)
    code, _, err = bench(capsys, *said, "--which", "2", "--dark", "0.001")
    assert (code, "raise --dark" in err) == (2, True)
    assert "figure '7'" in bench(capsys, *said, "--which", "7")[2]


def test_the_zoomed_square_is_where_the_detail_is():
    from benchmarks.figures import detailed

    clean = np.full((64, 64, 3), 0.5)
    clean[40:56, 8:24] += np.random.default_rng(0).normal(0, 0.1, (16, 16, 3))
    y, x = detailed(clean, 16)
    assert abs(y - 40) <= 2
    assert abs(x - 8) <= 2


def test_correlations_tell_noise_from_values():
    from benchmarks.figure_inr import correlations

    clean = picture(0) / 255
    noise = np.random.default_rng(0).normal(0, 0.1, clean.shape)
    noisy = clean + noise
    assert correlations(noisy, noisy, clean)[0] == pytest.approx(1)
    assert correlations(clean, noisy, clean) == pytest.approx((0, 1), abs=1e-6)
    leaking = correlations(0.5 * clean + 0.1 * noise + 3, noisy, clean)
    assert leaking[0] == pytest.approx(1)
    assert 0.9 < leaking[1] < 1
    independent = np.random.default_rng(1).normal(0, 1, clean.shape)
    assert np.abs(correlations(independent, noisy, clean)).max() < 0.1


def test_figure_1_follows_the_inr(sets, tmp_path, monkeypatch, capsys):
    from benchmarks import figure_inr
    from tests.conftest import tiny
    from zspot.algorithms import METHODS
    from zspot.algorithms.method import Method

    small = Method("bsn-ins", "", "", lambda effort: tiny(METHODS["bsn-ins"].make("fast"), 6))
    monkeypatch.setattr(figure_inr, "METHODS", {"bsn-ins": small})
    fill(tmp_path / "run", sets, {("noisy", ""): (1.0, 0.0)})
    code, _, err = bench(
        capsys, "figures", "--which", "1", "--image", "bare+white:25/9", "--crop", 24,
        "--rows", tmp_path / "run", "--data", sets, "--out", tmp_path / "f",
    )  # fmt: skip
    assert code == 0, err
    table = pd.read_csv(tmp_path / "f/figure-1.csv")
    assert list(table["step"]) == list(range(7))
    changes = table["value_correlation"].diff().abs()
    assert changes[1] > 0  # the INR learns at steps 0 and 5
    assert changes[6] > 0
    assert changes[2:6].max() == 0
    assert iio.imread(tmp_path / "f/figure-1.png")[..., :3].std() > 5


# --- Dask ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_dask_makes_the_same_rows(sets, tmp_path):
    distributed = pytest.importorskip("distributed")
    methods = suites.methods("noisy,auto:fast")
    tasks, _ = runner.plan(sets, suites.Suite(("tiny",), limit=2), methods)
    outs = tmp_path / "dask", tmp_path / "local"
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        for out, scheduler in zip(outs, (cluster.scheduler_address, None), strict=True):
            kept = store.Store(out)
            assert runner.run(tasks, kept, Watch(tasks, 1, quiet=True), scheduler=scheduler) == 0
            kept.close()
    pd.testing.assert_frame_equal(*(quality_of(out) for out in outs))
    kept = store.Store(tmp_path / "none")
    with pytest.raises(BenchmarkError, match="no Dask scheduler answers"):
        runner.run(tasks, kept, Watch(tasks, 1, quiet=True), scheduler="tcp://127.0.0.1:1")
