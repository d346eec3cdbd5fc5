"""The programs that trained the weights: they run, and what they write can be used."""

from __future__ import annotations

import json
import os
import pickle
import sys
from argparse import Namespace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

import zspot
from training import train
from training.simulate import MIXTURES, simulate
from training.together import averaged, start
from zspot.core.errors import FileError
from zspot.networks.pretrained import PriorModule, load

ROOT = Path(__file__).parents[2]


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
    written = out.with_suffix(".safetensors")
    size = written.stat().st_size
    monkeypatch.setattr(sys, "argv", ["train", "pack", str(written)])
    train.main()
    assert written.stat().st_size < 0.56 * size
    for name, value in load(str(written)).named_parameters():
        before = network.get_parameter(name)
        assert bool(((value - before).abs() <= 0.005 * before.abs().max()).all())

    (tmp_path / "data" / "set9").mkdir(parents=True)
    (tmp_path / "data" / "set9" / "clean").symlink_to(photographs)
    asked = ["evaluate", "--data", str(tmp_path / "data"), "--sets", "set9", "--weights", "white"]
    monkeypatch.setattr(sys, "argv", ["train", *asked])
    train.main()
    torch.set_num_threads(threads)
    noisy, better = map(float, capsys.readouterr().out.splitlines()[-1].split()[2:4])
    assert better > noisy + 3


def _learned(args: Namespace) -> None:
    gradient = torch.full((2, 3), float(args.rank))
    mean = averaged([gradient], 10.0 * args.rank)
    torch.save((gradient, mean), args.out.with_suffix(f".{args.rank}"))


def test_processes_take_the_mean_of_their_gradients(tmp_path: Path) -> None:
    start(_learned, Namespace(workers=2, out=tmp_path / "made"))
    for rank in range(2):
        gradient, mean = torch.load(tmp_path / f"made.{rank}", weights_only=True)
        assert torch.equal(gradient, torch.full((2, 3), 0.5))
        assert mean == 5
    assert not (tmp_path / "made.meeting").exists()


def spoilt(content: bytes) -> list[bytes]:
    """Weights that are none, each in another way."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    first = next(name for name in header if name != "__metadata__")

    def with_header(values: object) -> bytes:
        text = values if isinstance(values, bytes) else json.dumps(values).encode()
        return len(text).to_bytes(8, "little") + text + content[8 + length :]

    other = {**header, first: {**header[first], "shape": [1], "data_offsets": [0, 2]}}
    beyond = {**header, first: {**header[first], "data_offsets": [0, 2**62]}}
    less = {name: value for name, value in header.items() if name != first}
    whole = {**header, first: {**header[first], "dtype": "I16"}}
    biased = {
        **header,
        first: {**header[first], "dtype": "I8", "shape": [2, *header[first]["shape"]]},
    }
    empty = {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]}
    many = {**header, **{f"encoder.0.{n}.first.bias": empty for n in range(2000)}}
    return [
        with_header(whole), with_header(biased), with_header(many),
        content[: 8 + length] + b"\xff" * 200 + content[208 + length :],
        b"", content[:5], content[:100], content[:-7], b"\xff" * 200,
        (2**63).to_bytes(8, "little"),
        with_header(other), with_header(beyond), with_header(less), with_header([]),
        with_header(b"[" * 10**5), with_header({f"encoder.{n}.{n}.x": 1 for n in range(99)}),
    ]  # fmt: skip


def test_damaged_weights_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = (Path(zspot.__file__).parent / "weights/score.safetensors").read_bytes()
    path = tmp_path / "w.safetensors"
    for number, content in enumerate(spoilt(good)):
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"w\.safetensors holds no weights") as told:
            load(str(path))
        assert "\n" not in str(told.value), number
        with pytest.raises(SystemExit, match=r"w\.safetensors is damaged"):
            train.State.fresh(Namespace(seed=0, blocks=[1, 1, 1], start=path))
    with pytest.raises(FileError, match="holds no weights"):
        load(str(tmp_path / "none"))
    state = train.State.fresh(
        Namespace(seed=0, blocks=[1, 1, 1], start=None, device="cpu", rate=1e-3)
    )
    state.save(path)
    whole = path.with_suffix(".pt").read_bytes()
    for content in (
        b"",
        whole[:1000],
        whole[:-99],
        b"x" * 5000,
        pickle.dumps({"network": os.getcwd}),
    ):
        path.with_suffix(".pt").write_bytes(content)
        with pytest.raises(SystemExit, match=r"w\.pt is damaged"):
            state.load(path, "cpu")


def test_the_rule_for_unknown_noise_takes_noise_and_leaves_texture():
    pytest.importorskip("pandas", reason="the extra bench is not installed")
    from training import unknown

    found = unknown.score(ROOT / "docs" / "results" / "unknown_noise.csv")
    assert set(found.index) == {*unknown.KNOWN, *unknown.UNKNOWN}
    assert (found.loc[[*unknown.KNOWN], "worst"] >= -0.5).all()
    assert (found.loc[["ringing:25", "upscaled:20/1.5"], "rule"] > 0.8).all()
    assert (found["rule"] > 0.6 * found["best"] - 0.4).all()


def test_the_lines_in_use_are_those_of_the_stored_rows():
    pytest.importorskip("pandas", reason="the extra bench is not installed")
    import pandas as pd

    from training import strength
    from zspot.algorithms.auto import thresholds
    from zspot.algorithms.auto.strength import measures

    rows = pd.read_csv(ROOT / "docs" / "results" / "strength_fit.csv")
    assert set(rows["kind"]) == set(thresholds.STRENGTH)
    for kind, group in rows.groupby("kind"):
        found = tuple(strength.line(group).round(3).tolist())
        assert found == pytest.approx(thresholds.STRENGTH[kind], abs=0.002)
    part = torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert tuple(measures(part, 0.9 * part, lambda times: part / (1 + times))) == strength.NAMES
