"""A fit that planes of a stack share: what is shared, the same bytes everywhere, units, errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch

import zspot
from tests.images import correlated, psnr, small_net
from zspot.algorithms import METHODS
from zspot.core.errors import OptionError
from zspot.engine import shared_fit as sharing
from zspot.files import denoise_file, planes
from zspot.frontends import cli
from zspot.recipe import Constant, Finish, Fit, NoMask, Predict, Prior, Recipe, Recorrupted, UNet

RECIPE = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(8), predict=Predict(1))


def noise(*shape, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4000, shape).astype(np.uint16)


def shared(planes, recipe=RECIPE) -> np.ndarray:
    """What a stack of one channel should become: each plane started from the first."""
    first = zspot.run(planes[0], recipe)
    rest = [zspot.run(plane, recipe, after=first).image for plane in planes[1:]]
    return np.stack([first.image, *rest])


def test_a_share_of_the_steps_is_nearly_as_good_as_a_fit_afresh(clean):
    grey = clean.mean(2)[:64, :64]
    first, second = (grey + correlated(grey.shape, 0.15, seed) for seed in (0, 1))
    recipe = small_net(METHODS["bsn-ins"].make("fast"), 80, 4)
    before = zspot.run(first, recipe)
    after = zspot.run(second, recipe, after=before)
    afresh = zspot.run(second, recipe)
    cold = zspot.run(second, replace(recipe, fit=replace(recipe.fit, steps=20)))
    assert len(after.losses) == 20
    assert after.recipe.fit.steps == 20
    assert "20 of 80 steps" in after.reason
    assert psnr(grey, after.image) > psnr(grey, afresh.image) - 0.7
    assert psnr(grey, after.image) > psnr(grey, cold.image) + 3
    assert after.fitted.recipe.fit.steps == 80  # a third plane learns as long as the second


def test_the_weights_of_network_and_inr_are_where_the_next_plane_starts():
    a, b = noise(2, 24, 30)
    recipe = replace(RECIPE, fit=Fit(8, lr=1e-30), fill=replace(RECIPE.fill, lr=1e-30))
    before = zspot.run(a, replace(recipe, fit=Fit(8, lr=1e-2), fill=replace(recipe.fill, lr=1e-2)))
    start = before.fitted.weights
    still = replace(before, fitted=replace(before.fitted, asked=(recipe, None), recipe=recipe))
    weights = zspot.run(b, recipe, after=still).fitted.weights
    untouched = zspot.run(b, recipe).fitted.weights
    assert {name.split(".")[0] for name in start} == {"network", "fill"}
    for name, value in start.items():
        assert torch.equal(weights[name], value), name
    for part in ("network.network.entry.weight", "fill.weights.0"):
        assert not torch.equal(untouched[part], start[part])


def test_nothing_but_the_passed_result_decides():
    a, b, c = noise(3, 24, 30)
    before = zspot.run(a, RECIPE)
    start = {name: value.clone() for name, value in before.fitted.weights.items()}
    once = zspot.run(b, RECIPE, after=before)
    zspot.run(c, RECIPE, after=once)
    again = zspot.run(b, RECIPE, after=before)
    assert np.array_equal(once.image, again.image)
    assert not np.array_equal(once.image, zspot.run(b, RECIPE).image)
    assert all(torch.equal(start[name], v) for name, v in before.fitted.weights.items())
    assert "fitted" not in repr(before)


@pytest.mark.parametrize("method", ["auto", "mash"])
def test_what_was_chosen_for_one_plane_is_taken_for_the_next(clean, method):
    grey = clean.mean(2)[:32, :32]
    a, b = (grey + np.random.default_rng(seed).normal(0, 0.1, grey.shape) for seed in (0, 1))
    before = zspot.run(a, method, effort="fast")
    after = zspot.run(b, method, effort="fast", after=before)
    assert "look" not in after.timings
    assert "another plane" in after.reason
    ratio = (before.fitted.scale / after.fitted.scale) ** 2
    expected = [ratio * value for value in before.recipe.finish.noise]
    assert after.recipe.finish.noise == pytest.approx(expected, rel=1e-12)
    chosen = replace(after.recipe.finish, noise=before.recipe.finish.noise)
    assert chosen == before.recipe.finish
    assert (after.recipe.mask, after.recipe.network) == (before.recipe.mask, before.recipe.network)


NOISE = Recorrupted((0.3, 0.2), (0.05, -0.04), (0.01, 0.02))
WITH_NOISE = Recipe(
    "auto",
    mask=NoMask(),
    fill=Constant(),
    target=NOISE,
    network=Prior(),
    loss="l2",
    fit=Fit(4),
    predict=Predict(1),
    finish=Finish(similar=1.0, noise=(0.3, 0.1, 0.1, 0.2)),
)


def test_noise_keeps_its_strength_in_the_units_of_the_image():
    scale, offset, new_scale, new_offset = 3.0, (10.0, 20.0), 7.0, (-4.0, 25.0)
    moved = sharing.in_units(WITH_NOISE, (scale, offset), (new_scale, new_offset))
    signal = torch.linspace(0, 40, 50, dtype=torch.float64).expand(1, 2, 5, 50).clone()
    was, now = (torch.tensor(o, dtype=torch.float64)[:, None, None] for o in (offset, new_offset))
    before = NOISE.deviation((signal - was) / scale) * scale
    after = moved.target.deviation((signal - now) / new_scale) * new_scale
    torch.testing.assert_close(after, before, rtol=1e-12, atol=0)
    assert np.array(moved.finish.noise) * new_scale**2 == pytest.approx(
        np.array(WITH_NOISE.finish.noise) * scale**2, rel=1e-14
    )
    back = sharing.in_units(moved, (new_scale, new_offset), (scale, offset))
    for name in ("variance", "slope", "floor"):
        assert getattr(back.target, name) == pytest.approx(getattr(NOISE, name), rel=1e-12)
    assert sharing.in_units(WITH_NOISE, (scale, offset), (scale, offset)) == WITH_NOISE


def test_scaled_and_shifted_planes_give_scaled_and_shifted_results(clean):
    grey = clean.mean(2)[:48, :48].astype(np.float64)
    a, b = (grey * s + correlated(grey.shape, 0.1, seed) for seed, s in ((0, 1.0), (1, 0.7)))
    target = Recorrupted((0.1,), (0.02,), (0.01,))
    recipe = replace(WITH_NOISE, target=target, finish=Finish(similar=0.5, noise=(0.1,)))
    plain = zspot.run(b, recipe, after=zspot.run(a, recipe)).image
    other = zspot.run(8 * b - 64, recipe, after=zspot.run(8 * a - 64, recipe)).image
    np.testing.assert_allclose(other, 8 * plain - 64, atol=8e-4)


def test_a_constant_plane_hands_the_fit_on():
    a, b = noise(2, 24, 30)
    before = zspot.run(a, RECIPE)
    between = zspot.run(np.full_like(a, 7), RECIPE, after=before)
    assert between.fitted is before.fitted
    assert np.array_equal(
        zspot.run(b, RECIPE, after=between).image, zspot.run(b, RECIPE, after=before).image
    )
    empty = zspot.run(np.full_like(a, 7), RECIPE)
    afresh = zspot.run(b, RECIPE, after=empty)
    assert empty.fitted is None
    assert "afresh" in afresh.reason
    assert np.array_equal(afresh.image, zspot.run(b, RECIPE).image)


def test_planes_in_which_other_channels_vary_are_fitted_afresh_and_say_so():
    a, b = noise(2, 24, 30, 2)
    b[..., 1] = 9
    before = zspot.run(a, RECIPE, channel_axis=-1)
    after = zspot.run(b, RECIPE, channel_axis=-1, after=before)
    assert "other channels are constant" in after.reason
    assert np.array_equal(after.image, zspot.run(b, RECIPE, channel_axis=-1).image)


def test_what_cannot_be_shared_is_a_line(tmp_path):
    a = noise(24, 30)
    before = zspot.run(a, RECIPE)
    for method in ("bm3d", "dip", "score-dvi"):
        with pytest.raises(OptionError, match=r"choose .*bsn-ins"):
            zspot.run(a, method, after=before)
        with pytest.raises(OptionError, match=r"choose .*bsn-ins"):
            denoise_file(tmp_path / "a.tif", tmp_path / "b.tif", method, share_fit=True)
    with pytest.raises(OptionError, match="fill code"):
        zspot.run(a, METHODS["dip"].make("fast"), after=before)
    with pytest.raises(OptionError, match="recipe of method bsn-ins"):
        zspot.run(a, "n2v", after=before)
    with pytest.raises(OptionError, match="recipe of method bsn-ins"):
        zspot.run(a, replace(RECIPE, fit=Fit(9)), after=before)
    with pytest.raises(OptionError, match="shape"):
        zspot.run(a[1:], RECIPE, after=before)


def test_each_channel_of_a_file_has_its_own_first_plane(tmp_path):
    data = noise(3, 2, 24, 30)
    data[0, 1] = 5  # the first plane of the second channel has nothing to fit
    tifffile.imwrite(tmp_path / "a.ome.tif", data, metadata={"axes": "TCYX"})
    result, _ = denoise_file(tmp_path / "a.ome.tif", tmp_path / "b.ome.tif", RECIPE, share_fit=True)
    out = tifffile.imread(tmp_path / "b.ome.tif").reshape(data.shape)
    assert np.array_equal(out[:, 0], shared(data[:, 0]))
    assert np.array_equal(out[1:, 1], shared(data[1:, 1]))
    assert np.array_equal(out[0, 1], data[0, 1])
    assert "2 of 8 steps" in result.reason
    np.save(tmp_path / "a.npy", data[:, 0])  # read as a whole
    denoise_file(tmp_path / "a.npy", tmp_path / "b.npy", RECIPE, share_fit=True)
    assert np.array_equal(np.load(tmp_path / "b.npy"), out[:, 0])


def test_a_single_plane_is_denoised_as_without(tmp_path):
    np.save(tmp_path / "a.npy", noise(24, 30))
    denoise_file(tmp_path / "a.npy", tmp_path / "b.npy", RECIPE)
    result, _ = denoise_file(tmp_path / "a.npy", tmp_path / "c.npy", RECIPE, share_fit=True)
    assert "nothing to share" in result.reason
    assert (tmp_path / "b.npy").read_bytes() == (tmp_path / "c.npy").read_bytes()


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_an_interrupted_store_goes_on_from_the_same_first_planes(tmp_path, monkeypatch, stop):
    zarr = pytest.importorskip("zarr")
    data = noise(3, 2, 24, 30)
    data[0, 1] = 5
    names = {"dimension_names": ["t", "c", "y", "x"]}
    zarr.create_array(tmp_path / "a.zarr", data=data, chunks=(1, 1, 24, 30), **names)
    denoise_file(tmp_path / "a.zarr", tmp_path / "whole.zarr", RECIPE, share_fit=True)
    whole = zarr.open_array(tmp_path / "whole.zarr", mode="r")[:]
    assert np.array_equal(whole[:, 0], shared(data[:, 0]))
    assert np.array_equal(whole[1:, 1], shared(data[1:, 1]))
    real, calls = planes.run, []

    def stopped(plane, *arguments, **options):
        calls.append(plane)
        if len(calls) > stop:
            raise KeyboardInterrupt
        return real(plane, *arguments, **options)

    monkeypatch.setattr(planes, "run", stopped)
    with pytest.raises(KeyboardInterrupt):
        denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE, share_fit=True)
    monkeypatch.setattr(planes, "run", real)
    seen = []
    denoise_file(
        tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE, share_fit=True, progress=seen.append
    )
    assert np.array_equal(zarr.open_array(tmp_path / "b.zarr", mode="r")[:], whole)
    assert seen[-1].done == pytest.approx(seen[-1].total)


def test_a_store_that_is_done_but_for_its_name_fits_nothing(tmp_path, monkeypatch):
    zarr = pytest.importorskip("zarr")
    from zspot.files import store

    zarr.create_array(tmp_path / "a.zarr", data=noise(2, 24, 30), chunks=(1, 24, 30))

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "_take_place", fail)
        with pytest.raises(KeyboardInterrupt):
            denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE, share_fit=True)
    calls = []
    real = planes.run
    monkeypatch.setattr(planes, "run", lambda p, *a, **o: calls.append(p.shape) or real(p, *a, **o))
    denoise_file(tmp_path / "a.zarr", tmp_path / "b.zarr", RECIPE, share_fit=True)
    assert not calls


def test_sharing_is_part_of_the_job_of_a_folder(tmp_path):
    pytest.importorskip("distributed")
    from distributed import LocalCluster

    from zspot.files.folder import denoise_many

    (tmp_path / "in").mkdir()
    data = noise(3, 24, 30)
    tifffile.imwrite(tmp_path / "in/a.tif", data, photometric="minisblack")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as a worker has
    try:
        expected = shared(data)
    finally:
        torch.set_num_threads(threads)

    def states(share_fit: bool) -> list[str]:
        summary = denoise_many(
            tmp_path / "in",
            tmp_path / "out",
            RECIPE,
            scheduler=cluster.scheduler_address,
            share_fit=share_fit,
        )
        return [outcome.state for outcome in summary.outcomes]

    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    ) as cluster:
        assert states(True) == ["done"]
        assert np.array_equal(tifffile.imread(tmp_path / "out/a.tif"), expected)
        assert states(True) == ["skipped"]
        assert states(False) == ["done"]
        with pytest.raises(OptionError, match=r"choose .*bsn-ins"):
            denoise_many(tmp_path / "in", tmp_path / "out", "dip", share_fit=True)


def test_the_command_line_shares_and_refuses(tmp_path, capsys):
    data = noise(2, 24, 30)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack")
    (tmp_path / "r.toml").write_text(RECIPE.to_toml())
    words = ["denoise", str(tmp_path / "a.tif"), str(tmp_path / "b.tif"), "--share-fit"]
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--verbose", "--recipe", str(tmp_path / "r.toml")])
    assert ended.value.code == 0
    assert "2 of 8 steps" in " ".join(capsys.readouterr().out.split())
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), shared(data))
    for more, says in ((["--save-recipe", "x.toml"], "--share-fit"), (["--method", "dip"], "dip")):
        with pytest.raises(SystemExit) as ended:
            cli.main([*words, "--overwrite", *more])
        assert ended.value.code == 2
        assert says in capsys.readouterr().err


@pytest.mark.parametrize("method", ["auto", "auto-scratch"])
@pytest.mark.parametrize("times", [0.5, 1.0, 2.0])
def test_a_plane_of_other_white_noise_gets_a_fit_of_its_own(clean, method, times):
    picture = 100 * clean.mean(2)
    rng = np.random.default_rng(0)
    first, second = (picture + rng.normal(0, s, picture.shape) for s in (8, 8 * times))
    before = zspot.run(first.astype(np.float32), method, effort="fast")
    after = zspot.run(second.astype(np.float32), method, effort="fast", after=before)
    assert ("fitted afresh" in after.reason) == (times != 1)
    afresh = zspot.run(second.astype(np.float32), method, effort="fast")
    assert psnr(picture, after.image) > psnr(picture, afresh.image) - 0.2
