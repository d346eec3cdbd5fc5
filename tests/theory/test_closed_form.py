"""The closed forms of `zspot.theory` against algebra, a direct solve, autograd and random draws.

Seeds of the draws are fixed: one right comparison in 370 lies outside three standard errors.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.images import close
from tests.theory.draws import monte_carlo
from zspot.theory import FORMS, MODELS, BlindSpot, Moments, Neighbours, TheoryError, closed_form

MODEL = st.sampled_from(MODELS)


def rank_one_inverse(a: float, b: float, size: int) -> np.ndarray:
    """Return the inverse of a I + b 1 1^T of `size` rows as Lemma 1 has it."""
    return (np.eye(size) - b / (a + size * b)) / a


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_subnormal=False)


@st.composite
def blind_spots(draw: st.DrawFn, correlation: float = 0.99) -> BlindSpot:
    return BlindSpot(
        draw(st.one_of(numbers(0.05, 3), numbers(-3, -0.05))),
        draw(numbers(0.05, 3)),
        draw(numbers(-correlation, correlation)),
        draw(numbers(0, 3)),
        draw(st.integers(1, 40)),
        draw(MODEL),
    )


def printed(x, s, ln, lv, m):
    """The risk as it is printed, typed from the paper's statement."""
    whole = m * x**2 + (m - 1) * ln**2 * s**2 + lv**2 * s**2 + s**2
    return x**2 - m * (x**4 - ln**2 * s**4) / whole


# --- closed form against other ways to the same number ---


@given(blind_spots())
def test_closed_form_is_the_direct_solve(spot):
    solution = spot.neighbours().moments().solve()
    scale = spot.value**2 + spot.sigma**2
    assert close(spot.weight(), solution.weights, 1.0)
    assert close(spot.loss(), solution.loss, scale)
    for form in FORMS:
        assert close(spot.risk(form), solution.risk, scale)


@given(blind_spots())
def test_lemma_1_gives_the_same_weights(spot):
    both = spot.neighbours().moments()
    both = both.values + both.noise
    m = spot.visible
    b = spot.value**2 + spot.noise_correlation**2 * spot.sigma**2
    inverse = rank_one_inverse(both[1, 1] - b, b, m)
    scale = 1 / (both[1, 1] - b)
    assert close(inverse @ both[1:, 1:], np.eye(m), scale * both[1, 1] * m)
    assert close(inverse @ both[1:, 0], spot.weight(), scale * both[1, 1] * m)


@given(numbers(0.01, 100), st.sampled_from([-1, 1]), numbers(0, 100), st.integers(1, 30))
def test_lemma_1_inverts(a, sign, b, size):
    a, b = sign * a, sign * b
    matrix = a * np.eye(size) + b
    condition = 1 + size * b / a
    assert close(rank_one_inverse(a, b, size) @ matrix, np.eye(size), condition * size)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("x", "s", "ln", "lv", "m"),
    [
        (0.7, 0.4, 0.0, 0.5, 8),
        (0.7, 0.4, 0.5, 1.5, 8),
        (-1.3, 0.8, -0.6, 0.7, 3),
        (0.1, 0.9, 0.8, 0.3, 20),
        (2.0, 1.0, 0.9, 0.0, 5),
    ],
)
def test_monte_carlo_agrees_within_three_standard_errors(x, s, ln, lv, m, model):
    spot = BlindSpot(x, s, ln, lv, m, model)
    seen = monte_carlo(spot.neighbours(), 150_000, 7)
    assert abs(seen.risk - spot.risk()) < 3 * seen.risk_error
    assert abs(seen.loss - spot.loss()) < 3 * seen.loss_error
    assert seen.risk_error < 0.02 * seen.risk  # or agreeing would mean little


@pytest.mark.parametrize("model", MODELS)
def test_monte_carlo_with_other_weights_and_unequal_pixels(model):
    rng = np.random.default_rng(12)
    pixels = Neighbours(1.2, 0.6, rng.uniform(-0.8, 0.9, 7), rng.uniform(0, 2, 7), model)
    moments = pixels.moments()
    for weights in (None, rng.normal(0.1, 0.2, 7)):
        used = moments.solve().weights if weights is None else weights
        seen = monte_carlo(pixels, 100_000, 12, weights)
        assert abs(seen.risk - moments.risk(used)) < 3 * seen.risk_error
        assert abs(seen.loss - moments.loss(used)) < 3 * seen.loss_error


