"""Images and small budgets that several test files share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.io_help", "tests.folder_help")
settings.register_profile(
    "zspot", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("zspot")

if "PYTEST_XDIST_WORKER" in os.environ:  # each has one core
    torch.set_num_threads(1)

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
