"""Images and small budgets that several test files share."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import HealthCheck, settings

from zspot.recipe import Fit, Recipe

pytest.register_assert_rewrite("tests.io_help")
settings.register_profile(
    "zspot", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("zspot")

DATA = Path(os.environ.get("ZSPOT_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The development sets; they may not be redistributed, so they can be absent."""
    if not DATA.is_dir():
        pytest.skip(f"the development images are not at {DATA}: set ZSPOT_DATA to their folder")
    return DATA


@pytest.fixture(scope="session")
def clean() -> np.ndarray:
    """A smooth and detailed colour picture in [0, 1], 96 x 96."""
    return skimage.data.chelsea()[60:156, 120:216].astype(np.float32) / 255


def correlated(shape: tuple[int, ...], sigma: float, seed: int) -> np.ndarray:
    """Noise of standard deviation `sigma` with correlation 0.5 at one pixel, as in smartphones."""
    rng = np.random.default_rng(seed)
    white = rng.normal(0, 1, (shape[0] + 2, shape[1] + 2, *shape[2:]))
    rows = 0.5 * white[:-2] + white[1:-1] + 0.5 * white[2:]
    both = 0.5 * rows[:, :-2] + rows[:, 1:-1] + 0.5 * rows[:, 2:]
    return (sigma * both / both.std()).astype(np.float32)


def psnr(clean: np.ndarray, image: np.ndarray) -> float:
    error = np.clip(image, 0, 1).astype(np.float64) - clean
    return float(-10 * np.log10(np.mean(error**2)))


def close(a, b, scale: float, tolerance: float = 1e-10) -> bool:
    return bool(np.abs(np.asarray(a) - b).max() <= tolerance * scale)


def tiny(recipe: Recipe, steps: int = 2, passes: int = 2) -> Recipe:
    """The same recipe at a budget that only shows that it runs."""
    return replace(
        recipe, fit=replace(recipe.fit, steps=steps), predict=replace(recipe.predict, passes=passes)
    )


def small_net(recipe: Recipe, steps: int, passes: int) -> Recipe:
    """The same recipe with a narrow network and a fast schedule, for quality tests."""
    net = replace(recipe.network, width=16, dropout=0.1)
    return replace(
        recipe,
        network=net,
        fit=Fit(steps, 3e-3, "one-cycle"),
        predict=replace(recipe.predict, passes=passes),
    )


@pytest.fixture(autouse=True)
def _global_rng_untouched():
    """No test may move the global random state of torch or numpy through zspot."""
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    yield
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


@pytest.fixture
def one_thread():
    """As many threads as a worker has: some methods' bytes depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
