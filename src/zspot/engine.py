"""The one loop that runs every recipe: fit a network to one image, then predict."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

import torch
from torch import nn
from torch.nn import functional as F

from zspot import fills, masks, networks, targets
from zspot.fills import Fill
from zspot.finish import finish, finish_work
from zspot.losses import masked_mean
from zspot.progress import Clock, Report
from zspot.random import derive
from zspot.recipe import Fit, Recipe, Recorrupted

TURNS = 8  # rotations and reflections of a square
_WARMUP = 0.2  # share of a one-cycle schedule spent warming up
_START = 0.04  # learning rate it starts from, relative to the peak
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
    """

    mean: torch.Tensor
    deviation: torch.Tensor | None = None
    losses: tuple[float, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    recipe: Recipe | None = None


@dataclass
class _Parts:
    """A recipe turned into working parts for one image."""

    network: nn.Module
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
) -> Denoised:
    """Fit `recipe` to one standardised plane and predict it.

    Parameters
    ----------
    recipe : Recipe
    y : float32 tensor (C, H, W)
        Noisy plane on the device to work on; mean 0 and standard deviation 1 are expected.
    seed : int
        Decides every random number; the global generators are not used.
    report : callable, optional
        Called with a `Progress` after each step and pass; what it raises stops the run.

    Returns
    -------
    Denoised
    """
    image = y[None]
    parts = _build(recipe, image, seed)
    spec = recipe.predict
    passes = spec.passes * (TURNS if spec.turns else 1) * spec.phases
    work = {
        "fit": (recipe.fit.steps, 1.0),
        "predict": (passes, _PASS_COST),
        "finish": finish_work(recipe.finish, y),
    }
    clock = Clock(report, work)
    started = time.perf_counter()
    losses = _fit(recipe, image, parts, clock)
    fitted = time.perf_counter()
    mean, deviation = _predict(recipe, image, parts, clock)
    predicted = time.perf_counter()
    mean = finish(recipe.finish, mean, y, clock)
    timings = {
        "fit": fitted - started,
        "predict": predicted - fitted,
        "finish": time.perf_counter() - predicted,
    }
    return Denoised(mean, deviation, losses, timings, recipe=recipe)


def network_input(y: torch.Tensor, hidden: torch.Tensor, filling: torch.Tensor) -> torch.Tensor:
    """Replace hidden pixels by the fill: the only way in which pixels reach a network."""
    return torch.where(hidden, filling, y)


def _build(recipe: Recipe, image: torch.Tensor, seed: int) -> _Parts:
    cpu, device = torch.device("cpu"), image.device
    network = networks.build(recipe.network, image.shape[1], derive(seed, 0, cpu))
    network = network.to(device)
    dropping = derive(seed, 3, device)
    fill = fills.build(recipe.fill, image, derive(seed, 1, cpu), dropping)
    return _Parts(network, fill, derive(seed, 2, device), dropping, derive(seed, 4, cpu))


def _fit(recipe: Recipe, image: torch.Tensor, parts: _Parts, clock: Clock) -> tuple[float, ...]:
    spec = recipe.fit
    pilot = _pilot(recipe, image, parts)
    adam = torch.optim.Adam(parts.network.parameters(), lr=spec.lr, fused=True)
    rates = torch.optim.lr_scheduler.LambdaLR(adam, rate_schedule(spec))
    losses = torch.zeros(spec.steps, device=image.device)  # read once: no stall per step
    for step in range(spec.steps):
        noisy, guide = _crops(spec, image, pilot, parts.places)
        base, target = targets.pair(recipe.target, noisy, guide, parts.masking)
        maps = masks.draw(recipe.mask, base.shape, parts.masking)
        seen = network_input(base, maps.hidden, parts.fill.sample())
        output = parts.network(seen, parts.dropping)
        loss = masked_mean(output, target, maps.scored, recipe.loss)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        rates.step()
        parts.fill.learn(step, base, maps, output.detach())
        losses[step] = loss.detach()
        clock.tick("fit")
    return tuple(losses.tolist())


