"""The self-similarity denoiser against plain reference computations, and its contracts."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import torch
from conftest import psnr

from zspot import selfsim
from zspot.selfsim import STAGES, Stage, denoise_selfsim

LEVEL = 25 / 255
QUICK = (Stage(5, 8, window=13), Stage(5, 16, window=13))


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return (skimage.data.astronaut()[40:104, 190:254] / 255).astype(np.float32)


@pytest.fixture(scope="module")
def noisy(clean) -> torch.Tensor:
    noise = np.random.default_rng(0).normal(0, LEVEL, clean.shape)
    return torch.from_numpy((clean + noise).astype(np.float32)).permute(2, 0, 1).contiguous()


def quality(clean: np.ndarray, image: torch.Tensor) -> float:
    return psnr(clean, image.permute(1, 2, 0).numpy())


def test_gain_over_noisy_and_stage_by_stage(clean, noisy):
    before = quality(clean, noisy)
    two, three = (
        quality(clean, denoise_selfsim(noisy, LEVEL, stages=s)) for s in (STAGES[:2], STAGES)
    )
    assert two > before + 6
    assert three > two


def test_grey(clean):
    grey = clean.mean(2)
    noise = np.random.default_rng(0).normal(0, LEVEL, grey.shape)
    noisy = torch.from_numpy((grey + noise).astype(np.float32))[None]
    out = denoise_selfsim(noisy, LEVEL)
    assert psnr(grey, out[0].numpy()) > psnr(grey, noisy[0].numpy()) + 5


@pytest.mark.parametrize(("factor", "shift"), [(1, 0.25), (1, -3), (255, 0), (1e-4, 0), (4e4, 1e3)])
def test_follows_shift_and_scale(noisy, factor, shift):
    plain = denoise_selfsim(noisy, LEVEL, stages=QUICK)
    moved = denoise_selfsim(noisy * factor + shift, LEVEL * factor, stages=QUICK)
    # Rounding may exchange patches that are equally near, here and there.
    assert ((moved - shift) / factor - plain).square().mean().sqrt() < 2e-3


@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1), (3, 1, 1), (1, 1, 40), (3, 2, 3), (2, 3, 50), (4, 7, 7), (3, 9, 8), (1, 33, 47)],
)
@pytest.mark.parametrize("stages", [STAGES, QUICK])
def test_any_shape(shape, stages):
    y = 0.5 + 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    out = denoise_selfsim(y, 0.1, stages=stages)
    assert out.shape == y.shape
    assert out.dtype == torch.float32
    assert torch.isfinite(out).all()
    assert (out - 0.5).square().mean() <= (y - 0.5).square().mean() * 1.001


@pytest.mark.parametrize("sigma", [0.0, 1e-12, 1e-5, 0.1, 10.0, 1e6])
def test_any_level(noisy, sigma):
    out = denoise_selfsim(noisy, sigma, stages=QUICK)
    assert torch.isfinite(out).all()
    assert out.min() > noisy.min() - 1
    assert out.max() < noisy.max() + 1
    if sigma < 1e-4:
        assert (out - noisy).abs().max() < 1e-3


def test_constant_image_stays():
    y = torch.full((3, 20, 20), 0.7)
    assert (denoise_selfsim(y, 0.1, stages=QUICK) - y).abs().max() < 1e-5


def test_each_channel_has_its_level(clean):
    levels = torch.tensor([0.02, 0.0, 0.2])
    noise = np.random.default_rng(0).normal(0, 1, clean.shape) * levels.numpy()
    y = torch.from_numpy((clean + noise).astype(np.float32)).permute(2, 0, 1)
    out = denoise_selfsim(y, levels, stages=QUICK)
    assert torch.equal(out[1], y[1])
    truth = torch.from_numpy(clean).permute(2, 0, 1)
    errors = [(image - truth).square().mean((1, 2)) for image in (out, y)]
    assert errors[0][0] < errors[1][0]
    assert errors[0][2] < errors[1][2] / 2


@pytest.mark.parametrize(
    "sigma", [-1.0, float("nan"), float("inf"), torch.ones(2), torch.ones(1, 3)]
)
def test_refuses_other_levels(noisy, sigma):
    with pytest.raises(ValueError, match="sigma"):
        denoise_selfsim(noisy, sigma)


def test_deterministic_and_input_kept(noisy):
    before = noisy.clone()
    first, second = (denoise_selfsim(noisy, LEVEL, stages=QUICK) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(noisy, before)


def test_bands_agree(noisy, monkeypatch):
    whole = denoise_selfsim(noisy, LEVEL, stages=QUICK)
    monkeypatch.setattr(selfsim, "_REFERENCES", 20)
    # Sums in another order: near-ties may be decided otherwise.
    assert (denoise_selfsim(noisy, LEVEL, stages=QUICK) - whole).square().mean().sqrt() < 1e-3


def test_search_finds_the_nearest(noisy):
    patch, reach, similar = 3, 4, 6
    guide = noisy[:, :14, :17]
    rows, columns = selfsim._grid(12, 4, guide.device), selfsim._grid(15, 4, guide.device)
    found = selfsim._search(guide, rows, columns, patch, reach, similar)
    table = selfsim._patches(guide, patch)
    position = torch.stack(torch.meshgrid(torch.arange(12), torch.arange(15), indexing="ij"), -1)
    position = position.reshape(-1, 2)
    reference = (rows[:, None] * 15 + columns).flatten()
    for one, group in zip(reference, found, strict=True):
        near = (position - position[one]).abs().amax(1) <= reach
        distance = (table - table[one]).square().sum(1).masked_fill(~near, torch.inf)
        assert set(group.tolist()) == set(distance.topk(similar, largest=False).indices.tolist())
        assert one in group


@pytest.mark.parametrize("unbiased", [False, True])
def test_mixing_has_the_least_risk(unbiased):
    generator = torch.Generator().manual_seed(0)
    group = 3 * torch.randn((1, 5, 30), generator=generator)
    mixing = selfsim._mixing(group, unbiased=unbiased)[0].double()
    assert torch.allclose(mixing.sum(1), torch.ones(5, dtype=torch.float64), atol=1e-5)
    x = group[0].double() - group.double().mean()

    def risk(weights: torch.Tensor) -> torch.Tensor:
        apart = (weights @ x - x).square().sum()
        if unbiased:  # Stein's estimate, without its constant
            return (
                apart
                + 2 * 30 * weights.trace()
                + selfsim._FLOOR * 30 * (weights - torch.eye(5)).square().sum()
            )
        return apart + 30 * weights.square().sum()

    best = risk(mixing)
    for _ in range(20):
        step = torch.randn((5, 5), generator=generator, dtype=torch.float64)
        step -= step.mean(1, keepdim=True)
        assert risk(mixing + 1e-2 * step) > best


def test_shrink_is_the_wiener_filter_of_its_basis():
    generator = torch.Generator().manual_seed(0)
    pilot = 1e4 * torch.randn((2, 1, 5, 9), generator=generator)
    noisy = torch.randn((2, 1, 5, 9), generator=generator)
    kept, weight = selfsim._shrink(noisy, pilot)
    assert torch.allclose(kept, noisy, atol=1e-3)
    assert torch.allclose(weight, torch.ones_like(weight), atol=1e-3)
    mean, weight = selfsim._shrink(noisy, torch.zeros_like(noisy))
    assert torch.allclose(mean, noisy.mean((2, 3), keepdim=True).expand_as(noisy), atol=1e-5)
    assert torch.allclose(weight, torch.full_like(weight, 45.0))
