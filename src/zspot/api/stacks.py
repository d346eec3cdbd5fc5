"""Stacks: where their planes are, and planes denoised with the help of those beside them."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from zspot.algorithms.few_photons import bin_side, in_bins
from zspot.api.requests import Common, Settings
from zspot.api.result import Result
from zspot.core.axes import PLANE, Place, channel_axis, stack_axis, without_colours
from zspot.core.errors import ImageError
from zspot.core.plane import cast, channels_first
from zspot.core.progress import Report, within
from zspot.engine import Denoised
from zspot.filters.impulses import without_impulses
from zspot.filters.neighbours import averaged, no_loss
from zspot.recipe import Recipe

_HELPS = 1.05  # planes that are averaged, from which a second result is worth its time

Index = tuple[int, ...]  # of a plane in its stack: a number for each axis that counts planes
Mask = np.ndarray | None  # where a plane is picture; None: everywhere
Load = Callable[[Index], tuple[np.ndarray, Mask]]  # a plane, and where it is picture
# Denoises a plane by a method, None for that of the run, and says how far it is.
Denoise = Callable[[np.ndarray, Recipe | None, Mask, Report | None], Result]


class Neighbours:
    """Denoises planes with the help of up to `count` to each side, along T, else Z, else Q."""

    def __init__(
        self, single: Callable, asked: Settings, axes: str, shape: Sequence[int], load: Load
    ) -> None:
        self._single, self._asked, self._load = single, asked, load
        self._count, self._colours = asked.count, channel_axis(axes)
        names = Common.__annotations__.keys() - {"axes", "neighbours"}  # which are of the stack
        self._shared = {name: getattr(asked, name) for name in names}  # by all planes
        counted = [pair for pair in zip(axes, shape, strict=True) if pair[0] not in PLANE]
        letters, self._sizes = "".join(letter for letter, _ in counted), [n for _, n in counted]
        # of the numbers of an index, that along the stack
        self._at = stack_axis(letters, self._sizes) if self._count else None
        self.has_any = self._at is not None  #: whether planes are beside each other at all
        self._done: OrderedDict[Index, _Alone] = OrderedDict()

    def run(
        self, index: Index, plane: np.ndarray, valid: Mask, report: Report | None, **options: Any
    ) -> Result:
        """Return the result for the plane at an index of the stack; `options` are those of it."""
        asked, at = self._asked, self._at

        def picture(valid: Mask) -> Mask:
            known = [one for one in (options.get("mask"), valid) if one is not None]
            return np.logical_and.reduce(known) if known else None

        def denoise(plane: np.ndarray, recipe: Recipe | None, mask: Mask, tell: Any) -> Result:
            told = {"channel_axis": self._colours, "progress": tell, "mask": mask}
            given = {**self._shared, **options, **told}
            return self._single(plane, recipe or asked.method, **given)

        if at is None:
            return denoise(plane, None, picture(valid), report)
        here = index[at]
        reach = range(max(0, here - self._count), min(self._sizes[at], here + self._count + 1))
        near = [(*index[:at], number, *index[at + 1 :]) for number in reach]
        missing = [one for one in near if one not in self._done]
        for number, one in enumerate(missing):
            values, there = (plane, valid) if one == index else self._load(one)
            alone = denoise(values, None, picture(there), within(report, number, len(missing) + 1))
            self._done[one] = _Alone.of(values, alone, asked.keep_outliers)
        # planes along the later axes come between those that are beside each other
        while len(self._done) > (2 * self._count + 1) * prod(self._sizes[at + 1 :]):
            self._done.popitem(last=False)
        others = [self._done[one] for one in near if one != index]
        told = within(report, len(missing), len(missing) + 1)
        return _helped(self._done[index], others, denoise, told)


def together(image: np.ndarray, axes: str, results: Iterable[tuple[Place, Result]]) -> Result:
    """Return the results of all planes of a stack as one."""
    grey = [n for letter, n in zip(axes, image.shape, strict=True) if letter != "S"]
    whole: Any = {"image": None, "uncertainty": None, "valid": None}
    seconds, result = 0.0, None
    for place, result in results:
        for name in whole:
            part, flat = getattr(result, name), name == "valid"  # which has no colours
            if part is None:
                continue
            if whole[name] is None:
                whole[name] = np.full(grey if flat else image.shape, flat, part.dtype)
            whole[name][without_colours(place, axes) if flat else place] = part
        seconds += result.timings["total"]
    if result is None:
        raise ImageError(f"image is empty (shape {image.shape}): nothing to denoise")
    whole |= {"source": image, "axes": axes, "channel_axis": None, "fitted": None}
    return replace(result, **whole, timings={**result.timings, "total": seconds})


class _Alone(NamedTuple):
    """A plane denoised by itself, and what its mean with others is made of."""

    result: Result
    plane: np.ndarray  # (C, H, W) without outliers
    valid: np.ndarray  # (H, W), where it is picture
    own: np.ndarray  # (H, W), where it holds an outlier to keep

    @classmethod
    def of(cls, values: np.ndarray, result: Result, keep_outliers: bool) -> "_Alone":
        """Repair the outliers of a plane, and mark those to keep."""
        channels = channels_first(values, result.channel_axis)
        none = np.zeros(channels.shape[1:], bool)
        valid = ~none if result.valid is None else result.valid
        if not valid.all():
            fill = np.median(channels[:, valid]) if valid.any() else 0
            channels = np.where(valid, channels, fill)
        mended = without_impulses(channels)[0]
        return cls(result, mended, valid, (mended != channels).any(0) if keep_outliers else none)

    @property
    def estimate(self) -> np.ndarray:
        """The plane denoised by itself, (C, H, W)."""
        return channels_first(self.result.image, self.result.channel_axis)

    def tensors(self, offset: float, scale: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return the plane and its estimate in these units, and where it is picture."""
        pair = (np.where(self.valid, x, offset) for x in (self.plane, self.estimate))
        there, guess = (torch.from_numpy(((x - offset) / scale).astype(np.float32)) for x in pair)
        return there, guess, torch.from_numpy(self.valid)


