"""The network never sees a hidden pixel, and the loss never counts a visible one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zspot import engine
from zspot.core.rng import derive
from zspot.recipe import EXCLUSION_SIZE, Bernoulli, Constant, Fit, Inr, Predict, Recipe, UNet

CPU = torch.device("cpu")
SHAPE = torch.Size((1, 3, 37, 41))


def plane(seed: int) -> torch.Tensor:
    return torch.randn(SHAPE[1:], generator=torch.Generator().manual_seed(seed))


class Spy(torch.nn.Module):
    """Passes its input to a network and keeps a copy of it."""

    def __init__(self, network: torch.nn.Module, seen: list[torch.Tensor]) -> None:
        super().__init__()
        self.network, self.seen = network, seen

    def forward(self, x, generator=None, visible=None):
        self.seen.append(x.clone())
        return self.network(x, generator, visible)


@pytest.fixture
def spied(monkeypatch):
    """Run a recipe and return (hidden maps, network inputs), one of each per step."""
    build, draw = UNet.build, Bernoulli.draw

    def run(recipe: Recipe, y: torch.Tensor):
        seen: list[torch.Tensor] = []
        maps: list[torch.Tensor] = []
        monkeypatch.setattr(UNet, "build", lambda *a: Spy(build(*a), seen))

        def noted(*arguments):
            maps.append((drawn := draw(*arguments)).hidden)
            return drawn

        monkeypatch.setattr(Bernoulli, "draw", noted)
        engine.run(recipe, y)
        return maps, seen

    return run


FILLS = {"mean": Constant("mean"), "zero": Constant("zero"), "untrained INR": Inr(trained=False)}
SMALL = Recipe("test", network=UNet(width=4), fit=Fit(steps=6), predict=Predict(3))


@pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS)
@pytest.mark.parametrize("step", [0, 3, 7])
def test_hidden_pixels_do_not_reach_the_network(spied, fill, step):
    recipe = replace(SMALL, fill=fill)
    y = plane(0)
    maps, inputs = spied(recipe, y)
    changed = torch.where(maps[step][0], y.abs() + 5, y)
    changed[..., 0, 0] = y[..., 0, 0] = -9.0  # keep the lowest value, which "zero" fills with
    maps, inputs = spied(recipe, y)
    maps_again, inputs_again = spied(recipe, changed)
    assert torch.equal(maps[step], maps_again[step])
    assert not torch.equal(y, changed)
    assert torch.equal(inputs[step], inputs_again[step])


def test_a_trained_inr_fitted_to_visible_pixels_stays_blind():
    """With one mask throughout, nothing of the hidden pixels enters the INR or the input."""
    maps = Bernoulli().draw(SHAPE, torch.Generator().manual_seed(1))
    inputs = []
    for y in (plane(0)[None], torch.where(maps.hidden, plane(7)[None] * 3 + 1, plane(0)[None])):
        network = UNet(width=4).build(3, derive(0, 0, CPU))
        spec = Inr(lr=1e-3, every=1)
        fill = spec.start(y, derive(0, 1, CPU), derive(0, 2, CPU))
        start = [p.clone() for p in fill.inr.parameters()]
        with torch.no_grad():
            for step in range(5):
                x = engine.network_input(y, maps.hidden, fill.sample(y, maps.hidden))
                output = network(x)
                with torch.enable_grad():
                    fill.learn(step, y, maps, output)
        moved = [(a - b).abs().max() for a, b in zip(start, fill.inr.parameters(), strict=True)]
        assert min(moved) > 0  # it really learned
        inputs.append(engine.network_input(y, maps.hidden, fill.sample(y, maps.hidden)))
    assert torch.equal(*inputs)


def test_visible_pixels_do_reach_the_network(spied):
    y = plane(0)
    maps, inputs = spied(SMALL, y)
    changed = torch.where(maps[0][0], y, y + 1)
    assert not torch.equal(inputs[0], spied(SMALL, changed)[1][0])


@given(
    keep=st.floats(0.02, 0.6),
    exclusion=st.sampled_from(list(EXCLUSION_SIZE)),
    per_channel=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_scored_fraction_is_its_closed_form(keep, exclusion, per_channel, seed):
    if (1 - keep) ** EXCLUSION_SIZE[exclusion] < 0.05:
        return
    spec = Bernoulli(keep, per_channel, exclusion)
    shape = torch.Size((1, 3, 200, 200))
    maps = spec.draw(shape, torch.Generator().manual_seed(seed))
    inner = maps.scored[..., 1:-1, 1:-1].float()
    # Neighbouring scored flags share pixels: at most 25 of them are dependent on each other.
    draws = inner.numel() / (1 if per_channel else 3)
    sigma = np.sqrt(spec.scored_fraction * (1 - spec.scored_fraction) * 25 / draws)
    assert abs(inner.mean() - spec.scored_fraction) < 5 * sigma
    assert (maps.hidden | ~maps.scored).all()  # scored pixels are hidden ones
    assert abs(maps.hidden.float().mean() - (1 - keep)) < 0.02


@pytest.mark.parametrize("exclusion", EXCLUSION_SIZE)
def test_scored_pixels_keep_their_distance_from_visible_ones(exclusion):
    maps = Bernoulli(0.1, True, exclusion).draw(SHAPE, torch.Generator().manual_seed(3))
    visible = ~maps.hidden[0]
    steps = {
        "none": [(0, 0)],
        "cross": [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)],
        "square": [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)],
    }[exclusion]
    padded = torch.nn.functional.pad(visible, (1, 1, 1, 1))
    near = torch.stack([padded[:, 1 + i : 38 + i, 1 + j : 42 + j] for i, j in steps]).any(0)
    assert torch.equal(maps.scored[0], ~near)


def test_a_mask_that_starves_the_loss_is_an_error():
    with pytest.raises(ValueError, match="too few to learn from"):
        Bernoulli(keep=0.5, exclusion="square")


def test_unscored_pixels_do_not_influence_the_loss():
    from zspot.recipe.losses import masked_mean

    maps = Bernoulli().draw(SHAPE, torch.Generator().manual_seed(3))
    prediction, target = plane(1)[None], plane(2)[None]
    for kind in ("l1", "l2"):
        loss = masked_mean(prediction, target, maps.scored, kind)
        noise = torch.where(maps.scored, 0.0, 100.0)
        assert masked_mean(prediction + noise, target, maps.scored, kind) == loss
        assert masked_mean(prediction + 1, target, maps.scored, kind) != loss
