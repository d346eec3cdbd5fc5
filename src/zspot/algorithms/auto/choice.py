"""`auto`: look at the noise, then choose the recipe, and say why.

A first estimate by the warm start leaves a residual that is nearly the noise. Its correlation
between neighbouring pixels decides what can be learned on the image itself:

- White noise can be drawn again. Recorrupting the image with noise of the measured variance gives
  pairs whose noise is independent, from which the network (in colour with weights for white noise
  alone) learns on with every pixel visible.
  A closed-form non-local estimate, which errs differently, is averaged in: it lives off repetition
  in the image and does best in colour, where its groups have three times the numbers.
  Where the noise's strength changes with the signal, the variance measured this way is not good
  enough: on fluorescence micrographs learning on lost more than it gained.
- Correlated noise cannot be drawn again well enough: learning on would teach the network to keep
  what the drawn noise lacks. The warm start has met such noise in training and is used as it is.
  It takes away less than all of it, but what it took has the correlations of the rest: with them
  as the noise, only stronger, a non-local estimate guided by the first removes what is left. How
  much stronger is tried out, see `zspot.algorithms.auto.strength`.
  Such noise comes from cameras, whose tone curve moves the mean of strong noise but not its
  median, so the result is moved to the local median, or half the way where the noise is strong.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import torch

from zspot import engine
from zspot.algorithms.auto.crops import LARGE, spread
from zspot.algorithms.auto.strength import TIMES, how_strong
from zspot.core.progress import Report, looking
from zspot.engine import Denoised
from zspot.engine.denoiser import Denoiser
from zspot.noise.pca_level import white_level
from zspot.noise.residual import detail_correlation, neighbour_correlation, unevenness
from zspot.recipe import Constant, Finish, Fit, NoMask, Predict, Prior, Recipe, Recorrupted
from zspot.recipe.postprocess import independent
from zspot.recipe.targets import noise_deviation

_SIMILAR = {"grey": 0.35, "colour": 0.65}
"""Weight of the non-local estimate where the noise is white and of one strength. Found by
measurement; 0.1 more or less changes the result by 0.02 dB."""

_GUARD = 1.5
"""Where more than this many times the usual was removed it was texture."""

_ONE_STRENGTH = 1.5
"""Noise whose deviation varies by less than this factor over the image is of one strength."""

_AGREED = 0.75
"""The warm start learns on where it removes this share of the variance that white noise is measured
to have. Where it removes less, texture was measured as noise, and it would learn to remove that."""

_WHITE_TIMES = 1.5
"""Deviation of white noise of changing strength to that of what the warm start removed, as the
non-local estimate takes it. Found by measurement; the optimum is broad."""

_SAMPLE = {"fast": 128, "balanced": 256, "best": 256}  # part on which the strength is tried

_SEARCH = {
    "fast": {"grey": "coarse", "colour": "coarse"},
    "balanced": {"grey": "usual", "colour": "wide"},
    "large": {"grey": "sparse", "colour": "sparse"},
    "best": {"grey": "wide", "colour": "widest"},
}

_WEAK = 0.12
"""Correlated colour noise below this share of the image's variance is also treated in phases:
stronger noise needs the whole image to be told from the picture. Where it is strong the local
median is no surer a centre than the mean (on half of SIDD it is worse), so the middle is taken.
PolyU and CC lie below 0.03, all but one of SIDD (which loses 0.2 dB) above 0.14; photographs with
simulated camera noise between 0.05 and 0.11 gain 0.1 to 0.3 dB."""

_FAINT = 0.005
_TEXTURE, _CAMERA = 0.28, 0.36
_EVEN, _UNEVEN = 0.9, 1.05
"""Noise below this share of the image's variance is hard to tell from fine texture and from a
photograph's own grain, unless it has the correlation between neighbours that cameras leave (0.37
to 0.75 on PolyU and CC, but for one of 0.27; on references without noise mostly below 0.28). What a
first estimate removed is then judged by how uneven it is and whether it follows detail, in sum: up
to the first bound noise, from the second texture. Measured on photographs with noise of 0 to 5 of
255 added, see `benchmarks.weak_noise`."""

_ROUGH, _BROKEN = 2.0, 2.6
"""The same for how uneven it is where neighbours correlate as a camera's do: at most 1.96 on PolyU
and CC, 2.4 to 2.8 on blurred photographs without noise."""

WHITE_BELOW = 0.15
"""Noise with less correlation between neighbours than this is taken as white."""

_UNSURE = "so little, so uneven or so close to detail that it may be texture"

_BINS = 16
_LEAST = 1e-12  # variance that keeps divisions finite where nothing was removed
_STEPS = {"balanced": 80, "best": 300}
_CROP, _BATCH = 128, 2
_EPOCHS = 40  # a small image is seen no more often than this, or its noise is learned


@dataclass(frozen=True)
class Evidence:
    """What the residual of a first estimate says of the noise.

    Attributes
    ----------
    correlation : float
        Correlation of the residual between horizontal and vertical neighbours, mean of channels.
    share : float
        Variance of the residual as a share of the image's.
    spread : float
        Largest over smallest deviation of the residual between darker and brighter areas.
    noise : Recorrupted
        The residual's variance as a function of the signal, as noise to draw.
    level : tuple of float
        Standard deviation of each channel's noise: where it is white and of one strength, of the
        directions in which patches vary least; else, and in a small image, of the residual.
    unevenness, structure : float
        Of the residual where it is faint, else 0; see `zspot.noise.residual`.
    agreement : float
        Variance of the residual over that of `level`.
    """

    correlation: float
    share: float
    spread: float
    noise: Recorrupted
    level: tuple[float, ...]
    unevenness: float = 0.0
    structure: float = 0.0
    agreement: float = 1.0

    @property
    def is_faint(self) -> bool:
        """Whether the residual may be texture as well as noise; see `_FAINT`."""
        return self.share < _FAINT

    @property
    def strength(self) -> float:
        """Share of what is removed that is taken as noise, 0 to 1; below 1 only if faint."""
        camera = _share(self.correlation, _TEXTURE, _CAMERA)
        texture = _share(self.unevenness + self.structure, _EVEN, _UNEVEN)
        broken = _share(self.unevenness, _ROUGH, _BROKEN)
        return camera * (1 - broken) + (1 - camera) * (1 - texture)

    @property
    def is_white(self) -> bool:
        """Whether neighbours are hardly correlated; see `WHITE_BELOW`."""
        return self.correlation < WHITE_BELOW

    @property
    def is_even(self) -> bool:
        """Whether the noise is of one strength all over the image."""
        return self.spread <= _ONE_STRENGTH


def examine(noisy: torch.Tensor, estimate: torch.Tensor) -> Evidence:
    """Measure the noise on the residual of an estimate.

    Parameters
    ----------
    noisy, estimate : float tensor (C, H, W)

    Returns
    -------
    Evidence
    """
    residual = noisy - estimate
    lines = [_line(e, r) for e, r in zip(estimate, residual, strict=True)]
    variance, slope, floor = (tuple(part) for part in zip(*lines, strict=True))
    noise = Recorrupted(variance, slope, floor)
    deviation = noise_deviation(noise, estimate)
    darkest_to_brightest = deviation.flatten(1).amax(1) / deviation.flatten(1).amin(1)
    found = Evidence(
        correlation=neighbour_correlation(residual / deviation),
        share=float(residual.square().mean() / noisy.square().mean()),
        spread=float(darkest_to_brightest.max()),
        noise=noise,
        level=tuple(residual.square().mean((1, 2)).sqrt().tolist()),
    )
    if found.is_faint:
        found = replace(
            found,
            unevenness=unevenness(noisy, estimate),
            structure=detail_correlation(noisy, estimate, estimate),
        )
    if found.strength < 1 or not (found.is_white and found.is_even):
        return found  # the level would not be used, and takes as long as a prediction
    level = white_level(noisy) or found.level
    measured = sum(value**2 for value in level) / len(level)
    agreement = float(residual.square().mean()) / max(measured, _LEAST)
    return replace(found, level=level, agreement=agreement)


def warm_start(effort: str) -> Recipe:
    """Return the recipe that uses the warm start as it is."""
    return Recipe(
        method="auto",
        mask=NoMask(),
        fill=Constant("mean"),
        network=Prior(),
        loss="l2",
        fit=Fit(steps=0, lr=2e-4, schedule="one-cycle"),
        predict=Predict(passes=1, turns=effort != "fast"),
    )


def choose(evidence: Evidence, shape: torch.Size, effort: str) -> tuple[Recipe, str]:
    """Return the recipe for this noise in an image of shape (C, H, W), and the reason in words."""
    channels, height, width = shape
    large = effort == "balanced" and height * width > LARGE
    found = (
        f"neighbouring pixels of the noise correlate by {evidence.correlation:.2f} "
        f"and it is {evidence.share:.1%} of the image's variance"
    )
    warm = warm_start(effort)
    if large:
        warm = replace(warm, predict=replace(warm.predict, turns=False))
        effort = "large"
        found += f"; {height * width / 1e6:.0f} megapixels, so no turns and a sparser search"
    if evidence.strength == 0 or (evidence.strength < 1 and evidence.is_white):
        return _for_doubtful(evidence, warm, found)
    if not evidence.is_white:
        return _for_correlated(evidence, warm, channels, effort, found)
    if not evidence.is_even:
        found = f"{found}: white, but of changing strength, so the warm start is used as it is"
        guided = replace(_guided(effort, channels, _WHITE_TIMES), follows=True)
        return replace(warm, finish=guided), f"{found} and guides a non-local estimate"
    return _for_white(evidence, warm, (channels, height, width), effort, found)


def _share(value: float, none: float, whole: float) -> float:
    """Return how far `value` is from `none` to `whole`, 0 to 1."""
    return min(1.0, max(0.0, (value - none) / (whole - none)))


def _kind(channels: int) -> str:
    return "colour" if channels > 1 else "grey"


def _guided(effort: str, channels: int, times: float) -> Finish:
    """Return the non-local estimate for noise `times` as strong as what the prediction removed."""
    return Finish(similar=1.0, guided=True, removed=times, search=_SEARCH[effort][_kind(channels)])


def _for_doubtful(evidence: Evidence, warm: Recipe, found: str) -> tuple[Recipe, str]:
    """Return the recipe for what is more likely texture than noise."""
    left = (
        f"{evidence.strength:.0%} of what the warm start removes is taken away"
        if evidence.strength
        else "the image is left as it is; other methods remove more"
    )
    finish = Finish(strength=round(evidence.strength, 3))
    return replace(warm, finish=finish), f"{found}: {_UNSURE}: {left}"


def _for_correlated(
    evidence: Evidence, warm: Recipe, channels: int, effort: str, found: str
) -> tuple[Recipe, str]:
    """Return the recipe for correlated noise."""
    reason = (
        f"{found}: correlated, so the warm start is used as it is and guides a non-local estimate"
    )
    centre = "median" if channels > 1 else "none"
    weak = evidence.share < _WEAK
    after = replace(
        _guided(effort, channels, TIMES[0]),
        guard=_GUARD,
        centre=centre,
        shift=1.0 if weak else 0.5,
    )
    predict = warm.predict
    if channels == 1 or weak:
        predict = replace(predict, phases=2)
        reason += ", on the whole image and on its 2x2 phases"
    if channels > 1:
        reason += f", moved {'all' if weak else 'half'} the way to the local median"
    if evidence.strength < 1:
        after = replace(after, strength=round(evidence.strength, 3))
        reason += f"; {_UNSURE}: {evidence.strength:.0%} of what is removed is taken away"
    return replace(warm, predict=predict, finish=after), reason


def _for_white(
    evidence: Evidence, warm: Recipe, shape: tuple[int, int, int], effort: str, found: str
) -> tuple[Recipe, str]:
    """Return the recipe for white noise of one strength."""
    channels, height, width = shape
    variance = tuple(level**2 for level in evidence.level)
    kind = _kind(channels)
    if kind == "colour":  # in grey the weights for any noise are as good on white noise
        warm = replace(warm, network=Prior(noise="white"))
    noise = Finish(similar=1.0, guided=True, noise=independent(variance))
    if effort in ("fast", "large"):
        reason = f"{found}: white, so the warm start guides a non-local estimate"
        return replace(warm, finish=replace(noise, search=_SEARCH[effort][kind])), reason
    recipe = replace(warm, finish=replace(noise, similar=_SIMILAR[kind], guided=False))
    seen = _BATCH * min(_CROP, height) * min(_CROP, width)
    steps = min(_STEPS[effort], _EPOCHS * height * width // seen)
    averaged = f"is averaged with a non-local estimate of weight {_SIMILAR[kind]}"
    if evidence.agreement < _AGREED:
        found += f"; {evidence.agreement:.0%} of its measured variance is removed at first"
        return recipe, f"{found}: white, so the warm start {averaged}"
    target = Recorrupted(variance, (0.0,) * channels, variance)
    fit = replace(warm.fit, steps=steps, crop=_CROP, batch=_BATCH)
    reason = f"{found}: white, so the warm start learns on with noise drawn like it and {averaged}"
    return replace(recipe, target=target, fit=fit), reason


def auto(effort: str) -> Denoiser:
    """Return the denoiser that examines an image and runs the recipe chosen for it."""

    def denoiser(
        plane: torch.Tensor,
        *,
        seed: int,
        report: Report | None = None,
        memory: int | None = None,
    ) -> Denoised:
        started = time.perf_counter()
        sample = spread(plane)
        look = looking(report)
        first = engine.run(warm_start("fast"), sample, seed=seed, report=look, memory=memory)
        evidence = examine(sample, first.mean)
        recipe, reason = choose(evidence, plane.shape, effort)
        if recipe.finish.removed > 0 and not evidence.is_white:
            recipe, found = how_strong(recipe, plane, _SAMPLE[effort], look)
            reason = f"{reason}; {found}"
        looked = time.perf_counter() - started
        done = engine.run(recipe, plane, seed=seed, report=report, memory=memory)
        return replace(done.explained(reason), timings={"look": looked, **done.timings})

    return denoiser


def _line(signal: torch.Tensor, residual: torch.Tensor) -> tuple[float, float, float]:
    """Fit variance = a + b * signal over bins of equal count; also return the smallest variance."""
    order = signal.flatten().argsort()
    count = order.numel() // _BINS * _BINS
    if count == 0:
        power = float(residual.square().mean())
        return power, 0.0, max(power, _LEAST)
    means = signal.flatten()[order[:count]].view(_BINS, -1).mean(1).double()
    powers = residual.flatten()[order[:count]].view(_BINS, -1).square().mean(1).double()
    centred = means - means.mean()
    slope = float((centred * powers).sum() / centred.square().sum().clamp(min=1e-12))
    return (
        float(powers.mean()) - slope * float(means.mean()),
        slope,
        max(float(powers.min()), _LEAST),
    )
