"""What `auto` runs on an image: the noise it finds decides what can be learned from the image.

White noise of one strength can be drawn again to learn on from; correlated noise cannot, and what
is more likely texture is taken away in part or not at all. docs/method/auto.md has the ways.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch

from zspot.algorithms.auto.crops import is_large
from zspot.algorithms.auto.evidence import Evidence
from zspot.algorithms.auto.strength import TIMES
from zspot.algorithms.auto.thresholds import THRESHOLDS
from zspot.recipe import (
    Constant,
    Finish,
    Fit,
    NoMask,
    Predict,
    Prior,
    Recipe,
    Recorrupted,
    independent,
)

SIMILAR = {"grey": 0.35, "colour": 0.65}  # weight of the non-local estimate for white noise
GUARD = 1.5  # where more than this many times the usual was removed it was texture
UNEVEN_TIMES = 1.5  # deviation of white noise that changes to that of what the network removed

SEARCH = {
    "fast": {"grey": "coarse", "colour": "coarse"},
    "balanced": {"grey": "usual", "colour": "wide"},
    "large": {"grey": "sparse", "colour": "sparse"},
    "best": {"grey": "wide", "colour": "widest"},
}
"""Where the guided non-local estimate looks, by effort."""

MEDIAN_WINDOW, MEAN_WINDOW = 24.0, 16.0
"""Deviation in pixels of the windows whose median, or mean, of what was removed becomes zero."""

STEPS = {"balanced": 80, "best": 300}  # steps of learning on, at most
CROP, BATCH = 128, 2  # side of the crops that it sees, pixels, and crops a step

# Draws of the noise that is added to noise that the network does not know.
DRAWS = {"fast": 4, "balanced": 8, "large": 4, "best": 16}

EPOCHS = 40  # A small image is seen no more often than this, or its noise is learned


@dataclass(frozen=True)
class Choice:
    """What is run on an image and on what grounds; `auto.explain` says it in words."""

    # What the noise is taken for; "uneven" is white of changing strength.
    # "unknown" is noise that the network does not know.
    route: Literal["white", "uneven", "correlated", "unknown", "doubtful"]
    recipe: Recipe
    evidence: Evidence
    effort: str  # as used: "large" is "balanced" on a large image
    megapixels: float
    times: float = 0.0  # how strong correlated noise was found to be; 0 where it was not tried
    found: str = ""  # of that, or of unknown noise: what was measured, in words

    def after(self, times: float, why: str) -> "Choice":
        """Return the same with the noise as strong as a trial found."""
        recipe = replace(self.recipe, finish=replace(self.recipe.finish, removed=times))
        removed = "what the pretrained estimate removed"
        found = f"taken as {times:g} times as strong as {removed}, for {why}"
        return replace(self, recipe=recipe, times=times, found=found)

    def stabilised(self, channels: int) -> "Choice":
        """Return that for white noise which grows with the brightness as the report measures."""
        recipe = _for_uneven(channels, self.effort)
        finish = replace(recipe.finish, removed=0.0, follows=False)
        return replace(self, route="uneven", recipe=replace(recipe, finish=finish))


def pretrained_estimate(effort: str) -> Recipe:
    """Return the recipe that uses the pretrained network as it is."""
    return Recipe(
        method="auto",
        mask=NoMask(),
        fill=Constant("mean"),
        network=Prior(),
        loss="l2",
        fit=Fit(steps=0, lr=2e-4, schedule="one-cycle"),
        predict=Predict(passes=1, turns=effort not in ("fast", "large")),
    )


def choose(evidence: Evidence, shape: torch.Size, effort: str) -> Choice:
    """Return what to run for this noise in an image of shape (C, H, W)."""
    pixels = shape[1] * shape[2]
    if effort == "balanced" and is_large(pixels):
        effort = "large"
    if evidence.strength == 0 or (evidence.strength < 1 and evidence.is_white):
        finish = Finish(strength=round(evidence.strength, 3))
        route, recipe = "doubtful", replace(pretrained_estimate(effort), finish=finish)
    elif not evidence.is_white:
        route, recipe = "correlated", _for_correlated(evidence, shape[0], effort)
    elif not evidence.is_even:
        route, recipe = "uneven", _for_uneven(shape[0], effort)
    else:
        route, recipe = "white", _for_white(evidence, shape, effort)
    return Choice(route, recipe, evidence, effort, pixels / 1e6)


def made_white(channels: int, effort: str, follows: bool) -> Recipe:
    """Return the recipe for noise that the network does not know.

    `follows`: it grows with the brightness.
    """
    recipe = pretrained_estimate(effort)
    predict = replace(recipe.predict, passes=DRAWS[effort], whiten=True, turns=False)
    finish = replace(_guided(effort, channels, 1.0), follows=follows)
    return replace(recipe, predict=predict, finish=_mean_kept(finish))


def _for_correlated(evidence: Evidence, channels: int, effort: str) -> Recipe:
    """Return the recipe for correlated noise."""
    recipe = pretrained_estimate(effort)
    if not evidence.is_of_camera:
        follows = not evidence.is_even
        finish = replace(_guided(effort, channels, 1.0), follows=follows)
        return replace(recipe, finish=_mean_kept(finish))
    finish = replace(
        _guided(effort, channels, TIMES[0]),
        guard=GUARD,
        points=True,
        centre="median" if channels > 1 else "mean",
        window=MEDIAN_WINDOW if channels > 1 else MEAN_WINDOW,
        shift=1.0 if channels == 1 or evidence.is_weak else 0.5,
        strength=round(evidence.strength, 3),
        scales=2 if channels == 1 and evidence.correlation > THRESHOLDS.coarse else 1,
    )
    if channels == 1 or evidence.is_weak:
        recipe = replace(recipe, predict=replace(recipe.predict, phases=2))
    return replace(recipe, finish=finish)


def _for_uneven(channels: int, effort: str) -> Recipe:
    """Return the recipe for white noise of changing strength."""
    finish = replace(_guided(effort, channels, UNEVEN_TIMES), follows=True)
    return replace(pretrained_estimate(effort), finish=_mean_kept(finish))


def _for_white(evidence: Evidence, shape: torch.Size, effort: str) -> Recipe:
    """Return the recipe for white noise of one strength."""
    channels, height, width = shape
    kind = _kind(channels)
    variance = tuple(level**2 for level in evidence.level)
    noise = independent(variance)
    recipe = pretrained_estimate(effort)
    if kind == "colour":  # in grey the weights for any noise are as good on white noise
        recipe = replace(recipe, network=Prior(noise="white"))
    if effort not in STEPS or not evidence.is_agreed:
        search = SEARCH[effort][kind]
        finish = Finish(similar=1.0, guided=True, noise=noise, search=search)
        return replace(recipe, finish=_mean_kept(finish))
    recipe = replace(recipe, finish=_mean_kept(Finish(similar=SIMILAR[kind], noise=noise)))
    seen = BATCH * min(CROP, height) * min(CROP, width)
    steps = min(STEPS[effort], EPOCHS * height * width // seen)
    fit = replace(recipe.fit, steps=steps, crop=CROP, batch=BATCH)
    target = Recorrupted(variance, (0.0,) * channels, variance)
    return replace(recipe, target=target, fit=fit)


def _mean_kept(finish: Finish) -> Finish:
    """Return the same with the local mean kept: photons are neither lost nor added."""
    return replace(finish, centre="mean", window=MEAN_WINDOW, points=True)


def _guided(effort: str, channels: int, times: float) -> Finish:
    """Return the non-local estimate for noise `times` as strong as what the prediction removed."""
    search = SEARCH[effort][_kind(channels)]
    return Finish(similar=1.0, guided=True, removed=times, search=search)


def _kind(channels: int) -> str:
    return "colour" if channels > 1 else "grey"
