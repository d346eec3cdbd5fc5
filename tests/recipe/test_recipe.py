"""Recipes are plain data: exact round trips, and every bad value is one clear line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zspot
from tests.images import tiny
from zspot.algorithms import EFFORTS, METHODS
from zspot.core.errors import RecipeError
from zspot.recipe import LOSSES, SCHEDULES, Bernoulli, Constant, Fit, Inr, Predict, Recipe, UNet

unit = st.floats(0, 0.9)
recipes = st.builds(
    Recipe,
    method=st.text(min_size=1),
    mask=st.builds(
        Bernoulli, st.floats(0.01, 0.3), st.booleans(), st.sampled_from(["none", "cross", "square"])
    ),
    fill=st.one_of(
        st.builds(Constant, st.sampled_from(["mean", "zero"])),
        st.builds(
            Inr,
            w0=st.floats(1, 60),
            gamma=st.booleans(),
            bands=st.integers(1, 12),
            dropout=st.tuples(unit, unit, unit, unit, unit),
            trained=st.booleans(),
            lr=st.floats(1e-9, 1),
            every=st.integers(1, 100),
        ),
    ),
    network=st.builds(UNet, st.integers(1, 99), st.sampled_from([1, 2]), unit),
    loss=st.sampled_from(LOSSES),
    fit=st.builds(Fit, st.integers(1, 5000), st.floats(1e-9, 1), st.sampled_from(SCHEDULES)),
    predict=st.builds(Predict, st.integers(1, 500)),
)


@given(recipe=recipes)
def test_toml_round_trip_is_exact(recipe):
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@pytest.mark.parametrize("effort", EFFORTS)
def test_every_registered_recipe_round_trips(effort):
    for method in METHODS.values():
        made = method.make(effort)
        if isinstance(made, Recipe):
            assert Recipe.from_toml(made.to_toml()) == made


def test_best_bsn_ins_is_as_printed_and_where_nothing_is_printed_as_released():
    recipe = METHODS["bsn-ins"].make("best")
    assert recipe == Recipe(
        "bsn-ins",
        Bernoulli(0.1, True, "cross"),
        Inr(32, 6, 30.0, True, 10, (0.35, 0.45, 0.55, 0.65, 0.75), True, 1e-5, 5),
        network=UNet(48, 2, 0.5, "all", "torch"),
        loss="l1",
        fit=Fit(1200, 4e-4, "cosine", unit_range=True),
        predict=Predict(400),
    )
    assert recipe.mask.scored_fraction == pytest.approx(0.59, abs=0.001)


def test_a_recipe_from_a_result_reruns_exactly(clean):
    recipe = tiny(METHODS["bsn-ins"].make("fast"))
    first = zspot.run(clean, recipe, channel_axis=-1, seed=3)
    again = zspot.run(
        clean, Recipe.from_toml(first.recipe.to_toml()), channel_axis=-1, seed=first.seed
    )
    assert first.image.tobytes() == again.image.tobytes()
    assert first.losses == again.losses
    assert len(first.losses) == recipe.fit.steps


BASE = tiny(Recipe("bsn-ins"))
SWITCHES = {
    "untrained INR": replace(BASE, fill=Inr(trained=False, lr=1e-5)),
    "zero fill": replace(BASE, fill=Constant("zero")),
    "mean fill": replace(BASE, fill=Constant("mean")),
    "no exclusion": replace(BASE, mask=Bernoulli(exclusion="none")),
    "square exclusion": replace(BASE, mask=Bernoulli(exclusion="square")),
    "shared mask": replace(BASE, mask=Bernoulli(per_channel=False)),
    "no gamma": replace(BASE, fill=Inr(gamma=False)),
    "demo's dropout": replace(BASE, fill=Inr(dropout=(0.75,) * 5)),
    "no dilation": replace(BASE, network=UNet(dilation=1)),
    "no dropout": replace(BASE, network=UNet(dropout=0.0)),
    "L2": replace(BASE, loss="l2"),
    "another rate": replace(BASE, fit=Fit(2, 1e-3)),
    "another schedule": replace(BASE, fit=Fit(2, schedule="one-cycle")),
    "more predictions": replace(BASE, predict=Predict(3)),
    "no fit loss": replace(BASE, fill=Inr(fit_weight=0.0, every=1)),
    "no consistency": replace(BASE, fill=Inr(consistency_weight=0.0, every=1)),
}


@pytest.fixture(scope="module")
def plain(clean):
    return zspot.denoise(clean, BASE, channel_axis=-1)


@pytest.mark.parametrize("name", SWITCHES)
def test_every_ablation_switch_changes_the_result(name, clean, plain):
    assert (zspot.denoise(clean, SWITCHES[name], channel_axis=-1) != plain).any()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("method = 'a'\nfoo = 1", "unknown entry 'foo'"),
        ("loss = 'l1'", "no method, mask"),
        (BASE.to_toml().replace('"l1"', '"l3"'), "l1, l2"),
        ("method = 3", "type str"),
        ("method = 'a'\n[fit]\nsteps = -1", "fit.steps"),
        ("method = 'a'\n[fit]\nsteps = 1.5", "type int"),
        ("method = 'a'\n[fit]\nstep = 1", "fit.step: unknown"),
        ("method = 'a'\n[mask]\nkeep = 0.1", "mask.kind"),
        ("method = 'a'\n[mask]\nkind = 'x'", "bernoulli"),
        ("method = 'a'\n[fill]\nkind = 'inr'\ndropout = [0.5]", "one for each"),
        ("method = 'a'\nfill = 3", "must be a table"),
        ("method = 'a'\n[network]\nkind = 'unet'\ndilation = 3", "between 1 and 2"),
        ("method = 'a'\n[fit]\nlr = inf", "positive and finite"),
        ("method = 'a'\n[fill]\nkind = 'inr'\nfit_weight = inf", "finite"),
        ("method = 'a'\n[finish]\nnoise = [inf]", "finite"),
        ("method = 'a'\n[mask]\nkind = [1]", "bernoulli"),
        ("method = 'a'\n[warm]\nweight = 0.5", "unknown entry 'warm'"),
        ("not toml", "not valid TOML"),
        ("method = 'n2v'\n[fit]\nsteps = 2", "no mask, fill, target, network, predict, finish"),
    ],
)
def test_bad_recipes_are_one_clear_line(text, says):
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_options_say_what_exists(clean):
    for arguments, says in [
        ({"method": "nope"}, "bsn-ins"),
        ({"effort": "most"}, "balanced"),
        ({"device": "tpu"}, "auto"),
        ({"device": "cuda:99"}, "auto"),
        ({"seed": -1}, "seed"),
    ]:
        with pytest.raises(zspot.OptionError, match=says):
            zspot.denoise(clean, channel_axis=-1, **{"effort": "fast", **arguments})
