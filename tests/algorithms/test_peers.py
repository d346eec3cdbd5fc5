"""The methods zspot compares with: blindness of their parts, what they gain on their own noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import skimage
import torch
from hypothesis import given
from hypothesis import strategies as st

import zspot
from tests.images import correlated, psnr
from zspot import engine
from zspot.algorithms import METHODS, auto_scratch, mash, score_dvi
from zspot.core.errors import RecipeError
from zspot.core.rng import derive
from zspot.engine.forward import in_phases
from zspot.engine.predict import RunningMean
from zspot.recipe import (
    BlindSpot,
    Code,
    Constant,
    Fit,
    Hourglass,
    Neighbour,
    PartialUNet,
    Predict,
    Recipe,
    Refill,
    Shallow,
    Shuffled,
    Stratified,
    UNet,
    targets,
)

CPU = torch.device("cpu")
SHAPE = torch.Size((1, 3, 37, 41))


def plane(seed: int, shape=SHAPE) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def recipe(name: str, **changes) -> Recipe:
    made = METHODS[name].make("fast")
    assert isinstance(made, Recipe)
    return replace(made, **changes)


def white(clean: np.ndarray, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 25 / 255, clean.shape)
    return (clean + noise).astype(np.float32)


def part(clean: np.ndarray) -> np.ndarray:
    """The middle of the picture, where a fit of as many steps takes half the time."""
    return clean[16:80, 16:80]


# What each method must gain on noise of its own kind, in dB, at a budget of seconds; a network
# that learned nothing would lose.
SMALL = {
    "n2v": ("white", 4.0, {"network": UNet(16, 1, 0), "fit": Fit(150, 3e-3, "one-cycle")}),
    "self2self": (
        "white",
        4.0,
        {"network": PartialUNet(16, 0.1), "fit": Fit(150, 3e-3, "one-cycle", turns=True)},
    ),
    "zs-n2n": ("white", 4.0, {"fit": Fit(150, 5e-3)}),
    "dip": (
        "white",
        4.0,
        {
            "network": Hourglass(24, 4, 4),
            "fit": Fit(150, 1e-2, "constant", average=0.9, patience=60),
        },
    ),
    "ap-bsn": (
        "correlated",
        2.5,
        {"network": BlindSpot(16, 2), "fit": Fit(100, 3e-3, "one-cycle", stride=5, turns=True)},
    ),
    "refill": (
        "correlated",
        2.0,
        {"network": BlindSpot(16, 2), "fit": Fit(60, 3e-3, "one-cycle", stride=2)},
    ),
}


WHOLE = ("self2self", "ap-bsn")  # they drop or leave out so much that they need more pixels


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in WHOLE)) for n in SMALL]
)
def test_each_gains_on_noise_of_its_own_kind(name, clean):
    kind, gain, changes = SMALL[name]
    clean = clean if name in WHOLE else part(clean)
    noisy = white(clean) if kind == "white" else clean + correlated(clean.shape, 0.12, seed=0)
    out = zspot.denoise(noisy, recipe(name, **changes), channel_axis=-1)
    assert psnr(clean, out) > psnr(clean, noisy) + gain


@pytest.mark.slow
def test_mash_hides_more_of_correlated_noise_and_gains(clean, monkeypatch):
    small = (UNet(16, 1, 0.0), Fit(120, 3e-3, "one-cycle"))
    monkeypatch.setitem(mash._EFFORTS, "fast", small)
    clean = part(clean)
    noisy = clean + correlated(clean.shape, 0.12, seed=0)
    result = zspot.run(noisy, "mash", effort="fast", channel_axis=-1)
    assert psnr(clean, result.image) > psnr(clean, noisy) + 2
    assert result.recipe is not None
    assert result.recipe.mask.keep < 0.2
    assert isinstance(result.recipe.target, Shuffled)
    assert "probe" in result.reason
    again = zspot.run(noisy, result.recipe, channel_axis=-1)  # what ran can be run again
    assert np.array_equal(again.image, result.image)


@pytest.mark.parametrize(
    ("gap", "released", "printed"),
    [(0.5, 0.9, 0.8), (1.2, 0.5, 0.8), (2.2, 0.1, 0.5), (3.0, 0.1, 0.2)],
)
def test_mash_thresholds_of_paper_and_release(gap, released, printed):
    base = mash.base("best")
    for settings, keep in ((mash.RELEASED, released), (mash.PRINTED, printed)):
        chosen = mash.choose(base, gap, settings)
        assert chosen.mask.keep == pytest.approx(keep)
        assert isinstance(chosen.target, Shuffled) == (gap > settings.thresholds[1])


def test_score_dvi_gains_on_white_noise_and_takes_any_prior(clean):
    clean = part(clean)
    noisy = white(clean)
    out = zspot.denoise(noisy, "score-dvi", effort="fast", channel_axis=-1)
    assert psnr(clean, out) > psnr(clean, noisy) + 4
    y = plane(0)[0]
    short = score_dvi.Settings(steps=3, width=8)
    identity = score_dvi.ScoreDVI(short, lambda x: x)(y, seed=0)
    blurred = score_dvi.ScoreDVI(short, torch.zeros_like)(y, seed=0)
    assert not torch.equal(identity.mean, blurred.mean)
    assert score_dvi.make("best", prior=lambda x: x) is not None


def test_bm3d_gains_on_white_noise_and_names_its_licence(clean):
    pytest.importorskip("bm3d", reason="the extra bm3d is not installed")
    noisy = white(clean)
    result = zspot.run(noisy, "bm3d", channel_axis=-1)
    assert psnr(clean, result.image) > psnr(clean, noisy) + 8
    assert "non-commercial" in result.reason


def test_bm3d_without_its_package_says_what_to_do(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(zspot.OptionError, match=r'pip install "bm3d'):
        zspot.denoise(np.random.default_rng(0).random((32, 32)), "bm3d")


def test_two_images_are_better_than_one_and_both_are_needed(clean):
    clean = part(clean)
    first, second = white(clean, 0), white(clean, 1)
    small = recipe("n2n", network=UNet(16, 1, 0), fit=Fit(150, 3e-3, "one-cycle", turns=True))
    out = zspot.run(first, small, channel_axis=-1, second=second).image
    assert psnr(clean, out) > psnr(clean, (first + second) / 2) + 2
    with pytest.raises(zspot.OptionError, match="--second"):
        zspot.run(first, "n2n", channel_axis=-1)
    with pytest.raises(zspot.OptionError, match="uses one image"):
        zspot.run(first, "n2v", channel_axis=-1, second=second)
    with pytest.raises(zspot.ImageError, match="same scene"):
        zspot.run(first, "n2n", channel_axis=-1, second=second[1:])
    with pytest.raises(RecipeError, match="second"):
        zspot.run(first, small, channel_axis=-1)


@pytest.mark.parametrize("spec", [BlindSpot(24, 2), BlindSpot(24, 0)])
@pytest.mark.parametrize("size", [(20, 23), (7, 31)])
def test_the_blind_spot_network_does_not_see_the_pixel_it_predicts(spec, size):
    network = spec.build(2, derive(0, 0, CPU))
    x = plane(1, (1, 2, *size)).requires_grad_()
    for place in ((0, 0), (3, 11), (size[0] - 1, size[1] - 1)):
        (gradient,) = torch.autograd.grad(network(x)[0, :, place[0], place[1]].sum(), x)
        assert (gradient[0, :, place[0], place[1]] == 0).all()
        assert gradient.abs().sum() > 0


def test_dip_sees_nothing_of_the_image():
    built = Code(4).start(plane(0), derive(0, 1, CPU), derive(0, 2, CPU))
    hidden = torch.ones(SHAPE, dtype=torch.bool)
    seen = [
        engine.network_input(
            y, hidden, Code(4).start(y, derive(0, 1, CPU), derive(0, 2, CPU)).sample(y, hidden)
        )
        for y in (plane(0), plane(5))
    ]
    assert torch.equal(*seen)
    assert seen[0].shape == (1, 4, *SHAPE[2:])
    first, second = (built.sample(plane(0), hidden) for _ in range(2))
    assert not torch.equal(first, second)  # fresh noise on a fixed code
    torch.testing.assert_close(first, second, atol=0.4, rtol=0)


@given(seed=st.integers(0, 100), box=st.integers(2, 10), radius=st.integers(1, 6))
def test_neighbours_never_show_a_hidden_pixel(seed, box, radius):
    maps = Stratified(box).draw(SHAPE, derive(seed, 0, CPU))
    assert torch.equal(maps.hidden, maps.scored)
    assert (maps.hidden == maps.hidden[:, :1]).all()  # all channels of a pixel
    seen = []
    for other in (1e6, -1e6):
        y = torch.where(maps.hidden, torch.tensor(other), plane(seed))
        fill = Neighbour(radius).start(y, derive(seed, 1, CPU), derive(seed, 2, CPU))
        seen.append(engine.network_input(y, maps.hidden, fill.sample(y, maps.hidden)))
    assert torch.equal(*seen)
    assert seen[0].abs().max() < 1e5


def test_one_pixel_of_each_cell_is_hidden():
    maps = Stratified(4).draw(torch.Size((2, 1, 24, 28)), derive(0, 0, CPU))
    counts = torch.nn.functional.avg_pool2d(maps.hidden.float(), 4) * 16
    assert (counts == 1).all()


def test_partial_convolutions_do_not_see_hidden_pixels():
    network = PartialUNet(8, 0.3).build(3, derive(0, 0, CPU))
    visible = torch.rand(SHAPE, generator=torch.Generator().manual_seed(2)) < 0.7
    x = plane(0)
    changed = torch.where(visible, x, x + 100)
    assert torch.equal(network(x, None, visible), network(changed, None, visible))
    assert not torch.equal(network(x, None, visible), network(x, None, None))


def test_what_leaks_through_the_refilled_image_is_little():
    """Of white noise nothing can be predicted: the auxiliary image follows a pixel by its leak."""
    y = plane(3, (1, 1, 96, 96))
    hidden = torch.ones(y.shape, dtype=torch.bool)
    fill = Refill(8, 2).start(y, derive(0, 1, CPU), derive(0, 2, CPU))
    filled = fill.sample(y, hidden)
    slope = float((filled * y).mean() / y.square().mean())
    assert filled.shape == y.shape
    # 0.199 with this seed, 0.196 to 0.201 with others: the best match follows each pixel a little.
    assert slope < 0.2


def test_refilling_copies_structure_that_repeats_across_scales():
    step = torch.zeros(1, 1, 40, 40)
    step[..., 20:] = 1
    fill = Refill(8, 2).start(step, derive(0, 1, CPU), derive(0, 2, CPU))
    filled = fill.sample(step, torch.ones_like(step, dtype=torch.bool))
    torch.testing.assert_close(filled, step, atol=1e-5, rtol=0)


@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    tile=st.integers(2, 6),
    seed=st.integers(0, 50),
)
def test_shuffling_permutes_within_tiles_and_all_channels_alike(height, width, tile, seed):
    one = torch.arange(height * width, dtype=torch.float32).view(1, 1, height, width)
    y = one.expand(1, 3, height, width)
    out = targets.shuffle_tiles(y, tile, derive(seed, 0, CPU))
    assert torch.equal(out[:, 0], out[:, 1])
    assert torch.equal(out[:, 0], out[:, 2])
    rows, cols = (out[0, 0] // width).long(), (out[0, 0] % width).long()
    here = torch.arange(height)[:, None], torch.arange(width)
    assert torch.equal(rows // tile, (here[0] // tile).expand_as(rows))
    assert torch.equal(cols // tile, (here[1] // tile).expand_as(cols))
    assert torch.equal(out.flatten(2).sort().values, y.flatten(2).sort().values)


def test_only_flat_tiles_count_as_flat():
    estimate = torch.zeros(1, 3, 16, 16)
    estimate[..., :8, :8] = torch.eye(8)  # detail
    flat = targets.flat_tiles(Shuffled(threshold=0.5), estimate)[0, 0]
    assert flat[12, 12] == 1
    assert flat[2, 2] == 0
    assert set(flat.unique().tolist()) <= {0.0, 1.0}


def test_halves_are_the_means_of_the_diagonals():
    y = torch.arange(12.0).view(1, 1, 3, 4)
    falling, rising = targets.diagonal_halves(y)
    assert falling.shape == rising.shape == (1, 1, 2, 2)
    assert falling[0, 0, 0].tolist() == [2.5, 4.5]  # (0 + 5) / 2, (2 + 7) / 2
    assert rising[0, 0, 0].tolist() == [2.5, 4.5]
    assert falling[0, 0, 1].tolist() == [8.5, 10.5]  # the last row counts twice


def test_the_running_mean_stops_after_the_least_variance():
    """Outputs settle on a picture, then pick up noise: the mean of the calm time is kept."""
    generator = torch.Generator().manual_seed(0)
    picture = plane(0)
    running = RunningMean(decay=0.8, patience=20)
    for step in range(400):
        away = 2.0 * 0.9**step
        noise = 0.02 * max(0, step - 60) * torch.randn(SHAPE, generator=generator)
        if running.add(picture + away + noise):
            break
    assert 60 < step < 140
    torch.testing.assert_close(running.result, picture, atol=0.2, rtol=0)
    endless = RunningMean(decay=0.5, patience=0)
    assert not any(endless.add(picture * k) for k in range(50))
    torch.testing.assert_close(endless.result, picture * 48, atol=0.1, rtol=0)


def test_phases_are_put_back_where_they_were():
    class Number(torch.nn.Module):
        """Adds the index of the image in the batch."""

        def forward(self, x, generator, visible):
            return x + torch.arange(len(x)).view(-1, 1, 1, 1)

    y = torch.zeros(2, 3, 7, 8)
    seen = torch.ones_like(y, dtype=torch.bool)
    out = in_phases(Number(), derive(0, 1, CPU), y, seen, 2)
    assert out.shape == y.shape
    assert (out[0, :, ::2, ::2] == 0).all()
    assert (out[0, :, ::2, 1::2] == 1).all()
    assert (out[1, :, 1::2, ::2] == 6).all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"fill": Code(3)}, "mask everything"),
        ({"fill": Code(3), "mask": METHODS["dip"].make("fast").mask}, "hourglass"),
        ({"consistency": 1.0}, "fit.stride"),
        ({"fit": Fit(10, crop=32), "fill": Code()}, "whole image"),
        ({"target": Shuffled(), "fit": Fit(10, turns=True)}, "shuffled"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(changes, says):
    base = Recipe("test", fill=Constant(), network=UNet(4, 1), predict=Predict(1))
    with pytest.raises(RecipeError, match=says):
        zspot.run(np.random.default_rng(0).random((20, 20)), replace(base, **changes))


@pytest.mark.parametrize("name", [n for n, m in METHODS.items() if n not in ("auto",)])
@pytest.mark.parametrize("effort", ["fast", "balanced", "best"])
def test_recipes_go_to_toml_and_back(name, effort):
    made = METHODS[name].make(effort)
    if isinstance(made, Recipe):
        assert Recipe.from_toml(made.to_toml()) == made


@pytest.mark.parametrize("spec", [Shallow(4), Hourglass(4, 2, 3), PartialUNet(4), BlindSpot(4, 1)])
def test_networks_depend_on_their_generator_alone(spec):
    first, again, other = (spec.build(3, derive(seed, 0, CPU))(plane(0)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == SHAPE


@pytest.mark.parametrize(
    ("kind", "gain"), [("white", 6), pytest.param("correlated", 2, marks=pytest.mark.slow)]
)
def test_auto_without_weights_tells_white_from_correlated_noise(kind, gain, clean, monkeypatch):
    from zspot.algorithms import refill

    small = (BlindSpot(24, 2), Fit(80, 3e-3, "one-cycle", stride=2))
    monkeypatch.setitem(refill._EFFORTS, "fast", small)
    clean = part(clean)
    noisy = white(clean) if kind == "white" else clean + correlated(clean.shape, 0.12, seed=0)
    result = zspot.run(noisy, "auto-scratch", effort="fast", channel_axis=-1)
    assert kind in result.reason
    assert psnr(clean, result.image) > psnr(clean, noisy) + gain
    assert result.recipe is not None
    if kind == "white":
        again = zspot.run(noisy, result.recipe, channel_axis=-1)
        assert np.array_equal(again.image, result.image)


def test_a_network_from_scratch_betters_similar_patches_on_white_noise(monkeypatch):
    monkeypatch.setitem(auto_scratch._WHITE_STEPS, "balanced", 400)  # in half the time
    picture = skimage.data.chelsea()[40:240, 110:310, 1].astype(np.float32) / 255
    noisy = white(picture)
    closed = zspot.run(noisy, "auto-scratch", effort="fast", sigma=25 / 255)
    mixed = zspot.run(noisy, "auto-scratch", sigma=25 / 255)
    assert "learns from scratch" in mixed.reason
    assert mixed.fitted
    assert psnr(picture, mixed.image) > psnr(picture, closed.image) + 0.03
    small = zspot.run(noisy[:96, :96], "auto-scratch", sigma=25 / 255)  # it would learn the noise
    assert "without a network" in small.reason
