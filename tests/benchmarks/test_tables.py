"""What benchmarks measure, and the tables and comparisons of stored rows."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter, shift

from benchmarks import compare, metrics, store, tables
from benchmarks.metrics import BenchmarkError
from tests.bench_help import MADE, bench, fill, make_sets, picture, sets

__all__ = ["sets"]


# --- measuring -----------------------------------------------------------------------------------


def test_conventions_measure_what_they_say():
    rng = np.random.default_rng(0)
    clean = (picture(0) / 255).astype(np.float32)
    image = (clean + rng.normal(0, 0.05, clean.shape)).astype(np.float32)
    image[0, 0] = 1.7  # clipped first
    conventions = metrics.CONVENTIONS
    found = {name: c.measure(clean, image, clean) for name, c in conventions.items()}
    cut = np.clip(image, 0, 1).astype(np.float64)
    error = np.mean((cut - clean) ** 2)
    assert found["float"][0] == pytest.approx(-10 * np.log10(error), abs=1e-4)
    rounded = np.mean((np.round(cut * 255) / 255 - clean) ** 2)
    assert found["8bit"][0] == pytest.approx(-10 * np.log10(rounded), abs=1e-4)
    assert found["8bit"] != found["float"]
    assert found["gaussian"][0] == found["float"][0]
    assert found["gaussian"][1] == pytest.approx(gaussian_ssim(clean, cut), abs=1e-4)
    luma = np.mean(((cut - clean) @ np.array(metrics.LUMA)) ** 2)
    assert found["luma"][0] == pytest.approx(-10 * np.log10(luma), abs=1e-4)
    assert found["aligned"] == found["float"]  # the noisy image is the reference itself
    grey = clean[..., 0], image[..., 0], clean[..., 0]
    assert conventions["luma"].measure(*grey) == conventions["float"].measure(*grey)
    assert set(metrics.measure_all(*grey)) == set(store.QUALITY)


@pytest.mark.parametrize("colour", [False, True])
def test_aligned_forgives_gain_offset_and_a_small_shift_and_nothing_else(colour):
    rng = np.random.default_rng(0)
    clean = gaussian_filter(rng.normal(size=(160, 160, 3)), (6, 6, 0))
    clean = 0.5 + 0.1 * clean / clean.std()
    clean = clean if colour else clean[..., 0]
    seen = 0.03 + 0.9 * shift(clean, (0.3, -0.2, 0)[: clean.ndim], order=3, mode="nearest")
    noise = rng.normal(0, 0.05, clean.shape)
    psnr = {name: lambda *x, c=c: c.measure(*x)[0] for name, c in metrics.CONVENTIONS.items()}
    plain, aligned = psnr["float"], psnr["aligned"]
    assert aligned(clean, seen, seen + noise) > plain(clean, seen, seen) + 6
    # errors of the denoiser stay: blur, a shift of its own, and noise that it left
    blurred = gaussian_filter(seen, 4, axes=(0, 1))
    for image in (blurred, np.roll(seen, 1, axis=0), seen + 0.3 * noise):
        error = plain(seen, image, seen)
        assert aligned(clean, image, seen + noise) == pytest.approx(error, abs=0.5)
    # and where nothing differs beside noise, it is the plain one
    noisy = clean + noise
    for image in (noisy, gaussian_filter(noisy, 1, axes=(0, 1))):
        error = plain(clean, image, noisy)
        assert aligned(clean, image, noisy) == pytest.approx(error, abs=0.05)


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


def test_rows_of_few_columns_say_nothing_that_they_do_not_know(made, tmp_path):
    few = ["set", "image", "crop", "method", "effort", "psnr", "ssim", "cpu_seconds"]
    store.read_rows(made)[few].to_csv(tmp_path / "rows.csv", index=False)
    rows = store.read_rows(tmp_path / "rows.csv")
    written = tables.write_tables(rows, tmp_path / "out", reference="mash", clock="cpu")
    assert {path.name for path in written} >= {"table-1.md", "table-all.md"}
    assert not (tmp_path / "out" / "table-conventions.md").exists()
    for path in written:
        assert "nan" not in path.read_text().lower(), path.name
    assert "median cpu seconds. Tuned on" in (tmp_path / "out" / "table-1.md").read_text()


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
    assert metrics.mean_with_interval([1.0, 2.0]) == "1.50"  # too few for an interval
    assert metrics.mean_with_interval([0.25] * 3) == "0.25 (0.25 to 0.25)"


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
