"""The one loop that runs every recipe: fit a network to one image, then predict."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from itertools import product

import torch
from torch import nn
from torch.nn import functional as F

from zspot import networks
from zspot.core.progress import Clock, Report
from zspot.core.rng import bernoulli, derive
from zspot.engine import budget
from zspot.engine import state as learned
from zspot.engine.augment import TURNS, apart, crops, turn_back, turned_by
from zspot.engine.averaging import Mean, RunningMean
from zspot.engine.overlap import Windowed
from zspot.engine.state import Weights
from zspot.engine.tiling import SIDE, Tiled, reach
from zspot.recipe import Recipe, fills, masks, targets
from zspot.recipe.fills import WHOLE, Fill, Windows
from zspot.recipe.losses import masked_mean
from zspot.recipe.postprocess import finish, finish_work
from zspot.recipe.rates import rate_schedule
from zspot.specs import Halves, NoMask, Recorrupted, Second, Shuffled, require

_PASS_COST = 0.3  # of a prediction relative to a fit step, for the time left


@dataclass(frozen=True)
class Denoised:
    """What a denoiser returns for one plane, in the plane's standardised intensities.

    Attributes
    ----------
    mean : float tensor (C, H, W)
    deviation : float tensor (C, H, W) or None
        Standard deviation over the averaged predictions; None where there was only one.
    losses : tuple of float
        The fit's loss at each step.
    timings : dict of str to float
        Seconds of each stage.
    reason : str
        Why this was run, in words.
    recipe : Recipe or None
    weights : mapping of str to tensor, or None
        What was learned, see `zspot.engine.state`; None where nothing was.
    """

    mean: torch.Tensor
    deviation: torch.Tensor | None = None
    losses: tuple[float, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    recipe: Recipe | None = None
    weights: Weights | None = field(default=None, repr=False)

    def explained(self, *before: str) -> Denoised:
        """Return the same with words said before its own reason."""
        return replace(self, reason="; ".join(filter(None, [*before, self.reason])))


Whole = nn.Module | Tiled | Windowed


@dataclass
class _Parts:
    """A recipe turned into working parts for one image."""

    network: nn.Module
    whole: Whole  # the same for whole images, without gradient
    fill: Fill
    masking: torch.Generator
    dropping: torch.Generator
    places: torch.Generator


def run(
    recipe: Recipe,
    y: torch.Tensor,
    *,
    seed: int = 0,
    report: Report | None = None,
    second: torch.Tensor | None = None,
    memory: int | None = None,
    start: Weights | None = None,
) -> Denoised:
    """Fit `recipe` to one standardised plane and predict it.

    Large images are learned from in crops and shown to the network in tiles, see
    `zspot.engine.budget`;
    the recipe that is returned says so.

    Parameters
    ----------
    recipe : Recipe
    y : float32 tensor (C, H, W)
        Noisy plane on the device to work on; mean 0 and standard deviation 1 are expected.
    seed : int
        Decides every random number; the global generators are not used.
    report : callable, optional
        Called with a `Progress` after each step and pass; what it raises stops the run.
    second : float32 tensor (C, H, W), optional
        Another noisy plane of the same scene, in the same units, for target "second".
    memory : int, optional
        Bytes that the process may take.
    start : mapping of str to tensor, optional
        Weights to start from, learned by the same recipe on another plane; by default random ones.

    Returns
    -------
    Denoised

    Raises
    ------
    RecipeError
        If the target needs a second plane and there is none, or the other way round.
    MemoryLimitError
        If it takes more than `memory`.
    """
    wants = isinstance(recipe.target, Second)
    require(not wants or second is not None, "target second needs a second noisy image: pass one")
    require(wants or second is None, "a second image is only used by target second (method n2n)")
    recipe, told = budget.plan(recipe, y.shape, memory)
    image = y[None]
    other = None if second is None else second[None]
    parts = _build(recipe, image, seed)
    if start is not None:
        learned.put(start, parts.network, parts.fill)
    clock = Clock(report, _work(recipe, y))
    started = time.perf_counter()
    losses, running = _fit(recipe, image, other, parts, clock)
    fitted = time.perf_counter()
    if running is not None:
        mean, deviation = running.result[0], None
    else:
        mean, deviation = _predict(
            recipe, [image] if other is None else [image, other], parts, clock
        )
    mean = _beside(recipe, mean, image, seed, clock)
    predicted = time.perf_counter()
    mean = finish(recipe.finish, mean, y, clock)
    timings = {
        "fit": fitted - started,
        "predict": predicted - fitted,
        "finish": time.perf_counter() - predicted,
    }
    weights = learned.take(parts.network, parts.fill) if recipe.fit.steps else None
    return Denoised(mean, deviation, losses, timings, told, recipe, weights)


def _work(recipe: Recipe, y: torch.Tensor) -> dict[str, tuple[int, float]]:
    """Return the number of steps of each stage and what one costs."""
    images = 2 if isinstance(recipe.target, Second) else 1
    passes = 0 if recipe.fit.average else images * _passes(recipe) + recipe.predict.refine
    if recipe.beside is not None:
        passes += _passes(recipe.beside)
    return {
        "fit": (recipe.fit.steps, 1.0),
        "predict": (passes, _PASS_COST),
        "finish": finish_work(recipe.finish, y),
    }


def _passes(recipe: Recipe) -> int:
    spec = recipe.predict
    return spec.passes * (TURNS if spec.turns else 1) * len(_strides(recipe))


def network_input(y: torch.Tensor, hidden: torch.Tensor, filling: torch.Tensor) -> torch.Tensor:
    """Replace hidden pixels by the fill: the only way in which pixels reach a network.

    A filling of other channels than the image's is a code that takes the place of all of it.
    """
    if filling.shape[1] != y.shape[1]:
        return filling
    return torch.where(hidden, filling, y)


def _build(recipe: Recipe, image: torch.Tensor, seed: int) -> _Parts:
    cpu, device = torch.device("cpu"), image.device
    channels = image.shape[1]
    inputs = fills.channels(recipe.fill, channels)
    network = networks.build(recipe.network, channels, derive(seed, 0, cpu), inputs)
    network = network.to(device)
    dropping = derive(seed, 3, device)
    fill = fills.build(recipe.fill, image, derive(seed, 1, cpu), dropping)
    whole = _for_whole_images(recipe, network)
    return _Parts(network, whole, fill, derive(seed, 2, device), dropping, derive(seed, 4, cpu))


def _for_whole_images(recipe: Recipe, network: nn.Module) -> Whole:
    if recipe.predict.window:
        return Windowed(network, recipe.predict.window)
    known = reach(recipe.network)
    return Tiled(network, known, recipe.predict.tile or SIDE) if known else network


def _fit(
    recipe: Recipe,
    image: torch.Tensor,
    second: torch.Tensor | None,
    parts: _Parts,
    clock: Clock,
) -> tuple[tuple[float, ...], RunningMean | None]:
    spec = recipe.fit
    guide = second if second is not None else _pilot(recipe, image, parts)
    adam = torch.optim.Adam(parts.network.parameters(), lr=spec.lr, fused=True)
    rates = torch.optim.lr_scheduler.LambdaLR(adam, rate_schedule(spec))
    losses = torch.zeros(spec.steps, device=image.device)  # read once: no stall per step
    running = RunningMean(spec.average, spec.patience) if spec.average else None
    for step in range(spec.steps):
        if isinstance(recipe.target, Shuffled) and step == recipe.target.after:
            guide = _flat_tiles(recipe, image, parts)
        noisy, beside, windows = _views(recipe, image, guide, parts.places)
        base, target = targets.pair(recipe.target, noisy, beside, parts.masking)
        maps = masks.draw(recipe.mask, base.shape, parts.masking)
        seen = network_input(base, maps.hidden, parts.fill.sample(base, maps.hidden, windows))
        output = _in_phases(parts.network, parts.dropping, seen, ~maps.hidden, spec.stride)
        loss = masked_mean(output, target, maps.scored, recipe.loss)
        if recipe.consistency:
            loss = loss + recipe.consistency * _disagreement(
                recipe, parts, noisy, seen, maps, output
            )
        adam.zero_grad(set_to_none=True)
        loss.backward()
        if spec.clip:
            nn.utils.clip_grad_norm_(parts.network.parameters(), spec.clip)
        adam.step()
        rates.step()
        parts.fill.learn(step, base, maps, output.detach(), windows)
        losses[step] = loss.detach()
        clock.tick("fit")
        if running is not None and running.add(output.detach()):
            clock.skip("fit", spec.steps - step - 1)
            losses = losses[: step + 1]
            break
    return tuple(losses.tolist()), running


def _disagreement(
    recipe: Recipe,
    parts: _Parts,
    noisy: torch.Tensor,
    seen: torch.Tensor,
    maps: masks.MaskMaps,
    output: torch.Tensor,
) -> torch.Tensor:
    """Compare what the network makes of the whole with what it made of its parts."""
    if isinstance(recipe.target, Halves):
        whole = torch.cat(targets.halves(parts.network(noisy, parts.dropping)))
    else:
        whole = parts.network(seen, parts.dropping, ~maps.hidden)
    return masked_mean(whole, output, torch.ones_like(maps.scored), recipe.loss)


@torch.no_grad()
def _pilot(recipe: Recipe, image: torch.Tensor, parts: _Parts) -> torch.Tensor | None:
    """Return the network's first estimate, where the target asks for one."""
    return parts.whole(image, None) if isinstance(recipe.target, Recorrupted) else None


