"""The linear blind spot with any correlations: its best weights, many masks, an image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.windows import measured, only, over_masks
from tests.images import close
from zspot.theory import Moments


@given(st.integers(0, 10**6), st.integers(1, 12))
def test_the_system_has_the_best_weights(seed, m):
    rng = np.random.default_rng(seed)
    v, n = (rng.normal(size=(m + 1, m + 4)) for _ in range(2))
    moments = Moments(v @ v.T, n @ n.T)
    best = moments.solve()
    # A minimum: nothing near is better, and the slope of the loss vanishes.
    step = 1e-3 * rng.normal(size=m)
    assert moments.loss(best.weights + step) >= best.loss
    both = moments.values + moments.noise
    slope = both[1:, 1:] @ best.weights - both[1:, 0]
    assert close(slope, 0, float(np.abs(both).max()) * (1 + np.abs(best.weights).sum()))
    # Loss and risk differ by the hidden noise that the guess does not and does contain.
    gap = moments.noise[0, 0] - 2 * best.weights @ moments.noise[1:, 0]
    assert best.loss - best.risk == pytest.approx(gap, rel=1e-9, abs=1e-9 * np.abs(both).max())


def test_moments_of_an_image_are_least_squares_on_it():
    rng = np.random.default_rng(4)
    clean = np.cumsum(rng.normal(size=(2, 24, 24)), axis=2) / 4
    noise = rng.normal(size=clean.shape)
    moments, offsets = measured(clean, noise, 1, channel=1)
    assert len(moments.values) - 1 == len(offsets) == 17
    assert not (offsets == (1, 0, 0)).all(axis=1).any()
    assert moments.noise[0, 0] == pytest.approx(np.mean(noise[1, 1:-1, 1:-1] ** 2))
    for j in (0, 9, 16):
        c, dy, dx = offsets[j]
        there = clean[c, 1 + dy : 23 + dy, 1 + dx : 23 + dx]
        assert moments.values[0, j + 1] == pytest.approx(np.mean(clean[1, 1:-1, 1:-1] * there))


def test_fewer_visible_pixels_never_lower_the_loss():
    rng = np.random.default_rng(8)
    v, n = (rng.normal(size=(9, 30)) for _ in range(2))
    moments = Moments(v @ v.T, n @ n.T)
    losses = [only(moments, np.arange(8) < k).solve().loss for k in range(9)]
    assert np.all(np.diff(losses) <= 1e-9)
    nothing = only(moments, np.zeros(8, bool)).solve()
    assert nothing.risk == moments.values[0, 0]


@given(st.integers(0, 10**6))
@settings(max_examples=30)
def test_averaging_passes_never_hurts(seed):
    rng = np.random.default_rng(seed)
    v, n = (rng.normal(size=(9, 12)) for _ in range(2))
    result = over_masks(Moments(v @ v.T, n @ n.T), rng.random((6, 8)) < 0.4)
    assert result.averaged <= result.one_pass + 1e-9 * result.one_pass
    same = over_masks(Moments(v @ v.T, n @ n.T), np.ones((3, 8), bool))
    assert same.averaged == pytest.approx(same.one_pass)
    assert same.visible == 8
