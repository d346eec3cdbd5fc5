"""One fit for many planes of like noise: begin with the recipe and weights of another plane."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from zspot.core.errors import OptionError
from zspot.core.plane import Plane
from zspot.engine.denoiser import Denoised, Weights
from zspot.noise.pca_level import white_level
from zspot.recipe import Recipe

Shape = tuple[int, ...]
Units = tuple[float, Sequence[float]]  # scale of standardised intensities, offset of each channel
Asked = tuple[str | Recipe, str | None]  # method or recipe and effort; a recipe has none

SHARE = 0.25  # of the steps, which a plane learns on from the weights of another (docs/tuning.md)
RATE = 0.3  # peak learning rate of these steps to that of a fit from the start; see docs/tuning.md
_ALIKE = 1.25  # times as strong, or as weak, up to which white noise is taken as the same


@dataclass(frozen=True)
class Fitted:
    """What was fitted to a plane, for `zspot.run` to start from with another one."""

    asked: Asked  # the method or recipe and the effort that were asked for
    shape: Shape  # of the image
    channel_axis: int | None  # counted from the front
    recipe: Recipe  # that ran, with all steps of a fit from the start, for the plane's intensities
    weights: Weights | None = field(repr=False)  # None where nothing was learned
    scale: float  # intensities of the image for one standardised intensity
    offset: tuple[float, ...]  # those at the standardised intensity 0, of the channels that vary
    varying: tuple[bool, ...]  # which channels are not constant


@dataclass(frozen=True)
class Start:
    """Where the fit of a plane begins."""

    reason: str  # in words
    recipe: Recipe | None = None  # to run from the weights; None to fit afresh
    whole: Recipe | None = None  # the same with all the steps of a fit from the start
    weights: Weights | None = None  # none where the recipe learns nothing


def check_neighbour(fitted: Fitted, asked: Asked, shape: Sequence[int], axis: int | None) -> None:
    """Refuse a fit that was made by another method or for planes of another form."""
    if fitted.asked != asked:
        method, effort = fitted.asked
        maker = f"method {method}, effort {effort}"
        if isinstance(method, Recipe):
            maker = f"a recipe of method {method.method}"
        raise OptionError(f"after was made by {maker}: ask for the same, or leave out after")
    if (fitted.shape, fitted.channel_axis) != (tuple(shape), axis):
        other = f"a plane of shape {fitted.shape} (channel axis {fitted.channel_axis})"
        what = f"after is of {other} and this one has {tuple(shape)} ({axis})"
        raise OptionError(f"{what}: only planes of one shape share a fit")


def begin(fitted: Fitted | None, plane: Plane) -> Start:
    """Return where the fit of a plane begins."""
    if fitted is None:
        return Start("there is no fit to start from: fitted afresh")
    if fitted.varying != tuple(plane.varying.tolist()):
        return Start("other channels are constant than in the plane to start from: fitted afresh")
    units = plane.scale, plane.offset[plane.varying].tolist()
    whole = in_units(fitted.recipe, (fitted.scale, fitted.offset), units)
    noise = whole.finish.noise[:: len(units[1]) + 1] if isinstance(fitted.asked[0], str) else ()
    level = white_level(torch.from_numpy(plane.varying_values)) if noise else None
    times = (sum(x**2 for x in level) / sum(noise)) ** 0.5 if level else 1.0
    if not 1 / _ALIKE < times < _ALIKE:
        return Start(f"white noise measures {times:.1f} times the first plane's: fitted afresh")
    fit = whole.fit.shortened(SHARE, RATE)
    recipe = replace(whole, target=whole.target.shortened(SHARE), fit=fit) if fit.steps else whole
    reason = "takes the recipe chosen for another plane; nothing is learned"
    if fitted.weights is not None:
        reason = "starts from the recipe and the weights of another plane and learns on for"
        reason += f" {recipe.fit.steps} of {whole.fit.steps} steps"
    return Start(reason, recipe, whole, fitted.weights)


def fitted_to(
    plane: Plane, done: Denoised, start: Start | None, asked: Asked, shape: Shape, axis: int | None
) -> Fitted | None:
    """Return what can be shared of a fit that began at `start`; None if no recipe ran that can."""
    recipe = start.whole if start is not None and start.whole is not None else done.recipe
    if recipe is None or recipe.fill.replaces_image:
        return None
    offset, varying = tuple(plane.offset[plane.varying].tolist()), tuple(plane.varying.tolist())
    return Fitted(asked, shape, axis, recipe, done.weights, plane.scale, offset, varying)


def in_units(recipe: Recipe, old: Units, new: Units) -> Recipe:
    """Return the recipe for intensities that are standardised with a `new` scale and offset."""
    ratio = old[0] / new[0]
    moved = [(b - a) / old[0] for a, b in zip(old[1], new[1], strict=True)]
    target = recipe.target.in_units(ratio, moved)
    return replace(recipe, target=target, finish=recipe.finish.in_units(ratio))
