"""Run a recipe on one plane: fit a network to it, then predict."""

import time
from dataclasses import replace
from itertools import pairwise

from torch import Tensor

from zspot.core.progress import Clock, Report, looking
from zspot.core.ranges import require
from zspot.engine import budget
from zspot.engine.denoiser import Denoised, Weights, check_sane
from zspot.engine.fit import fit
from zspot.engine.parts import Session
from zspot.engine.predict import predict
from zspot.filters.scales import halved, joined
from zspot.recipe import Recipe

_SMALLEST = 64  # side of a half image, below which there is too little to measure noise on
_PASS_COST = 0.3  # of a prediction relative to a fit step, for the time left


def run(
    recipe: Recipe, plane: Tensor, *, seed: int = 0, report: Report | None = None,
    second: Tensor | None = None, memory: int | None = None, start: Weights | None = None,
) -> Denoised:  # fmt: skip
    """Fit `recipe` to one standardised plane, float32 (C, H, W) on its device, and predict it.

    Large images are learned from in crops and shown to the network in tiles, see
    `zspot.engine.budget`; the recipe that is returned says so. `seed` decides every random number.
    `report` is called with a `Progress` after each step and pass; what it raises stops the run.
    `second` is another noisy plane of the scene, for target "second", `memory` the bytes that the
    process may take, `start` weights that the same recipe learned on another plane.
    """
    wants = recipe.target.needs_second
    require(not wants or second is not None, "target second needs a second noisy image: pass one")
    require(wants or second is None, "a second image is only used by target second (method n2n)")
    mask, why = recipe.mask.suited(plane)
    recipe, told = budget.plan(replace(recipe, mask=mask), plane.shape, memory)
    session, scale, offset = _session(recipe, plane, seed, second)
    if start is not None:
        session.learned.load_state_dict(start)
    coarse = _coarse(recipe, plane, seed, looking(report), memory)
    clock = Clock(report, _work(recipe, plane))
    times = [time.perf_counter()]
    losses, running = fit(session, clock)
    times.append(time.perf_counter())
    mean, deviation = (running.result[0], None) if running else predict(session, clock)
    times.append(time.perf_counter())
    if recipe.fit.unit_range:
        mean, deviation = mean * scale + offset, None if deviation is None else deviation * scale
    check_sane(mean, plane, recipe.method)
    found = [mean]  # handed over, so that its memory is free once it is replaced
    del mean
    mean = recipe.finish.apply(found.pop(), plane, clock)
    mean = mean if coarse is None else joined(mean, coarse)
    times.append(time.perf_counter())
    spent = (after - before for before, after in pairwise(times))
    timings: dict[str, float] = dict(zip(("fit", "predict", "finish"), spent, strict=True))
    learned = session.learned.state_dict() if recipe.fit.steps else None
    weights = None if learned is None else {name: value.cpu() for name, value in learned.items()}
    return Denoised(mean, deviation, losses, timings, why, recipe, weights, told)


def _session(
    recipe: Recipe, plane: Tensor, seed: int, second: Tensor | None
) -> tuple[Session, float, float]:
    """Return the recipe at work, and the scale and offset of its intensities in the plane's."""
    image, other = plane[None], None if second is None else second[None]
    if not recipe.fit.unit_range:
        return Session(recipe, image, seed, other), 1.0, 0.0
    offset, scale = float(plane.amin()), float((plane.amax() - plane.amin()).clamp(min=1e-6))
    target = recipe.target.in_units(1 / scale, [offset] * len(plane))
    other = None if other is None else (other - offset) / scale
    recipe = replace(recipe, target=target)
    return Session(recipe, (image - offset) / scale, seed, other), scale, offset


def _coarse(
    recipe: Recipe, plane: Tensor, seed: int, report: Report | None, memory: int | None
) -> Tensor | None:
    """Return what the recipe makes of the plane at half its size, if it asks for that."""
    scales = recipe.finish.scales - 1
    if scales == 0 or recipe.finish.strength == 0 or min(plane.shape[1:]) < 2 * _SMALLEST:
        return None
    half = halved(plane)
    offset = half.mean((1, 2), keepdim=True)
    scale = (half - offset).square().mean().sqrt().clamp(min=1e-6)
    # What the network leaves of the noise it leaves at the full size.
    finish = replace(recipe.finish, scales=scales, removed=min(recipe.finish.removed, 1.0))
    recipe = replace(recipe, finish=finish)
    done = run(recipe, (half - offset) / scale, seed=seed, report=report, memory=memory)
    return done.mean * scale + offset


def _work(recipe: Recipe, plane: Tensor) -> dict[str, tuple[int, float]]:
    """Return the number of steps of each stage and what one costs."""
    images = 2 if recipe.target.needs_second else 1
    spec = recipe.predict
    shown = images * spec.passes * len(spec.shown) + spec.refine
    pixels = plane[0].numel()
    crops = recipe.fit.batch * recipe.fit.crop**2
    whole = pixels / min(pixels, crops or pixels)  # steps that see as much as the image has
    ticks, cost = recipe.finish.work(plane)
    return {
        "fit": (recipe.fit.steps, 1.0),
        "predict": (0 if recipe.fit.average else shown, _PASS_COST * whole),
        "finish": (ticks, cost * whole),
    }