# --- which model is printed ---


@given(blind_spots())
def test_the_printed_risk_is_the_additive_one(spot):
    x, s, ln, lv, m = spot.value, spot.sigma, spot.noise_correlation, spot.deviation, spot.visible
    stated = printed(x, s, ln, lv, m)
    assert close(stated, BlindSpot(x, s, ln, lv, m, "additive").risk(), x**2 + s**2)
    # The printed weights' denominator is the multiplicative one only where x_0^2 is 1.
    same = BlindSpot(np.sign(x), s, ln, lv, m, "multiplicative").risk()
    assert close(printed(np.sign(x), s, ln, lv, m), same, 1 + s**2)


@given(blind_spots(), st.sampled_from([0.3, 3.0]))
def test_the_printed_risk_is_not_the_multiplicative_one(spot, x):
    s, ln, lv, m = spot.sigma, spot.noise_correlation, spot.deviation, spot.visible
    assume(lv > 0.1 and abs(x**2 - abs(ln) * s**2) > 0.01)
    direct = BlindSpot(x, s, ln, lv, m, "multiplicative").neighbours().moments().solve().risk
    assert not close(printed(x, s, ln, lv, m), direct, x**2 + s**2, 1e-8)


def test_draws_tell_the_two_models_apart():
    x, s, ln, lv, m = 0.3, 0.5, 0.4, 3.0, 8
    stated = printed(x, s, ln, lv, m)
    seen = {
        model: monte_carlo(BlindSpot(x, s, ln, lv, m, model).neighbours(), 150_000, 11)
        for model in MODELS
    }
    assert abs(seen["additive"].risk - stated) < 3 * seen["additive"].risk_error
    assert abs(seen["multiplicative"].risk - stated) > 10 * seen["multiplicative"].risk_error


# --- special cases ---


@given(blind_spots())
def test_without_noise_there_is_no_risk(spot):
    quiet = BlindSpot(
        spot.value, 0, spot.noise_correlation, spot.deviation, spot.visible, spot.model
    )
    assert quiet.risk("fraction") == 0
    assert close(quiet.risk("difference"), 0, spot.value**2)
    assert close(quiet.weight(), 1 / spot.visible, 1)
    # Every visible pixel is the same then: the system is singular, and still solved.
    assert close(quiet.neighbours().moments().solve().risk, 0, spot.value**2)


@given(blind_spots(), st.sampled_from([-1, 1]))
def test_copies_of_the_noise_leave_all_of_it(spot, sign):
    copied = BlindSpot(spot.value, spot.sigma, sign, 0, spot.visible, spot.model)
    x2, s2 = spot.value**2, spot.sigma**2
    for form in FORMS:
        assert close(copied.risk(form), s2, x2 + s2)
    assert close(copied.weight() * spot.visible, (x2 + sign * s2) / (x2 + s2), 1)
    assert close(copied.neighbours().moments().solve().risk, s2, x2 + s2)


def test_independent_equal_pixels_average_out():
    many = BlindSpot(1.0, 0.5, 0.0, 0.0, np.array([1e3, 1e4, 1e5]))
    assert many.risk() == pytest.approx(0.25 / np.array([1e3, 1e4, 1e5]), rel=1e-3)
    assert many.limit() == 0


@given(blind_spots())
def test_the_limit_of_many_pixels(spot):
    five = (spot.value, spot.sigma, spot.noise_correlation, spot.deviation)
    assert close(
        BlindSpot(*five, 1e13, spot.model).risk(), spot.limit(), spot.value**2 + spot.sigma**2, 1e-6
    )


# --- monotonicity ---


@given(blind_spots(correlation=1.0), numbers(0, 1), numbers(0, 2))
def test_more_noise_or_more_correlation_never_helps(spot, t, more):
    x, s, ln, lv, m = spot.value, spot.sigma, spot.noise_correlation, spot.deviation, spot.visible
    scale = 1e-12 * (x**2 + (s + more) ** 2)
    farther = np.sign(ln) * (abs(ln) + t * (1 - abs(ln)))
    assert BlindSpot(x, s, farther, lv, m, spot.model).risk() >= spot.risk() - scale
    assert BlindSpot(x, s + more, ln, lv, m, spot.model).risk() >= spot.risk() - scale
    assert BlindSpot(x, s, -ln, lv, m, spot.model).risk() == spot.risk()


