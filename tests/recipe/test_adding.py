"""The parts that docs/adding.md adds do what the page says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import zspot
from tests.docs_help import ROOT, blocks
from zspot.core.errors import RecipeError
from zspot.engine import network_input
from zspot.networks import NETWORKS
from zspot.recipe.fills import FILLS
from zspot.recipe.masks import MASKS
from zspot.recipe.targets import TARGETS

PAGE = blocks(ROOT / "docs" / "adding.md")
REGISTRIES = (MASKS, FILLS, TARGETS, NETWORKS)
PARTS = [
    block.text for block in PAGE if block.language == "python" and "(frozen=True)" in block.text
]
TOML = next(block.text for block in PAGE if block.language == "toml")


@pytest.fixture
def recipe():
    """The page's recipe, read from its TOML after its parts were registered as it says."""
    before = [dict(known) for known in REGISTRIES]
    names: dict[str, object] = {"__name__": "adding"}
    for text in PARTS:
        exec(compile(text, "docs/adding.md", "exec", dont_inherit=True), names)
    yield zspot.Recipe.from_toml(TOML)
    for known, kept in zip(REGISTRIES, before, strict=True):
        known.clear()
        known.update(kept)


def test_a_part_that_was_added_runs_from_toml(recipe, clean):
    noisy = clean[:40, :41]
    result = zspot.run(noisy, recipe, channel_axis=-1)
    assert result.recipe.mask.kind == "grid"
    assert result.recipe.fill.kind == "average"
    assert np.isfinite(result.image).all()
    assert len(result.losses) == recipe.fit.steps
    assert zspot.Recipe.from_toml(result.recipe.to_toml()) == result.recipe


def test_its_values_are_checked(recipe):
    with pytest.raises(RecipeError, match=r"mask\.side = 1: must lie between 2 and 10"):
        type(recipe.mask)(1)
    with pytest.raises(RecipeError, match=r"mask\.size: unknown; mask has side"):
        zspot.Recipe.from_toml(TOML.replace("side", "size"))


def test_it_scores_one_pixel_of_each_cell(recipe):
    maps = recipe.mask.draw(torch.Size((1, 3, 40, 80)), torch.Generator().manual_seed(0))
    assert maps.scored.float().mean() == pytest.approx(1 / recipe.mask.side**2)
    assert not (maps.scored & ~maps.hidden).any()


@pytest.mark.parametrize("seed", range(4))
def test_hidden_pixels_do_not_reach_the_network(recipe, seed):
    draws = torch.Generator().manual_seed(seed)
    y = torch.randn(1, 3, 37, 41, generator=draws)
    hidden = recipe.mask.draw(y.shape, draws).hidden

    def seen(image: torch.Tensor) -> torch.Tensor:
        fill = recipe.fill.start(image, torch.Generator(), torch.Generator())
        return network_input(image, hidden, fill.sample(image, hidden))

    assert torch.equal(seen(y), seen(torch.where(hidden, y.abs() + 5, y)))
    assert not torch.equal(seen(y), y)