def _helped(alone: _Alone, others: list[_Alone], denoise: Denoise, report: Report | None) -> Result:
    """Return the result for a plane from its mean with others, where they show the same."""
    first = alone.result
    if (alone.estimate == alone.plane)[:, alone.valid].all():
        return first  # nothing to remove
    picture = alone.estimate[:, alone.valid].astype(np.float64)
    offset, scale = float(picture.mean()), float(picture.std()) or 1.0
    (noisy, estimate, there), *rest = (one.tensors(offset, scale) for one in (alone, *others))
    made = averaged(noisy, estimate, rest)
    if made.planes < _HELPS:
        return _telling(first, "no neighbouring plane shows the same")
    axis, times = first.channel_axis, [first.timings["total"]]
    recipe = _weaker(first.recipe, noisy[:, there], made.plane[:, there], made.planes)
    side = bin_side(noisy, first.method)[0]
    side = max(2, round(side / made.planes**0.5)) if side > 1 else 1

    def again(plane: Tensor, **_: Any) -> Denoised:
        even = plane.numpy().astype(np.float64) * scale + offset
        even = even[0] if axis is None else np.moveaxis(even, 0, axis)
        mask = F.adaptive_max_pool2d(-there[None].float(), plane.shape[1:])[0].numpy() < 0
        second = denoise(even, recipe, mask, report)
        times.append(second.timings["total"])
        values = (channels_first(second.image, axis) - offset) / scale
        return Denoised(torch.from_numpy(values.astype(np.float32)))

    helped = (again(made.plane) if side == 1 else in_bins(again, made.plane, side)).mean
    trusted = made.share * no_loss(noisy, estimate, helped)
    share = np.where(alone.valid & ~alone.own, trusted.numpy(), 0)
    before = np.where(share > 0, alone.estimate, 0).astype(np.float64)
    blend = before + share * (helped.numpy() * scale + offset - before)
    image = np.where(share > 0, cast(blend, first.image.dtype), alone.estimate)
    image = image[0] if axis is None else np.moveaxis(image, 0, axis)
    done = replace(first, image=image, timings={**first.timings, "total": sum(times)})
    why = f"neighbouring planes helped: as little noise as in a mean of {made.planes:.1f}"
    if made.repeated:
        why += f"; {made.repeated:.0%} of the noise repeats from plane to plane"
    return _telling(done, why)


def _telling(result: Result, why: str) -> Result:
    return replace(result, reason=f"{result.reason}; {why}", told=(*result.told, why))


def _weaker(recipe: Recipe | None, plane: Tensor, mean: Tensor, count: float) -> Recipe | None:
    """Return a plane's recipe for a mean, if it was told how strong white noise is: (C, pixels)."""
    if recipe is None or not recipe.finish.noise:
        return None
    ratio = float((plane.var(1).mean() / mean.var(1).mean() / count).sqrt())
    target = recipe.target.in_units(ratio, (0.0,) * round(len(recipe.finish.noise) ** 0.5))
    return replace(recipe, finish=recipe.finish.in_units(ratio), target=target)