@given(blind_spots(correlation=1.0), numbers(0, 2), st.integers(1, 20))
def test_deviation_and_pixels_act_by_the_sign_of_what_is_known(spot, more, pixels):
    x, s, ln, lv, m = spot.value, spot.sigma, spot.noise_correlation, spot.deviation, spot.visible
    sign, scale = np.sign(x**2 - abs(ln) * s**2), 1e-12 * (x**2 + s**2)
    deviating = BlindSpot(x, s, ln, lv + more, m, spot.model).risk()
    seeing = BlindSpot(x, s, ln, lv, m + pixels, spot.model).risk()
    assert sign * (deviating - spot.risk()) >= -scale
    assert sign * (seeing - spot.risk()) <= scale
    assert sign * (x**2 - spot.risk()) >= -scale


def test_the_claims_are_reversed_in_the_dark():
    dark = BlindSpot(0.05, 0.3, 0.8, 0.5, np.array([1, 10, 100]))
    assert (dark.slopes().deviation < 0).all()
    assert (np.diff(dark.risk()) > 0).all()
    assert (dark.risk() > 0.05**2).all()
    assert BlindSpot(0.05, 0.3, 0.8, 2.0, 10).risk() < dark.risk()[1]


@given(blind_spots())
def test_slopes_are_what_autograd_finds(spot):
    x, s, ln, lv, m = spot.value, spot.sigma, spot.noise_correlation, spot.deviation, spot.visible
    wanted = [
        torch.tensor(float(p), dtype=torch.float64, requires_grad=True) for p in (ln, lv, m, s)
    ]
    by_correlation, by_deviation, by_visible, by_sigma = wanted
    five = (
        torch.tensor(float(x), dtype=torch.float64),
        by_sigma,
        by_correlation,
        by_deviation,
        by_visible,
    )
    risk = closed_form._Terms.of(five, spot.model).risk("fraction")
    found = torch.autograd.grad(risk, wanted)
    # The slopes are with respect to squares, but for the number of pixels.
    inner = (2 * ln, 2 * lv, 1, 2 * s)
    for slope, outer, exact in zip(spot.slopes(), inner, found, strict=True):
        assert slope * outer == pytest.approx(float(exact), rel=1e-8, abs=1e-12)


# --- use ---


def test_arrays_broadcast():
    risk = BlindSpot(1.0, 0.5, np.linspace(0, 0.9, 4)[:, None], 0.5, np.array([2, 8])).risk()
    assert risk.shape == (4, 2)
    assert risk[3, 1] == BlindSpot(1.0, 0.5, 0.9, 0.5, 8).risk()


@pytest.mark.parametrize(
    "change",
    [
        {"sigma": -0.1},
        {"noise_correlation": 1.1},
        {"deviation": -1},
        {"visible": -1},
        {"value": float("nan")},
        {"model": "both"},
        {"value": 0, "sigma": 0},
    ],
)
def test_parameters_out_of_range_are_named(change):
    good = {"value": 1, "sigma": 0.5, "noise_correlation": 0, "deviation": 1, "visible": 4}
    with pytest.raises(TheoryError, match=next(iter(change))) as caught:
        BlindSpot(**(good | change))
    assert "\n" not in str(caught.value)


def test_other_bad_use_is_an_error():
    with pytest.raises(TheoryError, match="form"):
        BlindSpot(1, 1, 0, 0, 1).risk("printed")
    with pytest.raises(TheoryError, match="visible"):
        BlindSpot(1, 1, 0, 0, 1.5).neighbours()
    with pytest.raises(TheoryError, match="model"):
        BlindSpot(1.0, 1.0, 0.0, 0.0, 1, "both")
    with pytest.raises(TheoryError, match=r"\(M,\)"):
        Neighbours(1, 1, np.zeros(3), np.zeros(2))
    with pytest.raises(TheoryError, match="symmetric"):
        Moments(np.array([[1, 0], [1, 1]]), np.eye(2))
    with pytest.raises(TheoryError, match="shape"):
        Moments(np.eye(2), np.eye(3))


def test_the_theory_does_not_wait_for_torch():
    code = (
        "import sys, zspot.theory as t; t.BlindSpot(1, 1, 0, 0, 1).risk();"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
