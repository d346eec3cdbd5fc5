"""Closed-form non-local denoising: equivariance, sizes, gain, determinism."""

from __future__ import annotations

import gc
import threading
from itertools import product

import numpy as np
import pytest
import torch
from scipy import ndimage

from zspot.core.errors import RecipeError
from zspot.core.progress import Clock
from zspot.filters.groups import GroupNoise, bayes
from zspot.filters.nonlocal_bayes import (
    CORRELATED,
    CORRELATED_COLOUR,
    GUIDED_CORRELATED,
    WHITE,
    Pass,
    nl_bayes,
)
from zspot.filters.patch_noise import PatchNoise
from zspot.filters.patches import overlap_add, patch_rows, reflect_pad
from zspot.filters.search import match
from zspot.recipe import Finish

SMALL = (Pass("bayes", 5, 3, 60), Pass("bayes", 6, 4, 16), Pass("ridge", 6, 4, 24))
JOINT = (Pass("bayes", 3, 2, 60, split=False), Pass("bayes", 3, 2, 60, split=False))


def scene(channels: int = 3, size: int = 64) -> torch.Tensor:
    data = pytest.importorskip("skimage.data")
    image = data.astronaut()[60 : 60 + size, 180 : 180 + size].astype(np.float32) / 255
    return torch.from_numpy(image).permute(2, 0, 1)[:channels].contiguous()


def add_noise(clean: torch.Tensor, sigma: float = 0.1) -> torch.Tensor:
    return clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))


def white_noise(sigma: float, channels: int = 1) -> PatchNoise:
    return PatchNoise(sigma**2 * torch.eye(channels))


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * (a - b).square().mean().log10())


@pytest.mark.parametrize("channels", [1, 3])
def test_white_noise_is_removed(channels: int) -> None:
    clean = scene(channels)
    noisy = add_noise(clean)
    assert psnr(nl_bayes(noisy, white_noise(0.1, channels)), clean) > psnr(noisy, clean) + 7


def test_knowing_the_correlation_helps() -> None:
    clean = scene()
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    kernel = kernel / kernel.norm()
    white = add_noise(torch.zeros_like(clean))
    noise = torch.nn.functional.conv2d(white[:, None], kernel[None, None], padding=1)[:, 0]
    lags = torch.nn.functional.conv2d(kernel[None, None], kernel[None, None], padding=2)[0, 0]
    told = PatchNoise(0.01 * torch.eye(3), lags)
    blind = nl_bayes(clean + noise, white_noise(0.1, 3), passes=JOINT)
    assert psnr(nl_bayes(clean + noise, told, passes=JOINT), clean) > psnr(blind, clean) + 0.5


def test_knowing_the_signal_dependence_helps() -> None:
    clean = scene(1)
    noisy = clean + add_noise(torch.zeros_like(clean)) * (0.02 + clean).sqrt() * 2
    level = clean.mean((1, 2))
    variance = 0.04 * (0.02 + level)
    told = PatchNoise(torch.diag(variance), slope=torch.tensor([0.04]), level=level)
    flat = PatchNoise(torch.diag(variance))
    steps = tuple(Pass("bayes", 5, 2, 60, split=False) for _ in range(2))
    gain = psnr(nl_bayes(noisy, told, passes=steps), clean)
    assert gain > psnr(nl_bayes(noisy, flat, passes=steps), clean)


@pytest.mark.parametrize("passes", [SMALL, JOINT])
def test_scale_and_shift_of_intensities(passes: tuple[Pass, ...]) -> None:
    noisy = add_noise(scene(size=40))
    plain = nl_bayes(noisy, white_noise(0.1, 3), passes=passes)
    moved = nl_bayes(50 * noisy + 30, white_noise(5.0, 3), passes=passes)
    # Rounding may swap patches at equal distance, in a pixel here and there.
    assert float((((moved - 30) / 50) - plain).abs().mean()) < 1e-4


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (3, 1, 1), (1, 1, 9), (2, 2, 3), (4, 7, 5), (3, 17, 23)]
)
@pytest.mark.parametrize("passes", [WHITE, CORRELATED, CORRELATED_COLOUR])
def test_every_size_has_a_result(shape: tuple[int, ...], passes: tuple[Pass, ...]) -> None:
    noisy = add_noise(torch.full(shape, 0.5))
    result = nl_bayes(noisy, white_noise(0.1, shape[0]), passes=passes)
    assert result.shape == noisy.shape
    assert result.dtype == torch.float32
    assert bool(torch.isfinite(result).all())
    assert float((result - 0.5).abs().max()) < 0.5


def test_constant_image_is_kept() -> None:
    flat = torch.full((3, 20, 21), 0.3)
    assert torch.allclose(nl_bayes(flat, white_noise(0.1, 3)), flat, atol=1e-5)


