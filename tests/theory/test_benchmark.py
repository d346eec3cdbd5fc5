"""What `benchmarks.theory` measures, on images whose correlations are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.correlations import image_row, lag_rows
from tests.images import correlated


def column(rows: list[dict], name: str) -> dict[float, float]:
    return {float(r["distance"]): float(r[name]) for r in rows}


def test_noise_correlation_of_a_known_kernel():
    noise = correlated((256, 256, 2), 0.1, seed=2).transpose(2, 0, 1).astype(np.float64)
    found = column(lag_rows(np.zeros_like(noise) + 0.5, noise), "noise_correlation")
    # The kernel (1/2, 1, 1/2) has correlations 2/3 and 1/6 at one and two pixels along an axis.
    assert found[1.0] == pytest.approx(2 / 3, abs=0.02)
    assert found[1.5] == pytest.approx(4 / 9, abs=0.02)
    assert found[5.0] == pytest.approx(0, abs=0.03)


def test_value_deviation_of_a_ramp():
    ramp = np.tile(np.arange(64) / 64, (64, 1))[None]
    noise = np.random.default_rng(1).normal(0, 0.1, ramp.shape)
    rows = lag_rows(ramp, noise)
    # Of the four nearest neighbours two differ by 1 / 64 and two not at all.
    assert column(rows, "value_deviation")[1.0] == pytest.approx(np.sqrt(0.5) / 64, abs=2e-6)
    additive = column(rows, "lambda_v_additive")[1.0]
    assert additive == pytest.approx(np.sqrt(0.5) / 64 / noise.std(), rel=1e-3)
    rms = np.sqrt(np.mean(ramp**2))
    assert column(rows, "lambda_v_multiplicative")[1.0] == pytest.approx(additive / rms, rel=1e-3)


@pytest.mark.parametrize("power", [0, 2])
def test_exponent_tells_additive_from_multiplicative_deviations(power):
    rng = np.random.default_rng(3)
    level = np.tile(np.linspace(0.2, 1, 256), (128, 1))
    clean = level + 0.02 * level ** (power / 2) * rng.normal(size=level.shape)
    found = float(image_row(clean[None], rng.normal(0, 0.1, clean[None].shape))["exponent"])
    assert found == pytest.approx(power, abs=0.4)
