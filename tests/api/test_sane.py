"""No run ends in numbers that are none: whatever the method, that is one line and no file."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

import zspot
from zspot.algorithms import METHODS
from zspot.core.errors import ZspotError
from zspot.engine import Denoised
from zspot.files import denoise_file
from zspot.recipe import Recipe

ONE_IMAGE = [name for name, method in METHODS.items() if not method.needs_second]


def picture() -> np.ndarray:
    return np.random.default_rng(0).normal(100, 10, (24, 30)).astype(np.float32)


def _bad(value, plane, *, seed, report=None, memory=None) -> Denoised:
    return Denoised(torch.where(plane == plane.max(), value, plane))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e4])
@pytest.mark.parametrize("name", ONE_IMAGE)
def test_a_result_that_is_none_is_one_line_and_no_file(tmp_path, monkeypatch, name, value):
    bad = replace(METHODS[name], make=lambda _: partial(_bad, value))
    monkeypatch.setitem(METHODS, name, bad)
    np.save(tmp_path / "a.npy", picture())
    with pytest.raises(ZspotError, match=r"a\.npy: method .* not finite or far outside") as told:
        denoise_file(tmp_path / "a.npy", tmp_path / "b.npy", name)
    assert "\n" not in str(told.value)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npy"]


TINY = """method = "x"
[network]
kind = "unet"
width = 4
[predict]
passes = 1
[fit]
steps = 3
{fit}
"""
KINDS = {"mask": "bernoulli", "fill": "inr", "target": "noisy"}
SIMILAR = "[finish]\nsimilar = 1.0\nguided = true\n"
ABSURD = {
    "rate": ("lr = 1e30", ""),
    "rate that is infinite": ("lr = inf", ""),
    "rate of many digits": (f"lr = {'9' * 400}", ""),
    "steps of many digits": (f"lr = 1e-3\nbatch = {'9' * 5000}", ""),
    "rate before a filter": ("lr = 1e30", SIMILAR + "removed = 1.0"),
    "rate before a median": ("lr = 1e30", '[finish]\ncentre = "median"'),
    "weak noise": ("", SIMILAR + "noise = [1e-13]"),
    "no noise": ("", SIMILAR + "noise = [0.0]"),
    "negative noise": ("", SIMILAR + "noise = [-1.0]"),
    "endless noise": ("", SIMILAR + "noise = [1e300]"),
    "impossible correlation": ("", SIMILAR + "noise = [1.0, 9.0, 9.0, 1.0]"),
    "noise of words": ("", SIMILAR + 'noise = ["a"]'),
    "tables in tables": ("", "[finish.a" + ".a" * 3000 + "]"),
    "lists in lists": ("", "[finish]\nnoise = " + "[" * 3000 + "]" * 3000),
    "list of kinds": ("", '[mask]\nkind = ["bernoulli"]'),
    "average of nothing": ("average = 0.9\nsteps = 0", ""),
    "long word": ("", f'[mask]\nkind = "{"x" * 10**5}"'),
    "long name": ("", f"[mask]\n{'x' * 10**5} = 1"),
}


@pytest.mark.parametrize(("fit", "rest"), ABSURD.values(), ids=ABSURD)
def test_an_absurd_recipe_is_one_line(tmp_path, fit, rest):
    text = TINY.format(fit=fit) + rest
    if "steps = 0" in fit:
        text = text.replace("steps = 3\n", "")
    for part in (*KINDS, "finish"):
        if f"[{part}" not in text:
            text += f"\n[{part}]\n" + (f'kind = "{KINDS[part]}"' if part in KINDS else "")
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(ZspotError) as told:
        zspot.run(picture(), Recipe.load(tmp_path / "r.toml"))
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 500


def test_values_are_repeated_in_short_and_seeds_have_an_end():
    for options in (
        {"method": "x" * 10**5}, {"method": ["auto"]}, {"effort": "y" * 10**5},
        {"device": "z" * 10**5}, {"max_memory": "1" * 10**5 + "Q"}, {"max_memory": "9" * 999},
        {"seed": 10**400},
        {"seed": 2**63}, {"seed": 10**5000}, {"dtype": "f" * 10**5},
    ):  # fmt: skip
        with pytest.raises(ZspotError) as told:
            zspot.run(picture(), **options)
        assert len(str(told.value)) < 400
