"""`auto` on noise of different kinds: it tells them apart, gains on each, and says why."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import skimage.data
import torch

import zspot
from benchmarks import noises
from tests.images import correlated, psnr
from zspot.algorithms import EFFORTS
from zspot.algorithms.auto import Evidence, choose, examine, explain, pretrained_estimate, reason
from zspot.core.errors import RecipeError
from zspot.core.progress import stage_in_words
from zspot.filters.local import restore_texture, to_local_median
from zspot.noise.pca_level import white_level
from zspot.recipe import Code, Finish, Fit, NoMask, Prior, Recipe, Recorrupted


def white(shape, sigma, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, shape).astype(np.float32)


def test_grey_white_noise_is_recognised_and_learned_on(clean):
    grey = clean.mean(-1)
    noisy = grey + white(grey.shape, 25 / 255)
    result = zspot.run(noisy, "auto")
    assert isinstance(result.recipe.target, Recorrupted)
    assert "white" in result.reason
    assert "learns on" in result.reason
    assert result.reason.startswith("the noise is white")
    assert result.recipe.fit.steps == len(result.losses) > 0
    assert psnr(grey, result.image) > psnr(grey, noisy) + 6


def test_efforts_on_white_colour_noise(clean):
    """More effort is not worse, and each beats the pretrained estimate alone."""
    noisy = clean + white(clean.shape, 25 / 255)
    alone = psnr(clean, zspot.denoise(noisy, pretrained_estimate("fast"), channel_axis=-1))
    fast, balanced = (
        zspot.run(noisy, "auto", effort=e, channel_axis=-1) for e in ("fast", "balanced")
    )
    assert fast.recipe.finish.guided
    assert balanced.recipe.fit.steps > fast.recipe.fit.steps == 0
    assert "non-local" in fast.reason
    assert "non-local" in balanced.reason
    assert psnr(clean, fast.image) > max(alone, psnr(clean, noisy) + 6)
    assert psnr(clean, balanced.image) > psnr(clean, fast.image)


def test_weights_for_white_noise_alone_remove_more_of_it(clean):
    noisy = clean + white(clean.shape, 25 / 255)
    general = pretrained_estimate("fast")
    special = replace(general, network=Prior(noise="white"))
    ours, other = (zspot.denoise(noisy, r, channel_axis=-1) for r in (special, general))
    assert psnr(clean, ours) > psnr(clean, other)
    chosen = zspot.run(noisy, "auto", effort="fast", channel_axis=-1)
    assert chosen.recipe.network == special.network


def test_untrained_weights_know_no_noise():
    with pytest.raises(RecipeError, match=r"network\.warm"):
        Prior(warm=False, noise="white")
    with pytest.raises(RecipeError, match="one of any, white"):
        Prior(noise="pink")


@pytest.mark.parametrize("shape", [(200, 210), (90, 80, 3)])
def test_level_of_white_noise(shape):
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 1, shape[1], dtype=np.float32).reshape((1, -1) + (1,) * (len(shape) - 2))
    y = torch.from_numpy(np.atleast_3d(ramp + white(shape, 0.1)).astype(np.float32))
    assert white_level(y.permute(2, 0, 1)) == pytest.approx([0.1] * y.shape[2], rel=0.06)
    tiny = torch.from_numpy(rng.normal(size=(1, 9, 9)).astype(np.float32))
    assert white_level(tiny) is None


def test_correlated_noise_is_recognised_and_removed(clean):
    noisy = np.clip(clean + correlated(clean.shape, 0.12, seed=0), 0, 1)
    result = zspot.run(noisy, "auto", channel_axis=-1)
    assert "correlated" in result.reason
    assert result.recipe.finish.centre == "median"
    assert psnr(clean, result.image) > psnr(clean, noisy) + 6


def test_the_real_noise_of_a_dark_photograph_is_not_taken_for_texture():
    """The picture of the README's first command: faint next to its stars, plain to see."""
    stars = skimage.data.hubble_deep_field()[360:616, 500:756]
    result = zspot.run(stars, "auto", effort="fast", channel_axis=-1)
    assert result.recipe.finish.strength == 1
    assert np.std(result.image.astype(float) - stars) > 2


def test_grey_poisson_noise(clean):
    grey = clean.mean(-1)
    rng = np.random.default_rng(0)
    noisy = (rng.poisson(grey * 40) / 40).astype(np.float32)
    result = zspot.run(noisy, "auto")
    assert psnr(grey, result.image) > psnr(grey, noisy) + 6


@pytest.mark.parametrize("sigma", [5 / 255, 10 / 255])
def test_weak_noise_is_not_made_worse(clean, sigma):
    for noise in (white(clean.shape, sigma), correlated(clean.shape, sigma, 1)):
        noisy = clean + noise
        out = zspot.denoise(noisy, "auto", effort="fast", channel_axis=-1)
        assert psnr(clean, out) > psnr(clean, noisy)


