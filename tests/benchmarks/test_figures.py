"""The figures that benchmarks draw of stored rows."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest

from tests.bench_help import MADE, bench, fill, noisier, picture, sets

__all__ = ["sets"]


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
    from tests.images import tiny
    from zspot.algorithms import METHODS
    from zspot.algorithms.catalogue import Method

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


def test_the_border_is_told_from_the_middle(sets, tmp_path):
    from benchmarks.compare import borders, profile
    from benchmarks.store import read_rows

    clean = np.full((40, 30, 3), 0.5)
    image = clean + 0.1
    image[2:-2, 2:-2] = 0.51
    assert profile(clean, image)[:4] == pytest.approx([20, 20, 40, 40])
    assert np.isnan(profile(clean, image)[-1])  # no pixel is so far from the border

    fill(tmp_path, sets, MADE)
    found = borders(read_rows(tmp_path), tmp_path, sets)
    first = found.groupby("method")["from_0"].mean()
    assert {"noisy", *(method for method, _ in MADE)} == set(first.index)
    assert first.drop("noisy").max() > first["noisy"]
