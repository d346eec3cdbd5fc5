"""Large images: tiles without seams, crops to learn from, limits of memory that are kept."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zspot
import zspot.io
from tests.images import correlated
from zspot import engine
from zspot.algorithms import mash
from zspot.algorithms.auto import pretrained_estimate
from zspot.algorithms.auto.crops import samples, spread
from zspot.core.memory import limit_of
from zspot.engine import budget
from zspot.engine.tiling import Tiled
from zspot.filters.patches import cross_scale_image
from zspot.frontends import cli
from zspot.networks import base, pretrained
from zspot.networks.siren import Siren
from zspot.recipe import BlindSpot, PartialUNet, Predict, Prior, Recipe, Shallow, Shuffled, UNet
from zspot.recipe.losses import masked_mean

NETWORKS = (
    Prior(),
    UNet(8, 1, 0.0),
    UNet(4, 2, 0.0),
    PartialUNet(8, 0.0),
    BlindSpot(8, 3),
    Shallow(8),
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=8)
@given(
    st.integers(0, len(NETWORKS) - 1),
    st.integers(65, 420),
    st.integers(65, 420),
    st.sampled_from([64, 100, 192]),
)
def test_tiles_give_what_the_whole_image_gives(which, height, width, side):
    spec = NETWORKS[which]
    network = spec.build(3, seeded())
    x = torch.randn(1, 3, height, width, generator=seeded(1))
    visible = torch.rand(x.shape, generator=seeded(2)) > 0.3
    known = spec.receptive_field
    assert known is not None
    for short in (False, True):
        with (
            torch.no_grad(),
            mock.patch.object(pretrained, "multiplies_bfloat16", lambda *_, s=short: s),
            mock.patch.object(base, "multiplies_bfloat16", lambda *_, s=short: s),
        ):
            whole = network(x, None, visible)
            tiled = Tiled(network, known, side)(x, None, visible)
        difference = tiled - whole
        if short:  # of 8 bits there is more to round, of noise of deviation 1
            assert float(difference.square().mean().sqrt()) < 0.02
        else:
            assert float(difference.abs().max() / (whole.max() - whole.min())) < 1e-5


def camera(height: int, width: int) -> np.ndarray:
    """A picture of ramps and edges under the correlated noise of a camera, 8 bits."""
    y, x = np.mgrid[:height, :width]
    picture = 0.5 + 0.2 * np.sin(x / 37) * np.cos(y / 23) + 0.15 * ((x // 64 + y // 48) % 2)
    noisy = picture[..., None] + correlated((height, width, 3), 0.05, 0)
    return (255 * noisy.clip(0, 1)).astype(np.uint8)


def test_no_seam_along_the_borders_of_tiles():
    image = camera(200, 264)
    recipe = replace(pretrained_estimate("fast"), predict=Predict(passes=1, phases=2))
    whole = zspot.run(image, recipe, channel_axis=-1).image.astype(int)
    small = replace(recipe, predict=replace(recipe.predict, tile=64))
    tiled = zspot.run(image, small, channel_axis=-1)
    difference = np.abs(tiled.image.astype(int) - whole)
    assert difference[:, 56:72].max() <= 1  # about the first border; 0.1 % of a range is 0.26
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


@pytest.mark.parametrize("method", ["bsn-ins", "refill", "mash"])
def test_fits_of_large_images_see_crops(method, monkeypatch):
    """The fit must not grow with the image; the result must still be better than the input."""
    monkeypatch.setattr(budget, "CROP", 64)
    monkeypatch.setattr(budget, "SIDE", 96)
    sizes = []
    monkeypatch.setattr(
        "zspot.engine.fit.masked_mean",
        lambda *a: sizes.append(a[0].shape[2:].numel()) or masked_mean(*a),
    )
    image = camera(100, 132)
    made = zspot.methods()[method].make("best")
    if not isinstance(made, Recipe):
        made = replace(mash.base("fast"), target=Shuffled(after=10))
    fit = replace(made.fit, steps=30, lr=5e-3)
    made = replace(made, network=UNet(8, 1, 0.1), fit=fit, predict=replace(made.predict, passes=4))
    done = zspot.run(image, made, channel_axis=-1)
    assert set(sizes) == {64 * 64}
    assert done.recipe is not None
    assert (done.recipe.fit.crop, done.recipe.predict.tile) == (64, 96)
    again = zspot.run(image, done.recipe, channel_axis=-1)
    np.testing.assert_array_equal(again.image, done.image)


@settings(max_examples=20)
@given(st.integers(0, 40), st.integers(0, 50), st.integers(1, 9), st.integers(1, 9))
def test_a_window_of_the_inr_is_that_part_of_it(top, left, height, width):
    inr = Siren(3, seeded(), 16, 30.0, 10, (0.0, 0.0))
    with torch.no_grad():
        whole = inr.phase((49, 59), 2)
        part = inr.phase((49, 59), 2, None, (slice(top, top + height), slice(left, left + width)))
    torch.testing.assert_close(part, whole[..., top : top + height, left : left + width])


def test_refilling_in_bands_changes_nothing(monkeypatch):
    y = torch.randn(1, 3, 61, 45, generator=seeded())
    whole = cross_scale_image(y, 8, 2)
    monkeypatch.setattr("zspot.filters.patches._BAND", 200)
    torch.testing.assert_close(cross_scale_image(y, 8, 2), whole)


def test_a_limit_makes_tiles_and_crops_smaller_and_says_so():
    recipe = zspot.methods()["bsn-ins"].make("best")
    shape = torch.Size((3, 3000, 4000))
    free, told = budget.plan(recipe, shape)
    assert (free.fit.crop, free.predict.tile, told) == (512, 1024, ())
    limit = budget.needed(free, shape) - 10**8
    held, told = budget.plan(recipe, shape, limit)
    assert budget.needed(held, shape) <= limit
    assert held.predict.tile < 1024
    assert str(held.predict.tile) in told[0]
    small = torch.Size((3, 256, 256))
    assert budget.plan(recipe, small, 10**11) == (recipe, ())
    windows = zspot.methods()["bsn-ins"].make("balanced")
    assert budget.plan(windows, shape) == (windows, ())
    assert budget.needed(windows, shape) < budget.needed(free, shape)


def test_what_a_limit_of_memory_changed_is_told_and_changes_only_rounding():
    recipe = pretrained_estimate("fast")
    plane = np.random.default_rng(0).normal(100, 20, (700, 600)).astype(np.float32)
    free = zspot.run(plane, recipe)
    limit = budget.needed(recipe, torch.Size((1, 700, 600))) - 5 * 10**7
    held = zspot.run(plane, recipe, max_memory=limit)
    assert [told for told in held.told if "tiles of 256 pixels, to stay under" in told]
    assert not [told for told in free.told if "to stay under" in told]
    assert np.abs(held.image - free.image).max() < 0.01 * np.abs(plane - free.image).max()


def test_planes_after_the_first_need_no_more_than_it():
    """What libraries load at the first run is not counted again: a stack would fail in it."""
    code = (
        "import numpy as np, torch, zspot\n"
        "from zspot.engine import budget\n"
        "from zspot.algorithms.auto import pretrained_estimate\n"
        "recipe = pretrained_estimate('fast')\n"
        "plane = np.random.default_rng(0).integers(0, 4000, (600, 500), dtype=np.uint16)\n"
        "limit = budget.needed(recipe, torch.Size((1, 600, 500))) + 30_000_000\n"
        "for _ in range(3):\n"
        "    said = zspot.run(plane, recipe, max_memory=limit).reason\n"
        "    assert 'to stay under' not in said, said\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_limit_that_is_too_small_is_one_line(tmp_path, capsys):
    zspot.io.write(tmp_path / "in.png", zspot.io.ImageFile(camera(80, 90), "YXS"))
    words = ["denoise", str(tmp_path / "in.png"), str(tmp_path / "out.png"), "--max-memory"]
    assert _ended(*words, "1MB") == 2
    said = capsys.readouterr().err
    assert "needs about" in said
    assert "--max-memory" in said
    assert not (tmp_path / "out.png").exists()
    zspot.io.write(tmp_path / "even.png", zspot.io.ImageFile(np.zeros((80, 90), np.uint8), "YX"))
    words[1:3] = [str(tmp_path / "even.png"), str(tmp_path / "out.png")]  # nothing to be run
    for size in ("much", "0"):
        assert _ended(*words, size) == 2
        assert "no size of memory" in capsys.readouterr().err
        assert not (tmp_path / "out.png").exists()


def _ended(*words: str) -> int:
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("1.5 gib", 3 * 2**29), ("500m", 5 * 10**8), (77, 77)]
)
def test_sizes_are_read(text, size):
    assert limit_of(text) == size


def test_out_of_memory_is_tried_again_with_less_and_said():
    limits = []

    def denoise(device: torch.device, memory: int) -> engine.Denoised:
        limits.append(memory)
        if len(limits) < 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return engine.Denoised(torch.zeros(1, 8, 8), reason="worked")

    done = budget.denoise_within(denoise, torch.device("cpu"), 8 * 10**9)
    assert limits == [8 * 10**9, 4 * 10**9, 2 * 10**9]
    assert "out of memory on cpu with 8.0 GB" in done.told
    assert "run again on cpu with 2.0 GB" in done.told
    with pytest.raises(budget.MemoryLimitError, match="close other programs"):
        budget.denoise_within(_never, torch.device("cpu"), 10**9)


def _never(device: torch.device, memory: int) -> engine.Denoised:
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")


def test_auto_works_more_coarsely_on_large_images(monkeypatch):
    monkeypatch.setattr("zspot.algorithms.auto.crops.LARGE", 100 * 100)
    monkeypatch.setattr("zspot.algorithms.auto.crops._BLOCK", 48)
    image = camera(120, 136)
    done = zspot.run(image, channel_axis=-1)
    assert done.recipe is not None
    assert done.recipe.predict.turns == 1
    assert done.recipe.finish.search == "sparse"
    assert "sparser search" in done.reason


def test_a_large_image_is_judged_all_over(monkeypatch):
    monkeypatch.setattr("zspot.algorithms.auto.crops.LARGE", 1000)
    monkeypatch.setattr("zspot.algorithms.auto.crops._PART", 8)
    plane = torch.arange(2 * 50 * 70.0).view(2, 50, 70)
    parts = samples(plane, 32)
    assert len(parts) == 9
    assert {tuple(part.shape) for part in parts} == {(2, 8, 8)}
    assert torch.equal(parts[0], plane[:, :8, :8])
    assert torch.equal(parts[-1], plane[:, -8:, -8:])
    small = plane[:, :20, :30].contiguous()
    (middle,) = samples(small, 10)
    assert torch.equal(middle, small[:, 5:15, 10:20])
    assert spread(small) is small