@torch.no_grad()
def _pilot(recipe: Recipe, image: torch.Tensor, parts: _Parts) -> torch.Tensor | None:
    """Return the network's first estimate, where the target asks for one."""
    return parts.network(image, None) if isinstance(recipe.target, Recorrupted) else None


def _crops(
    spec: Fit, image: torch.Tensor, pilot: torch.Tensor | None, places: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return a batch of random crops of the image and the same ones of the pilot."""
    if spec.crop == 0:
        return image, pilot
    sizes = [min(spec.crop, size) for size in image.shape[2:]]
    room = [full - size + 1 for full, size in zip(image.shape[2:], sizes, strict=True)]
    corners = [
        [int(torch.randint(n, (1,), generator=places)) for n in room] for _ in range(spec.batch)
    ]

    def cut(whole: torch.Tensor) -> torch.Tensor:
        return torch.cat([whole[..., i : i + sizes[0], j : j + sizes[1]] for i, j in corners])

    return cut(image), None if pilot is None else cut(pilot)


@torch.no_grad()
def _predict(
    recipe: Recipe, image: torch.Tensor, parts: _Parts, clock: Clock
) -> tuple[torch.Tensor, torch.Tensor | None]:
    spec = recipe.predict
    mean = torch.zeros_like(image)
    squares = torch.zeros_like(image)
    count = 0
    for _ in range(spec.passes):
        hidden = masks.draw(recipe.mask, image.shape, parts.masking).hidden
        seen = network_input(image, hidden, parts.fill.sample())
        views = product(range(TURNS if spec.turns else 1), range(1, spec.phases + 1))
        for turn, step in views:
            output = _turn_back(_in_phases(parts, _turn(seen, turn), step), turn)
            count += 1
            # Welford's update: sums of squares would lose the small spread of 400 predictions.
            change = output - mean
            mean += change / count
            squares += change * (output - mean)
            clock.tick("predict")
    deviation = (squares / (count - 1)).sqrt()[0] if count > 1 else None
    return mean[0], deviation


def _in_phases(parts: _Parts, x: torch.Tensor, step: int) -> torch.Tensor:
    """Apply the network to each of the step x step phases of (1, C, H, W) by itself."""
    if step == 1:
        return parts.network(x, parts.dropping)
    height, width = x.shape[2:]
    padded = F.pad(x, (0, -width % step, 0, -height % step), mode="replicate")
    apart = F.pixel_unshuffle(padded.transpose(0, 1), step).transpose(0, 1)
    output = parts.network(apart.contiguous(), parts.dropping)
    together = F.pixel_shuffle(output.transpose(0, 1), step).transpose(0, 1)
    return together[..., :height, :width]


def _turn(x: torch.Tensor, index: int) -> torch.Tensor:
    """Apply one of the eight rotations and reflections."""
    turned = torch.rot90(x, index % 4, (2, 3))
    return turned.flip(3) if index >= 4 else turned


def _turn_back(x: torch.Tensor, index: int) -> torch.Tensor:
    """Undo `_turn`."""
    return torch.rot90(x.flip(3) if index >= 4 else x, -(index % 4), (2, 3))


def rate_schedule(spec: Fit) -> Callable[[int], float]:
    """Return the learning rate factor as a function of the step number."""

    def cosine(progress: float) -> float:
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    def one_cycle(step: int) -> float:
        warm = max(1, round(_WARMUP * spec.steps))
        if step < warm:
            return _START + (1 - _START) * step / warm
        return cosine((step - warm) / max(1, spec.steps - warm))

    shapes: dict[str, Callable[[int], float]] = {
        "cosine": lambda step: cosine(step / spec.steps),
        "one-cycle": one_cycle,
        "constant": lambda step: 1.0,
    }
    return shapes[spec.schedule]
