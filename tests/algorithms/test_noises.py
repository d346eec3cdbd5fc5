"""`auto` on noise of many kinds: `benchmarks.pictures` with the noises of the study "matrix"."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

import zspot
from benchmarks import noises
from benchmarks.lowsignal import measured, scenes
from benchmarks.pictures import PICTURES
from benchmarks.studies import study
from zspot.noise.residual import channel_correlation, neighbour_correlations
from zspot.noise.whitening import Measured

# Where a trial of strengths on more of the image chooses worse: what balanced may lose, dB.
BELOW_FAST = {("upscaled:20/1.5", "micrograph"): 1.0, ("jpeg:20/30+8bit", "stars"): 0.6}
ENTRIES = [entry.partition("+")[2] for entry in study("matrix").suite.entries]


def psnr(image: np.ndarray, clean: np.ndarray) -> float:
    return -10 * float(np.log10(np.mean(np.square(image.astype(np.float64) - clean))))


def made(noise: str, picture: str, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy picture and the clean one."""
    kind, clean = noises.parse(noise), PICTURES[picture]().astype(np.float32)
    assert kind.add is not None
    noisy = kind.add(clean, seed)
    return np.rint(noisy.clip(0, 1) * 255) / np.float32(255) if kind.rounded else noisy, clean


def run(noisy: np.ndarray, effort: str) -> zspot.Result:
    return zspot.run(noisy, effort=effort, channel_axis=-1 if noisy.ndim == 3 else None)


@pytest.mark.parametrize(
    ("noise", "picture", "gain"),
    [
        ("ringing:20", "stars", 12),
        ("ringing:25", "layers", 14),
        ("upscaled:25/1.5", "layers", 8),
        ("upscaled:20/1.4", "stars", 9),
        ("grain:25+8bit", "photograph", 4),
        ("diagonal:20/0.6", "stars", 10),
    ],
)
def test_noise_that_the_network_does_not_know_is_removed(noise, picture, gain):
    noisy, clean = made(noise, picture)
    result = run(noisy, "fast")
    assert psnr(result.image, clean) > psnr(noisy, clean) + gain


@pytest.mark.parametrize(
    ("noise", "picture"),
    [
        ("shared:16/0.9+8bit", "photograph"),
        ("columns:30/0.4", "layers"),
        ("both:25/0.1", "layers"),
        ("diagonal:25/0.3", "micrograph"),
        ("jpeg:20/90+8bit", "photograph"),
    ],
)
def test_learning_on_never_keeps_the_noise(noise, picture):
    noisy, clean = made(noise, picture)
    fast, balanced = (psnr(run(noisy, effort).image, clean) for effort in ("fast", "balanced"))
    assert balanced > fast - 0.1


def dark_channel(kind: str, rng: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a channel with next to nothing in it, or without noise, noisy and clean."""
    empty = np.zeros((side, side))
    if kind == "few pixels":
        empty.flat[rng.integers(0, empty.size, 30)] = 1
        return empty, empty
    if kind == "spots":
        for y, x in rng.integers(0, side - 9, (4, 2)):
            empty[y : y + 9, x : x + 9] = 1
        return empty, empty
    if kind == "cut off":
        return np.clip(rng.normal(-0.25, 0.1, empty.shape), 0, 1), empty
    if kind == "no noise":
        ramp = empty + np.linspace(0, 1, side)
        return ramp, ramp
    return rng.poisson(0.1, empty.shape) / 40, empty + 0.1 / 40


@pytest.mark.parametrize("method", ["auto", "auto-scratch"])
@pytest.mark.parametrize("kind", ["few pixels", "spots", "cut off", "few photons", "no noise"])
@pytest.mark.parametrize("place", [0, 2])
def test_a_channel_without_noise_does_not_spoil_the_others(method, kind, place):
    rng = np.random.default_rng(place)
    picture = gaussian_filter(rng.standard_normal((128, 128)), 8)
    light = 3 + 30 * (picture - picture.min())[..., None] / np.ptp(picture) * [1, 1]
    two = (rng.poisson(light) / 40).astype(np.float32)
    dark, truth = dark_channel(kind, rng, 128)
    noisy = np.insert(two, place, dark, axis=2)
    report = zspot.analyze_noise(noisy, channel_axis=2)
    alone = zspot.analyze_noise(two, channel_axis=2)
    assert np.delete(report.level, place) == pytest.approx(alone.level, rel=0.02)
    assert report.lag_one == pytest.approx(alone.lag_one, abs=0.02)
    assert report.between == pytest.approx(alone.between, abs=0.02)
    result = zspot.run(noisy, method, channel_axis=2, effort="fast").image
    error = np.delete(result, place, axis=2) - light / 40
    assert np.sqrt(np.mean(error**2)) < 0.2 * np.sqrt(np.mean((two - light / 40) ** 2))
    assert np.mean((result[..., place] - truth) ** 2) < np.mean(np.square(noisy)) / 50


def test_white_noise_is_still_learned_on():
    result = run(made("white:25", "layers")[0][:144, :144], "balanced")
    assert "learns on" in result.reason


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_added_makes_noise_white(channels):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(channels, 256, 256, generator=generator)
    noise = noise + 0.6 * noise.roll(1, 2)
    noise = noise + 0.5 * noise.mean(0, keepdim=True) * (channels > 1)
    measured = Measured.of(noise)
    white = noise + measured.complement(noise[None], generator)[0]
    assert measured.is_certain
    assert max(map(abs, neighbour_correlations(white / white.std()))) < 0.03
    assert abs(channel_correlation(white)) < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("noise", ENTRIES)
def test_balanced_is_never_below_fast_nor_below_the_input(noise, picture):
    noisy, clean = made(noise, picture)
    fast, balanced = (psnr(run(noisy, effort).image, clean) for effort in ("fast", "balanced"))
    assert balanced > fast - BELOW_FAST.get((noise, picture), 0.2)
    assert balanced > psnr(noisy, clean) - 0.05


@pytest.mark.parametrize("kind", ["white 100", "correlated 100", "photons 0.3", "log-speckle 1"])
def test_nothing_is_invented_where_there_is_no_signal(kind):
    """What is left of noise on a flat truth is smoother than a Gaussian of 3 pixels leaves it."""
    truth, noisy = next(s[2:] for s in scenes(7) if s[:2] == ("flat", kind))
    deviation = float((noisy - truth).std())
    error, gradient = measured(run(noisy, "fast").image, truth, deviation)
    plain = measured(gaussian_filter(noisy, 3), truth, deviation)
    assert error < plain[0]
    assert gradient < 0.6 * plain[1]
