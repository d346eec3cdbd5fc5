"""Networks, INR, random numbers and schedules against plain reference computations."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from zspot.core.rng import bernoulli, derive, dropout
from zspot.networks.base import join_phases, split_phases
from zspot.networks.siren import Siren
from zspot.networks.unet import UNetModule
from zspot.recipe import SCHEDULES, Fit, UNet

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def reference_unet(net: UNetModule, x: torch.Tensor, dilation: int) -> torch.Tensor:
    """The same weights in the order of the Noise2Noise paper, with ordinary dilated layers."""

    def conv(layer, h):
        return F.conv2d(h, layer.weight, layer.bias, padding=dilation, dilation=dilation)

    def act(h):
        return F.leaky_relu(h, 0.1)

    skips = [x]
    h = act(conv(net.entry, x))
    for layer in net.encoder:
        h = F.max_pool2d(act(conv(layer, h)), 2)
        skips.append(h)
    h = act(conv(net.bottom, skips.pop()))
    for first, second in net.decoder:
        h = torch.cat([F.interpolate(h, scale_factor=2), skips.pop()], 1)
        h = act(conv(second, act(conv(first, h))))
    return F.conv2d(h, net.exit.weight, net.exit.bias, padding=1)


@pytest.mark.parametrize("dilation", [1, 2])
@torch.no_grad()
def test_unet_by_phases_equals_the_dilated_network(dilation):
    net = UNet(width=8, dilation=dilation, dropout=0.5).build(3, generator())
    x = torch.randn(1, 3, 128, 64, generator=generator(1))
    expected = reference_unet(net.network, x, dilation)
    torch.testing.assert_close(net.network(x), expected, rtol=1e-4, atol=1e-5)


def test_unet_has_the_published_number_of_parameters():
    net = UNet().build(3, generator())
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(0.99e6, rel=0.005)


@torch.no_grad()
def test_dropout_is_on_only_with_a_generator():
    net = UNet(width=8).build(1, generator())
    x = torch.randn(1, 1, 64, 64, generator=generator(1))
    assert torch.equal(net(x), net(x))
    assert not torch.equal(net(x, generator(1)), net(x, generator(2)))
    assert torch.equal(net(x, generator(1)), net(x, generator(1)))


@given(n=st.integers(1, 3), h=st.integers(1, 9), w=st.integers(1, 9))
def test_phases_split_and_join_exactly(n, h, w):
    x = torch.randn(n, 2, 2 * h, 2 * w, generator=generator())
    phases = split_phases(x)
    assert phases.shape == (4 * n, 2, h, w)
    assert torch.equal(phases[:n], x[..., ::2, ::2])
    assert torch.equal(join_phases(phases), x)


@pytest.mark.parametrize("gamma", [True, False])
@torch.no_grad()
def test_inr_phases_equal_the_mlp_on_the_fine_grid(gamma):
    inr = Siren(3, generator(), 8, 30.0, 3 if gamma else 0, (0.5, 0.5, 0.5))
    height, width = 5, 7
    rows, cols = torch.linspace(-1, 1, 2 * height), torch.linspace(-1, 1, 2 * width)

    def lift(p):
        parts = [p] + [f(2**k * math.pi * p) for f in (torch.sin, torch.cos) for k in range(3)]
        return torch.stack(parts if gamma else [p], -1)

    grid = torch.cat(
        [
            lift(rows)[:, None].expand(-1, 2 * width, -1),
            lift(cols)[None].expand(2 * height, -1, -1),
        ],
        -1,
    )
    for weight, bias in list(zip(inr.weights, inr.biases, strict=True))[:-1]:
        grid = torch.sin(30 * (grid @ weight.T + bias))
    fine = (grid @ inr.weights[-1].T + inr.biases[-1]).permute(2, 0, 1)
    for index in range(4):
        expected = fine[:, index // 2 :: 2, index % 2 :: 2]
        # 2^k pi p reaches large angles, where float32 sines lose a few digits.
        torch.testing.assert_close(
            inr.phase((height, width), index)[0], expected, rtol=0, atol=2e-3
        )


@given(p=st.floats(0, 1), seed=st.integers(0, 10**6))
def test_bernoulli_meets_its_probability(p, seed):
    draws = bernoulli((100, 401), p, generator(seed)).double()
    sigma = math.sqrt(max(p * (1 - p), 1e-9) / draws.numel())
    assert abs(draws.mean() - p) < 6 * sigma + 1e-5


def test_bernoulli_neighbours_are_independent():
    draws = bernoulli((512, 512), 0.3, generator()).double() - 0.3
    for lag in range(1, 9):
        for moved in (draws.roll(lag, 0), draws.roll(lag, 1)):
            assert abs((draws * moved).mean() / 0.21) < 6 / 512


@pytest.mark.parametrize("p", [0.35, 0.5, 0.75])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_dropout_keeps_the_mean_and_the_right_share(p, layout):
    x = torch.ones(1, 8, 128, 128).contiguous(memory_format=layout)
    out = dropout(x, p, generator())
    assert out.is_contiguous(memory_format=layout)
    assert out.mean() == pytest.approx(1, abs=0.03)
    assert (out == 0).float().mean() == pytest.approx(p, abs=0.01)


def test_generators_of_one_seed_differ_by_purpose():
    draws = [torch.rand(3, generator=derive(s, k, CPU)) for s in (0, 1) for k in range(4)]
    assert len({tuple(d.tolist()) for d in draws}) == len(draws)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_peak_at_one_and_fall_to_zero(schedule):
    rates = [Fit(steps=100, schedule=schedule).rate(k) for k in range(101)]
    assert max(rates) == pytest.approx(1, abs=1e-3)
    assert min(rates) >= 0
    if schedule != "constant":
        assert rates[100] == pytest.approx(0, abs=1e-9)
        assert rates[:100].index(max(rates)) <= 20