@pytest.mark.parametrize("search", GUIDED_CORRELATED)
def test_even_areas_larger_than_a_group(search: str) -> None:
    # More patches are equal than a group holds: each must still be in its own.
    pilot = torch.zeros(1, 48, 48)
    pilot[:, :, 36:] = 0.5
    noisy = add_noise(pilot)
    noise = white_noise(0.1)
    result = nl_bayes(noisy, noise, passes=GUIDED_CORRELATED[search], pilot=pilot)
    assert bool(torch.isfinite(result).all())
    assert psnr(result, pilot) > psnr(noisy, pilot) + 10


def test_same_result_twice_and_nothing_touched() -> None:
    noisy = add_noise(scene(size=40))
    before, state = noisy.clone(), torch.get_rng_state()
    first = nl_bayes(noisy, white_noise(0.1, 3), passes=SMALL)
    assert torch.equal(first, nl_bayes(noisy, white_noise(0.1, 3), passes=SMALL))
    assert torch.equal(noisy, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_few_patches_give_the_same_bayes_estimate() -> None:
    # The solve between patches and the solve between pixels are one estimator.
    draw = torch.Generator().manual_seed(1)
    group, model = torch.randn(2, 3, 1, 12, 25, generator=draw)
    covariance = 0.5 * torch.eye(25)[None]
    short = bayes(group, model, GroupNoise(covariance, torch.tensor([0.5])), False)[0]
    full = bayes(group, model, GroupNoise(covariance, None), False)[0]
    assert torch.allclose(short, full, atol=1e-2)


@pytest.mark.parametrize(
    ("stride", "reach", "dense"), [(2, 20, 20), (3, 6, 6), (3, 9, 4), (4, 9, 4)]
)
@pytest.mark.parametrize("shape", [(12, 13), (40, 29), (5, 60), (3, 3)])
def test_match_finds_the_nearest(shape, stride: int, reach: int, dense: int) -> None:
    """The same as by looking at each place, one after another."""
    image = 1000 + torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    rows, places = patch_rows(image, 3), (shape[0] - 2, shape[1] - 2)
    found = match(rows, places, stride, reach, dense, 5)
    references = product(range(0, places[0], stride), range(0, places[1], stride))
    for (y, x), group in zip(references, found.tolist(), strict=True):
        near = [
            i * places[1] + j
            for i, j in product(*(range(n) for n in places))
            if (far := max(abs(i - y), abs(j - x))) <= reach
            and (far <= dense or (i - y) % 2 == (j - x) % 2 == 0)
        ]
        own = y * places[1] + x
        best = (rows[near] - rows[own]).square().sum(1).topk(len(group), largest=False).indices
        assert {near[k] for k in best} == set(group)
        assert own in group


def test_any_number_of_threads_gives_the_same_bytes() -> None:
    noisy = add_noise(scene(size=240))
    threads = torch.get_num_threads()
    try:
        results = []
        for number in (1, 3, 2):
            torch.set_num_threads(number)
            results.append(nl_bayes(noisy, white_noise(0.1, 3), passes=SMALL[:2]))
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_what_a_listener_raises_stops_the_work() -> None:
    """It reaches the caller, whatever the other threads are at."""
    heard: list[float] = []

    def stop(share: float) -> None:
        heard.append(share)
        raise KeyboardInterrupt

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        running = threading.active_count()
        with pytest.raises(KeyboardInterrupt) as held:
            nl_bayes(add_noise(scene(size=240)), white_noise(0.1, 3), passes=SMALL, tick=stop)
        assert threading.active_count() == running
        torch.set_num_threads(1)
        del held
        gc.collect()
        assert torch.get_num_threads() == 1  # nothing is put back later
    finally:
        torch.set_num_threads(threads)
    assert len(heard) == 1
    assert 0 < heard[0] < 0.5


def test_cut_and_put_back() -> None:
    image = torch.rand(2, 9, 11, generator=torch.Generator().manual_seed(0))
    rows = patch_rows(image, 4)
    weight = torch.ones(rows.shape[0], 1)
    total, mass = overlap_add(rows, weight, image.shape, 4)
    assert torch.allclose(total / mass, image, atol=1e-6)
    padded = reflect_pad(image, 4, 3)
    assert torch.equal(padded[:, :9, :11], image)
    assert all((n - 4) % 3 == 0 for n in padded.shape[1:])


def smooth_noise(channels: int, size: int, sigma: float) -> torch.Tensor:
    """Noise of correlation 2/3 between neighbours, 1/6 at two pixels."""
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    white = add_noise(torch.zeros(channels, size + 2, size + 2), sigma)
    return torch.nn.functional.conv2d(white[:, None], (kernel / kernel.norm())[None, None])[:, 0]


def test_noise_is_measured_on_what_was_removed() -> None:
    estimate = torch.tensor([0.2, 0.7]).view(2, 1, 1).expand(2, 160, 160)
    noise = smooth_noise(2, 160, 0.1)
    noise[1] = 0.5 * noise[0] + noise[1]
    found = PatchNoise.measured(estimate + noise, estimate, times=2.0)
    assert found.channels.flatten().tolist() == pytest.approx([0.04, 0.02, 0.02, 0.05], rel=0.1)
    assert found.lags is not None
    middle = found.lags.shape[0] // 2
    assert found.lags[middle, middle : middle + 3].tolist() == pytest.approx(
        [1, 2 / 3, 1 / 6], abs=0.05
    )
    assert float(torch.linalg.eigvalsh(found.covariance(5))[0]) > 0
    ramp = torch.linspace(0, 1, 160).expand(1, 160, 160).contiguous()
    growing = ramp + (0.01 + 0.09 * ramp).sqrt() * add_noise(torch.zeros_like(ramp), 1.0)
    slope = PatchNoise.measured(growing, ramp, follows=True).slope
    assert slope is not None
    assert float(slope) == pytest.approx(0.09, rel=0.1)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 40), (2, 5, 3), (1, 33, 47)])
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_measured_noise_at_any_size(shape: tuple[int, ...], share: float) -> None:
    y = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    spec = Finish(similar=1.0, guided=True, removed=3.0)
    pilot = (1 - share) * y
    out = spec.apply(pilot, y, Clock(None, {"finish": spec.work(y)}))
    assert out.shape == y.shape
    assert torch.isfinite(out).all()
    if share == 0:
        assert torch.equal(out, y)