def test_faint_noise_between_texture_and_camera_is_removed_in_part():
    """No jump where the correlation of neighbours passes what cameras leave."""
    noise = Recorrupted((0.01,) * 3, (0.0,) * 3, (0.01,) * 3)
    size = torch.Size((3, 300, 300))
    strengths = []
    for correlation in np.linspace(0.25, 0.4, 16):
        found = Evidence(float(correlation), 0.002, 1.0, noise, (0.1,) * 3, 1.2, 0.2)
        choice = choose(found, size, "balanced")
        recipe = choice.recipe
        assert recipe.finish.strength == pytest.approx(found.strength, abs=1e-3)
        assert ("may be texture" in reason(choice)) == (found.strength < 1)
        # What is removed in part is removed with all the means of correlated noise.
        assert (recipe.finish.similar > 0) == (found.strength > 0)
        strengths.append(found.strength)
    assert strengths[0] == 0
    assert strengths[-1] == 1
    assert 0 <= min(np.diff(strengths)) <= max(np.diff(strengths)) < 0.25


@pytest.mark.parametrize("effort", ["fast", "balanced"])
@pytest.mark.parametrize("sigma", [0.0, 1.0, 2.0])
def test_a_nearly_clean_textured_image_is_left_nearly_alone(sigma, effort):
    """Fur that the pretrained estimate alone takes for noise: 5 dB worse at noise of 1 of 255."""
    fur = skimage.data.chelsea()[22:214, 97:289].astype(np.float64)
    noisy = np.rint(fur + white(fur.shape, sigma)).clip(0, 255).astype(np.uint8)
    result = zspot.run(noisy, "auto", effort=effort, channel_axis=-1)
    before, after = (np.mean((image - fur) ** 2) for image in (noisy, result.image))
    assert after <= before + 0.2**2
    if sigma == 2:  # enough to be told from fur
        assert after < 0.8 * before
        return
    assert result.recipe.finish.strength < 1
    assert "may be texture" in result.reason
    alone = zspot.denoise(noisy, pretrained_estimate("fast"), channel_axis=-1)
    assert np.mean((alone - fur) ** 2) > after


def test_finish_strength_takes_back_its_share(clean):
    noisy = clean + white(clean.shape, 0.1)
    full = pretrained_estimate("fast")
    out = [
        zspot.denoise(noisy, replace(full, finish=Finish(strength=s)), channel_axis=-1)
        for s in (0.0, 0.5, 1.0)
    ]
    np.testing.assert_allclose(out[0], noisy, atol=1e-6)
    np.testing.assert_allclose(out[1], (noisy + out[2]) / 2, atol=1e-6)
    assert not np.allclose(out[2], noisy, atol=1e-2)
    with pytest.raises(RecipeError, match=r"finish\.strength"):
        Finish(strength=1.5)


def test_as_weak_noise_on_a_smooth_image_is_removed():
    x = np.linspace(0, 3, 160)
    smooth = 128 + 90 * np.sin(x[:, None]) * np.cos(2 * x)
    noisy = np.rint(smooth + white(smooth.shape, 1.0)).astype(np.uint8)
    result = zspot.run(noisy, "auto", effort="fast")
    assert result.recipe.finish.strength == 1
    assert np.mean((result.image - smooth) ** 2) < np.mean((noisy - smooth) ** 2) / 3


