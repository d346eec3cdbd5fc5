"""The programs that trained the weights: they run, and what they write can be used."""

from __future__ import annotations

import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from training import train
from training.simulate import MIXTURES, simulate
from zspot.networks.pretrained import PriorModule, load


def test_grown_network_computes_the_same() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        small, large = PriorModule(blocks=(1, 1, 2)).eval(), PriorModule().eval()
    large.load_state_dict(train.grown(small.state_dict(), large))
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


def test_borders_joined_are_borders_repeated() -> None:
    x = torch.randn(1, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    network = load("score")
    with torch.inference_mode():
        usual = network(x)
        train.pad_by_joining(network)
        assert torch.allclose(network(x), usual, atol=1e-5)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for name in "ab":
        picture = draw.integers(0, 256, (20, 30, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
        iio.imwrite(folder / f"{name}.png", picture)
    return folder


def test_a_short_training_goes_on_and_is_measured(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    threads = torch.get_num_threads()
    out = tmp_path / "made"
    arguments = [
        *("fit", "--photographs", photographs, "--pool", tmp_path / "pool.pt", "--patches", 8),
        *("--out", out, "--batch", 4, "--device", "cpu", "--threads", 1, "--resume"),
    ]
    steps = []
    for seconds in (1, 2):
        monkeypatch.setattr(
            sys, "argv", ["train", *map(str, arguments), f"--hours={seconds / 3600}"]
        )
        train.main()
        steps.append(torch.load(out.with_suffix(".pt"), weights_only=True)["step"])
    assert 0 < steps[0] < steps[1]
    network = load(str(out.with_suffix(".safetensors")))
    assert all(bool(torch.isfinite(p).all()) for p in network.parameters())

    (tmp_path / "data" / "set9").mkdir(parents=True)
    (tmp_path / "data" / "set9" / "clean").symlink_to(photographs)
    asked = ["evaluate", "--data", str(tmp_path / "data"), "--sets", "set9", "--weights", "white"]
    monkeypatch.setattr(sys, "argv", ["train", *asked])
    train.main()
    torch.set_num_threads(threads)
    noisy, better = map(float, capsys.readouterr().out.splitlines()[-1].split()[2:4])
    assert better > noisy + 3