def test_a_timid_pilot_guides_to_a_better_estimate() -> None:
    """A pilot that removed half of the noise tells by it what the other half is like."""
    clean = scene()
    noise = smooth_noise(3, 64, 0.06)
    noisy, pilot = clean + noise, clean + 0.5 * noise
    told = PatchNoise.measured(noisy, pilot, times=3.0)
    assert psnr(nl_bayes(noisy, told, passes=GUIDED_CORRELATED["usual"], pilot=pilot), clean) > (
        psnr(pilot, clean) + 0.5
    )


def test_rounds_measure_the_noise_again_and_say_how_far_they_are(clean: np.ndarray) -> None:
    """A blurred image tells the noise badly: each round tells it better than the one before."""
    picture = torch.from_numpy(clean.transpose(2, 0, 1).copy())
    noisy = picture + smooth_noise(3, 96, 0.1)
    blurred = torch.from_numpy(ndimage.gaussian_filter(noisy.numpy(), (0, 2, 2)))
    reached, said = [], []
    for rounds in (1, 3):
        spec = Finish(similar=1.0, guided=True, removed=0.85, rounds=rounds)
        seen: list[float] = []
        work = {"finish": spec.work(noisy)}
        clock = Clock(lambda p, seen=seen: seen.append(p.done / p.total), work)
        reached.append(psnr(spec.apply(blurred, noisy, clock), picture))
        said.append(seen[-1])
    assert reached[1] > reached[0] + 0.3
    assert said == pytest.approx([1.0, 1.0])
    with pytest.raises(RecipeError, match=r"needs finish\.guided"):
        Finish(similar=1.0, rounds=2)


def test_impossible_correlations_do_not_blow_up() -> None:
    """Measured correlations need not be those of any noise; weak noise of such once lost 10 dB."""
    clean = scene()
    noisy = add_noise(clean, 0.01)
    lags = torch.full((9, 9), 0.9)
    lags[4, 4] = 1.0
    lags[4, 5] = lags[4, 3] = -0.9
    impossible = PatchNoise(1e-4 * (torch.full((3, 3), 0.999) + 0.001 * torch.eye(3)), lags)
    for pilot, passes in ((None, CORRELATED), (noisy, GUIDED_CORRELATED["usual"])):
        out = nl_bayes(noisy, impossible, passes=passes, pilot=pilot)
        assert psnr(out, clean) > psnr(noisy, clean) - 3


@pytest.mark.parametrize("shares", [(1.0, 1.0, 1.0), (1.0, 0.75, 0.5)])
def test_channels_that_are_copies_of_one(shares) -> None:
    """A grey picture in three channels has no noise between them, and is not refused."""
    grey = scene().mean(0, keepdim=True)
    many = torch.tensor(shares).view(3, 1, 1)
    noisy, pilot = add_noise(grey, 0.1) * many, grey * many
    out = nl_bayes(noisy, PatchNoise.measured(noisy, pilot), pilot=pilot)
    assert psnr(out, grey * many) > psnr(noisy, grey * many) + 3
