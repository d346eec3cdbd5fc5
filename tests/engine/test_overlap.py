"""Learning on small crops, and prediction in overlapping windows of their size."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import zspot
from zspot.core.errors import RecipeError
from zspot.engine.forward import crops
from zspot.engine.tiling import Windowed
from zspot.recipe import Constant, Fit, Predict, Recipe, UNet


class _Same(nn.Module):
    """A network that returns what it sees and remembers how large that was."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Size] = []

    def forward(self, x, generator=None, visible=None):
        self.seen.append(x.shape)
        assert visible is None or visible.shape == x.shape
        return x


class _Mean(nn.Module):
    """A network whose every pixel depends on all it sees."""

    def forward(self, x, generator=None, visible=None):
        return x.mean((2, 3), keepdim=True).expand_as(x)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 2), st.integers(1, 3), st.integers(1, 90), st.integers(1, 90), st.integers(1, 40)
)
def test_every_pixel_comes_back_once_whatever_the_sizes(count, channels, height, width, side):
    x = torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(0))
    network = _Same()
    assert torch.allclose(Windowed(network, side)(x, None, x > 0), x, atol=1e-5)
    assert {tuple(shape[2:]) for shape in network.seen} == {(min(side, height), min(side, width))}


def test_a_pixel_depends_on_no_more_than_the_windows_that_hold_it():
    x = torch.zeros(1, 1, 96, 96)
    x[..., 0, 0] = 1
    changed = Windowed(_Mean(), 32)(x)[0, 0] != 0
    assert changed[:32, :32].all()
    assert changed.sum() == 32 * 32


def _recipe(window: int) -> Recipe:
    fit = Fit(steps=4, lr=1e-3, schedule="one-cycle", crop=32)
    return Recipe("bsn-ins", network=UNet(8), fit=fit, predict=Predict(2, window=window))


@pytest.mark.parametrize("size", [(80, 96), (33, 100), (20, 20)])
def test_windows_change_what_the_network_is_shown_and_nothing_else(size):
    noisy = np.random.default_rng(0).random(size, dtype=np.float32)
    whole, windows = (zspot.run(noisy, _recipe(n), seed=1) for n in (0, 32))
    assert windows.losses == whole.losses
    assert windows.image.shape == size
    assert np.isfinite(windows.image).all()
    assert np.array_equal(windows.image, whole.image) == (max(size) <= 32)
    again = zspot.run(noisy, _recipe(32), seed=1)
    assert np.array_equal(again.image, windows.image)


def test_windows_within_phases():
    noisy = np.random.default_rng(0).random((96, 80), dtype=np.float32)
    recipe = _recipe(16)
    recipe = replace(recipe, predict=replace(recipe.predict, stride=2))
    assert zspot.denoise(noisy, recipe).shape == noisy.shape


def test_windows_and_tiles_exclude_each_other():
    with pytest.raises(RecipeError, match=r"predict.window.*set predict.tile = 0"):
        Predict(window=64, tile=512)
    with pytest.raises(RecipeError, match=r"predict.window = 5"):
        Predict(window=5)


def test_no_gradient_is_longer_than_clip(monkeypatch):
    noisy = np.random.default_rng(0).random((40, 40), dtype=np.float32)
    step, norms = torch.optim.Adam.step, []

    def recorded(self, closure=None):
        grads = [p.grad.norm() for group in self.param_groups for p in group["params"]]
        norms.append(float(torch.stack(grads).norm()))
        return step(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", recorded)
    recipe = replace(_recipe(32), fill=Constant("zero"))  # an INR has an Adam of its own
    zspot.run(noisy, recipe)
    free = norms.copy()
    norms.clear()
    clip = 0.5 * min(free)
    zspot.run(noisy, replace(recipe, fit=replace(recipe.fit, clip=clip)))
    assert norms == pytest.approx([clip] * len(free), rel=1e-3)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 50), st.sampled_from([1, 4]))
def test_crops_lie_in_the_image(height, width, side, grid):
    places = torch.Generator().manual_seed(height)
    for rows, columns in crops((height, width), side, 20, places, grid):
        for cut, full in ((rows, height), (columns, width)):
            assert cut.start % grid == 0
            assert 0 <= cut.start <= full - min(side, full)
            assert cut.stop - cut.start == min(side, full)


def test_crops_show_the_border_as_often_as_the_middle():
    seen = np.zeros((60, 40))
    for rows, columns in crops((60, 40), 16, 20000, torch.Generator().manual_seed(0)):
        seen[rows, columns] += 1
    assert seen.min() > 0.9 * seen[30, 20]


def test_crops_of_nearly_all_still_start_anywhere():
    places = torch.Generator().manual_seed(0)
    starts = [rows.start for rows, _ in crops((128, 128), 120, 3000, places)]
    share = np.bincount(starts, minlength=9) / 3000
    assert share[[0, 8]] == pytest.approx(9 / 25, abs=0.05)
    assert share[1:8] == pytest.approx(1 / 25, abs=0.02)