def test_the_first_look_is_told_and_can_be_stopped(clean):
    stages = []

    class StoppedError(Exception):
        pass

    def stop(news):
        stages.append((news.stage, news.done))
        if len(stages) == 3:
            raise StoppedError

    noisy = clean + correlated(clean.shape, 0.1, 1)
    with pytest.raises(StoppedError):
        zspot.denoise(noisy, "auto", channel_axis=-1, progress=stop)
    assert stages == [("look", 0.0)] * 3

    told = []
    zspot.denoise(noisy, "auto", effort="fast", channel_axis=-1, progress=told.append)
    shares = [news.done / news.total for news in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert {"look", "predict", "finish"} <= {news.stage for news in told}
    assert all(stage_in_words(news) != news.stage for news in told)  # none is shown raw


def test_the_recipe_in_the_result_reruns_exactly(clean):
    noisy = clean + white(clean.shape, 0.1)
    first = zspot.run(noisy, "auto", channel_axis=-1, seed=3)
    recipe = Recipe.from_toml(first.recipe.to_toml())
    again = zspot.denoise(noisy, recipe, channel_axis=-1, seed=3)
    assert again.tobytes() == first.image.tobytes()


def test_the_trained_weights_can_be_turned_off(clean):
    noisy = clean + white(clean.shape, 0.1)
    recipe = zspot.run(noisy, "auto", effort="balanced", channel_axis=-1).recipe
    assert recipe.finish.similar > 0
    cold = replace(
        recipe, finish=Finish(), network=Prior(warm=False), fit=Fit(120, 2e-3, "one-cycle", 64, 2)
    )
    out = zspot.denoise(noisy, cold, channel_axis=-1)
    assert psnr(clean, out) > psnr(clean, noisy) + 2


def test_examination_measures_level_and_correlation():
    g = torch.Generator().manual_seed(0)
    estimate = torch.rand(3, 200, 200, generator=g)
    noise = torch.randn(3, 200, 200, generator=g)
    found = examine(estimate + 0.2 * noise, estimate)
    assert found.is_white
    assert found.correlation == pytest.approx(0, abs=0.02)
    assert found.noise.variance == pytest.approx([0.04] * 3, rel=0.05)
    assert found.noise.slope == pytest.approx([0] * 3, abs=0.003)
    dependent = examine(estimate + (0.01 + 0.09 * estimate).sqrt() * noise, estimate)
    assert dependent.noise.slope == pytest.approx([0.09] * 3, rel=0.1)
    assert dependent.noise.variance == pytest.approx([0.01] * 3, abs=0.004)
    smooth = torch.from_numpy(correlated((200, 200, 3), 0.2, 0)).permute(2, 0, 1)
    assert examine(estimate + smooth, estimate).correlation > 0.5


def test_recorrupted_pairs_have_independent_noise_of_the_right_mean():
    spec = Recorrupted((0.04,), (0.0,), (0.04,), tau=0.7)
    g = torch.Generator().manual_seed(0)
    clean = torch.zeros(1, 1, 500, 500)
    y = clean + 0.2 * torch.randn(clean.shape, generator=g)
    first, second = spec.pair(y, clean, g)
    assert float((first * second).mean()) == pytest.approx(0, abs=5 * 0.04 * 2 / 500)
    assert float(second.mean()) == pytest.approx(0, abs=5 * 0.35 / 500)
    assert float(first.std()) == pytest.approx(0.2 * (1 + 0.7**2) ** 0.5, rel=0.01)
    signal = torch.tensor([0.0, 1.0, -5.0]).view(1, 1, 1, 3)
    varying = Recorrupted((0.01,), (0.03,), (0.005,))
    assert varying.deviation(signal).flatten().square().tolist() == pytest.approx(
        [0.01, 0.04, 0.005]
    )


def test_centring_restores_what_a_tone_curve_did_to_the_mean():
    """Noise through a concave curve darkens the mean; the median is untouched."""
    g = torch.Generator().manual_seed(0)
    linear = torch.linspace(0.05, 0.4, 200).expand(1, 160, 200)
    curve = lambda x: x.clamp(0, 1) ** (1 / 2.2)  # noqa: E731
    noisy = curve(linear + 0.1 * linear.sqrt() * torch.randn(linear.shape, generator=g))
    draws = [
        curve(linear + 0.1 * linear.sqrt() * torch.randn(linear.shape, generator=g))
        for _ in range(50)
    ]
    mean = torch.stack(draws).mean(0).mean(1, keepdim=True).expand_as(noisy)
    centred = to_local_median(mean, noisy, 24.0)
    before, after = (float((x - curve(linear)).square().mean()) for x in (mean, centred))
    assert after < 0.35 * before


def test_texture_taken_for_noise_comes_back():
    """A fine mesh in one corner is removed with the noise: the guard returns it, and only it."""
    g = torch.Generator().manual_seed(0)
    clean = torch.zeros(1, 128, 128)
    rows, cols = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    clean[0, :48, :48] = (0.3 * ((rows + cols) % 2 * 2 - 1))[:48, :48]
    noisy = clean + 0.03 * torch.randn(clean.shape, generator=g)
    smooth = torch.zeros_like(clean)
    guarded = restore_texture(smooth, noisy, 1.5)
    assert torch.allclose(guarded[:, 8:40, 8:40], noisy[:, 8:40, 8:40])
    assert torch.equal(guarded[:, 80:, 80:], smooth[:, 80:, 80:])


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (33, 2), (64, 65)])
def test_the_guard_leaves_plain_noise_alone_at_any_size(size):
    noisy = torch.randn(3, *size, generator=torch.Generator().manual_seed(0))
    guarded = restore_texture(torch.zeros_like(noisy), noisy, 1.5)
    assert guarded.abs().mean() < 0.02 * noisy.abs().mean() + 1e-6


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (33, 2), (97, 101)])
def test_centring_takes_any_size_and_shifts_exactly(size):
    g = torch.Generator().manual_seed(0)
    estimate = torch.zeros(2, *size)
    noisy = torch.randn(2, *size, generator=g)
    moved = to_local_median(estimate, noisy, 24.0)
    assert moved.shape == estimate.shape
    shifted = to_local_median(estimate, noisy + 5, 24.0)
    torch.testing.assert_close(shifted, moved + 5, atol=1e-2, rtol=0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@torch.no_grad()
def test_the_pretrained_network_takes_any_number_of_channels(channels):
    net = Prior().build(channels, torch.Generator())
    x = torch.randn(2, channels, 21, 34, generator=torch.Generator().manual_seed(0))
    assert net(x).shape == x.shape
    cold = [Prior(warm=False).build(channels, torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
    outputs = [c(x) for c in cold]
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_learning_to_copy_the_noise_is_refused():
    with pytest.raises(RecipeError, match="copy the noise"):
        Recipe("x", mask=NoMask())
    with pytest.raises(RecipeError, match="whole image"):
        Recipe("x", fill=Code(), fit=Fit(crop=64))


def test_the_choice_follows_the_evidence():
    noise = Recorrupted((0.1,), (0.0,), (0.1,))
    grey, colour = torch.Size((1, 300, 300)), torch.Size((3, 300, 300))
    for correlation in (-0.1, 0.0, 0.02):
        white = choose(Evidence(correlation, 0.2, 1.0, noise, (0.3,)), grey, "balanced")
        assert white.route == "white"
        assert white.recipe.fit.steps > 0
    texture = Evidence(0.0, 0.2, 1.0, noise, (0.3,), agreement=0.5)
    choice = choose(texture, grey, "balanced")
    assert choice.recipe.fit.steps == 0
    assert "50% of its measured variance" in reason(choice)
    dependent = choose(Evidence(0.0, 0.2, 4.0, noise, (0.3,)), grey, "balanced")
    assert dependent.route == "uneven"
    assert dependent.recipe.fit.steps == 0
    for correlation in (0.2, 0.8):
        choice = choose(Evidence(correlation, 0.2, 1.0, noise, (0.3,)), colour, "balanced")
        assert choice.route == "correlated"
        assert choice.recipe.fit.steps == 0
        assert f"{correlation:.2f}" in reason(choice)


def test_every_route_is_explained_in_one_short_plain_sentence():
    noise = Recorrupted((0.1,) * 3, (0.0,) * 3, (0.1,) * 3)
    sentences = {}
    for share, unevenness, correlation, spread, agreement, side, effort in itertools.product(
        (0.002, 0.2), (0.0, 0.93, 1.3), (0.0, 0.3, 0.33, 0.6), (1, 4), (0.5, 1), (90, 2000), EFFORTS
    ):
        faint = share < 0.005
        found = Evidence(
            correlation, share, spread, noise, (0.3,) * 3, unevenness * faint, 0.0, agreement
        )
        choice = choose(found, torch.Size((3, side, side)), effort)
        said = explain(choice)
        sentences[said] = choice.route
        assert reason(choice).startswith(f"{said}; ")
        assert len(said.split()) <= 25
        jargon = ("warm start", "prior", "recorrupt", "residual", "turns", "phases", "finish", ";")
        assert not any(word in said for word in jargon)
    assert set(sentences.values()) == {"white", "uneven", "correlated", "doubtful"}
    assert len(sentences) > 6


PICTURES = {
    "fur": lambda: skimage.data.chelsea()[:192, :192],
    "face": lambda: skimage.data.astronaut()[:192, 200:392],
    "rocket": lambda: skimage.data.rocket()[200:392, 200:392],
    "coffee": lambda: skimage.data.coffee()[100:292, 200:392],
}


@pytest.mark.parametrize("noise", ["correlated:10", "common:8"])
@pytest.mark.parametrize("name", PICTURES)
def test_correlated_noise_is_found_as_strong_as_serves_the_picture(name, noise):
    """On texture a stronger estimate would remove it."""
    clean = PICTURES[name]().astype(np.float32) / 255
    noisy = noises.parse(noise).add(clean, 0).clip(0, 1)
    result = zspot.run(noisy, "auto", effort="fast", channel_axis=-1)
    assert psnr(clean, result.image) > psnr(clean, noisy) + 4
    for times in (1.0, 2.0, 4.0):
        finish = replace(result.recipe.finish, removed=times)
        other = zspot.run(noisy, replace(result.recipe, finish=finish), channel_axis=-1)
        assert psnr(clean, result.image) > psnr(clean, other.image) - 0.6


def test_an_image_that_is_left_alone_says_so_in_a_note():
    fur = skimage.data.chelsea()[:128, :128].mean(2).astype(np.uint8)
    result = zspot.run(fur, "auto", effort="fast")
    assert np.array_equal(result.image, fur)
    assert result.told == ("what looks like noise may be texture, so the image stays as it is",)
    assert result.reason.count("may be texture, so the image stays") == 1
