"""Whatever the caller has set in torch, Python or NumPy: the same result, and nothing changed."""

import random
import subprocess
import sys

import numpy as np
import pytest
import skimage.data
import torch

import zspot
from tests.images import tiny
from zspot.algorithms import bsn_ins, zs_n2n

IMAGE = np.random.default_rng(0).normal(100, 9, (40, 44)).astype(np.float32)
RECIPES = [tiny(bsn_ins.recipe("fast"), steps=2), tiny(zs_n2n.recipe("fast"), steps=2)]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.method)
@pytest.mark.parametrize("mode", ["no_grad", "inference_mode", "autocast", "float64"])
def test_modes_of_torch_do_not_matter(recipe, mode):
    expected = zspot.denoise(IMAGE, recipe)
    before = torch.get_default_dtype()
    contexts = {
        "no_grad": torch.no_grad, "inference_mode": torch.inference_mode,
        "autocast": lambda: torch.autocast("cpu", torch.bfloat16), "float64": torch.enable_grad,
    }  # fmt: skip
    try:
        if mode == "float64":
            torch.set_default_dtype(torch.float64)
        with contexts[mode]():
            found = zspot.denoise(IMAGE, recipe)
            assert torch.is_grad_enabled() == (mode in ("autocast", "float64"))
        assert torch.get_default_dtype() == (torch.float64 if mode == "float64" else before)
    finally:
        torch.set_default_dtype(before)
    assert np.array_equal(found, expected)


def test_random_numbers_of_python_are_left_alone():
    code = (
        "import random, numpy as np, zspot\n"
        "random.seed(1); y = np.random.default_rng(0).normal(9, 1, (32, 32))\n"
        "zspot.denoise(y, effort='fast'); print(random.random())"
    )
    random.seed(1)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) == random.random()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"channel_axis": 1.0}, "channel_axis"),
        ({"channel_axis": "2"}, "channel_axis"),
        ({"nodata": "none"}, "nodata"),
        ({"nodata": [0, 1]}, "nodata"),
        ({"after": 3}, "after"),
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, "dask"])
def test_a_wrong_kind_of_value_is_told_by_its_name(wrong, said, kind):
    image = np.random.default_rng(0).normal(100, 5, (24, 24, 3)).astype(np.float32)
    if "channel_axis" not in wrong:
        wrong = {**wrong, "channel_axis": 2}
    if kind == "dask":
        kind = pytest.importorskip("dask.array").from_array
    array, verb = (image, zspot.run) if "after" in wrong else (kind(image), zspot.denoise)
    with pytest.raises(zspot.ZspotError, match=said):
        np.asarray(verb(array, **wrong))


def test_rows_of_unequal_length_are_no_image():
    with pytest.raises(zspot.ImageError, match="no array"):
        zspot.denoise([[1, 2], [3]])


@pytest.mark.parametrize("progress", [3, "yes"])
def test_progress_that_cannot_be_called_is_refused(progress):
    with pytest.raises(zspot.OptionError, match="give True or a function"):
        zspot.denoise(IMAGE, RECIPES[0], progress=progress)
    assert zspot.denoise(IMAGE, RECIPES[0], progress=False).shape == IMAGE.shape


def test_shares_of_any_number_type():
    result = zspot.run(IMAGE, RECIPES[0])
    assert np.array_equal(result.blend(np.float32(0.5)), result.blend(0.5))
    assert np.array_equal(result.blend(np.int64(1)), result.image)


def test_results_can_be_compared_and_kept_in_sets():
    one, other = (zspot.run(IMAGE, RECIPES[0]) for _ in range(2))
    assert one == one
    assert one != other
    assert len({one, other}) == 2


def test_a_result_that_is_not_finite_is_not_judged():
    for wrong in (np.nan, np.inf):
        with pytest.raises(zspot.ImageError, match="NaN or infinite"):
            zspot.assess_images(IMAGE, np.full_like(IMAGE, wrong))
    assert zspot.assess_images(IMAGE.tolist(), IMAGE.tolist()).verdict == "unknown"


def test_a_recipe_with_the_noise_of_one_image_says_so():
    picture = skimage.data.camera()[100:228, 180:308]
    noisy = picture + np.random.default_rng(0).normal(0, 20, picture.shape)
    white = zspot.run(noisy, effort="fast")
    assert white.recipe.finish.noise
    again = zspot.run(noisy, white.recipe)
    assert "noise level of one image" in again.told[-1]
    assert np.array_equal(again.image, white.image)
    assert not zspot.run(IMAGE, RECIPES[0]).told
