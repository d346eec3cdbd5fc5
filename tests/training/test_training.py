"""The programs that trained the weights: they run, and what they write can be used."""

from __future__ import annotations

import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from training import train_on_gpu, train_prior
from training.simulate import MIXTURES, simulate
from zspot.networks.pretrained import PriorModule, load


def test_grown_network_computes_the_same() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        small, large = PriorModule(blocks=(1, 1, 2)).eval(), PriorModule().eval()
    large.load_state_dict(train_prior.grown(small.state_dict(), large))
    x = torch.randn(1, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(small(x), large(x), atol=1e-6)


@pytest.mark.parametrize("mixture", MIXTURES)
def test_simulated_noise(mixture: str) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(16, 3, 64, 64, generator=draw)
    clean, noisy = simulate(x, draw, mixture)
    assert clean.shape == noisy.shape == x.shape
    assert bool(torch.isfinite(noisy).all())
    assert float((noisy - clean).square().mean((1, 2, 3)).amin()) > 0
    if mixture == "grey":
        assert torch.equal(noisy[:, 0], noisy[:, 2])


def test_weights_of_a_short_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    for name in "ab":
        picture = draw.integers(0, 256, (20, 30, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
        iio.imwrite(tmp_path / f"{name}.png", picture)
    arguments = [
        *("--photographs", tmp_path, "--pool", tmp_path / "pool.pt", "--patches", 8),
        *("--out", tmp_path / "made", "--seconds", 1, "--batch", 4, "--device", "cpu"),
    ]
    monkeypatch.setattr(sys, "argv", ["train", *map(str, arguments)])
    train_on_gpu.main()
    network = load(str(tmp_path / "made.safetensors"))
    assert all(bool(torch.isfinite(p).all()) for p in network.parameters())