@torch.no_grad()
def _flat_tiles(recipe: Recipe, image: torch.Tensor, parts: _Parts) -> torch.Tensor:
    """Mark the flat tiles of the mean of a few predictions."""
    assert isinstance(recipe.target, Shuffled)
    passes = range(recipe.target.passes)
    mean = torch.stack([_masked(recipe, image, parts, recipe.fit.stride) for _ in passes]).mean(0)
    return targets.flat_tiles(recipe.target, mean)


def _views(
    recipe: Recipe, image: torch.Tensor, guide: torch.Tensor | None, places: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor | None, Windows]:
    """Return random crops and turns of the image, the same of its guide, and where they are."""
    spec = recipe.fit
    # Pixels are shuffled within the tiles that were found flat: crops start where these do.
    grid = recipe.target.tile if isinstance(recipe.target, Shuffled) else 1
    turn = int(torch.randint(TURNS, (1,), generator=places)) if spec.turns else 0
    windows = crops(image.shape[2:], spec.crop, spec.batch, places, grid) if spec.crop else []

    def view(whole: torch.Tensor) -> torch.Tensor:
        cuts = [whole[..., rows, columns] for rows, columns in windows]
        return turned_by(torch.cat(cuts) if cuts else whole, turn)

    return view(image), None if guide is None else view(guide), windows or WHOLE


