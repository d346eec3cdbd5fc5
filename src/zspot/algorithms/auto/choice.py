"""What `auto` runs on an image, by the noise it finds; docs/method/auto.md has the ways."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from zspot.algorithms.auto import crops, thresholds
from zspot.algorithms.auto.evidence import Evidence
from zspot.recipe import Constant, Finish, Fit, Noisy, NoMask, Predict, Prior, Recipe, Recorrupted
from zspot.recipe.postprocess import independent

SIMILAR = {"grey": 0.5, "colour": 0.8}  # weight of the non-local estimate for white noise
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

# The local mean is kept: photons are neither lost nor added.
_USUAL: dict[str, Any] = {"similar": 1.0, "centre": "mean", "window": MEAN_WINDOW, "points": True}

STEPS = {"balanced": 40, "best": 300}  # steps of learning on, at most
RATES = {"balanced": 2.5e-4, "best": 2e-4}
CROP, BATCH = 128, 2  # side of the crops that it sees, pixels, and crops a step
# Draws of the noise that is added to noise that the network does not know.
DRAWS = {"fast": 4, "balanced": 8, "large": 4, "best": 16}
EPOCHS = 40  # A small image is seen no more often than this, or its noise is learned


@dataclass(frozen=True)
class Choice:
    """What is run on an image and on what grounds; `auto.explain` says it in words."""

    # What the noise is taken for: "uneven" is white of changing strength, "unknown" to the network.
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

    def whitened(self, channels: int, follows: bool, share: float) -> "Choice":
        """Return that for noise that the network does not know; `follows`: bright has more."""
        found = f"what that removes in addition is {share:.0%} of the noise that is measured"
        recipe = made_white(channels, self.effort, follows)
        return replace(self, route="unknown", recipe=recipe, times=0.0, found=found)

    def stabilised(self, channels: int) -> "Choice":
        """Return that for white noise which grows with the brightness as the report measures."""
        recipe = _for_uneven(channels, self.effort)
        finish = replace(recipe.finish, removed=0.0, follows=False)
        return replace(self, route="uneven", recipe=replace(recipe, finish=finish))


def pretrained_estimate(effort: str) -> Recipe:
    """Return the recipe that uses the pretrained network as it is."""
    parts = NoMask(), Constant("mean"), Noisy(), Prior()
    fit = Fit(steps=0, lr=2e-4, schedule="one-cycle")
    predict = Predict(passes=1, turns=1 if effort in ("fast", "large") else 8)
    return Recipe("auto", *parts, loss="l2", fit=fit, predict=predict)


def choose(evidence: Evidence, shape: torch.Size, effort: str, white: bool = False) -> Choice:
    """Return what to run in an image of shape (C, H, W) for this noise, `white` if that is told."""
    pixels = shape[1] * shape[2]
    if effort == "balanced" and pixels > crops.LARGE:
        effort = "large"
    if white or (evidence.strength >= 1 and evidence.is_white and evidence.is_even):
        route, recipe = "white", _for_white(evidence, shape, effort)
    elif evidence.strength == 0 or (evidence.strength < 1 and evidence.is_white):
        finish = Finish(strength=round(evidence.strength, 3))
        route, recipe = "doubtful", replace(pretrained_estimate(effort), finish=finish)
    elif not evidence.is_white:
        route, recipe = "correlated", _for_correlated(evidence, shape[0], effort)
    else:
        route, recipe = "uneven", _for_uneven(shape[0], effort)
    return Choice(route, recipe, evidence, effort, pixels / 1e6)


def made_white(channels: int, effort: str, follows: bool) -> Recipe:
    """Return the recipe for noise that the network does not know; `follows`: bright has more."""
    recipe = pretrained_estimate(effort)
    predict = replace(recipe.predict, passes=DRAWS[effort], whiten=True, turns=1)
    finish = _guided(effort, channels, removed=1.0, follows=follows)
    return replace(recipe, predict=predict, finish=finish)


def _pilot(channels: int, effort: str) -> Recipe:
    """Return the recipe of what guides the non-local estimate: in grey a rougher one does."""
    recipe = pretrained_estimate(effort)
    turns = recipe.predict.turns if channels > 1 else min(4, recipe.predict.turns)
    return replace(recipe, predict=replace(recipe.predict, turns=turns))


def _for_correlated(evidence: Evidence, channels: int, effort: str) -> Recipe:
    recipe = _pilot(channels, effort)
    if not evidence.is_of_camera:
        finish = _guided(effort, channels, removed=1.0, follows=not evidence.is_even)
        return replace(recipe, finish=finish)
    # Grey, or little noise as in good light.
    gentle = kind_of_noise(channels, evidence.share) != "strong colour"
    more: dict[str, Any] = {"removed": 1.0, "guard": GUARD, "shift": 1.0 if gentle else 0.5}
    if channels > 1:
        more |= {"centre": "median", "window": MEDIAN_WINDOW}
    elif evidence.correlation > thresholds.COARSE:
        more["scales"] = 2
    finish = _guided(effort, channels, strength=round(evidence.strength, 3), **more)
    if gentle:
        recipe = replace(recipe, predict=replace(recipe.predict, phases=2))
    return replace(recipe, finish=finish)


def _for_uneven(channels: int, effort: str) -> Recipe:
    finish = _guided(effort, channels, removed=UNEVEN_TIMES, follows=True)
    return replace(_pilot(channels, effort), finish=finish)


def _for_white(evidence: Evidence, shape: torch.Size, effort: str) -> Recipe:
    channels, height, width = shape
    variance = tuple(level**2 for level in evidence.level)
    noise = independent(variance)
    network = Prior(noise="white")
    recipe = replace(pretrained_estimate(effort), network=network)
    if effort not in STEPS or not evidence.is_agreed:
        return replace(recipe, finish=_guided(effort, channels, noise=noise))
    finish = _guided(effort, channels, similar=SIMILAR[kind(channels)], noise=noise)
    seen = BATCH * min(CROP, height) * min(CROP, width)
    steps = min(STEPS[effort], EPOCHS * height * width // seen)
    if effort == "balanced":
        network = replace(network, frozen="encoder")
    fit = replace(recipe.fit, lr=RATES[effort], steps=steps, crop=CROP, batch=BATCH)
    target = Recorrupted(variance, (0.0,) * channels, variance)
    return replace(recipe, network=network, target=target, fit=fit, finish=finish)


def _guided(effort: str, channels: int, **more: Any) -> Finish:
    """Return the non-local estimate that the prediction guides, with what `more` says of it."""
    return Finish(guided=True, search=SEARCH[effort][kind(channels)], **(_USUAL | more))


def kind(channels: int) -> str:
    """Return whether so many channels are "grey" or "colour", the keys of tables of settings."""
    return "colour" if channels > 1 else "grey"


def kind_of_noise(channels: int, share: float) -> str:
    """Return the kind of correlated noise of this share of the variance, by channels."""
    strong = channels > 1 and share >= thresholds.WEAK
    return "strong colour" if strong else kind(channels)