def _masked(recipe: Recipe, image: torch.Tensor, parts: _Parts, stride: int) -> torch.Tensor:
    """Predict an image from a freshly drawn part of it."""
    return _in_phases(parts.whole, parts.dropping, *_seen(recipe, image, parts), stride)


def _seen(recipe: Recipe, image: torch.Tensor, parts: _Parts) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a network's input for a prediction and the map of its visible pixels."""
    mask = recipe.mask if recipe.predict.masked else NoMask()
    hidden = masks.draw(mask, image.shape, parts.masking).hidden
    return network_input(image, hidden, parts.fill.sample(image, hidden)), ~hidden


def _beside(
    recipe: Recipe, mean: torch.Tensor, image: torch.Tensor, seed: int, clock: Clock
) -> torch.Tensor:
    """Average the warm start's estimate into a prediction (C, H, W), where the recipe asks."""
    beside = recipe.beside
    if beside is None:
        return mean
    warm, _ = _predict(beside, [image], _build(beside, image, seed), clock)
    return torch.lerp(mean, warm, recipe.warm.weight)


def _strides(recipe: Recipe) -> range:
    first = recipe.predict.stride
    return range(first, max(first, recipe.predict.phases) + 1)


@torch.no_grad()
def _predict(
    recipe: Recipe, images: list[torch.Tensor], parts: _Parts, clock: Clock
) -> tuple[torch.Tensor, torch.Tensor | None]:
    spec = recipe.predict
    mean = Mean(images[0])
    for _ in range(spec.passes):
        for image in images:
            seen, visible = _seen(recipe, image, parts)
            for turn, step in product(range(TURNS if spec.turns else 1), _strides(recipe)):
                turned = (turned_by(seen, turn), turned_by(visible, turn))
                mean.add(turn_back(_in_phases(parts.whole, parts.dropping, *turned, step), turn))
                clock.tick("predict")
    if spec.refine:
        mean = _refined(recipe, images[0], mean.value, parts, clock)
    return mean.value[0], mean.deviation()


def _refined(
    recipe: Recipe, image: torch.Tensor, first: torch.Tensor, parts: _Parts, clock: Clock
) -> Mean:
    """Average predictions of the first result with some of its pixels as they were."""
    mean = Mean(image)
    spec = recipe.predict
    for _ in range(spec.refine):
        back = bernoulli(tuple(image.shape), spec.refine_share, parts.masking, image.device)
        mean.add(parts.whole(torch.where(back, image, first), parts.dropping))
        clock.tick("predict")
    return mean


def _in_phases(
    network: Whole,
    dropping: torch.Generator,
    x: torch.Tensor,
    visible: torch.Tensor,
    step: int,
) -> torch.Tensor:
    """Apply the network to each of the step x step phases of (N, C, H, W) by itself."""
    if step == 1:
        return network(x, dropping, visible)
    height, width = x.shape[2:]
    output = network(apart(x, step), dropping, apart(visible.to(x.dtype), step))
    stacked = output.unflatten(0, (len(x), step**2)).transpose(1, 2).flatten(1, 2)
    return F.pixel_shuffle(stacked, step)[..., :height, :width]
