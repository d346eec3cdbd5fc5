"""Whether a result can be trusted, from image and result: a good one took only noise away."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from zspot.api.preparation import prepare
from zspot.core.errors import ImageError
from zspot.core.plane import Plane, as_array
from zspot.noise import NoiseReport, analyze_noise
from zspot.noise.residual import detail_correlation, neighbour_correlation, shared_detail
from zspot.noise.words import briefly

if TYPE_CHECKING:
    from zspot.api.result import Result

# Up to the first, what was removed leaves detail alone; from the second it follows it.
STRUCTURE = (0.28, 0.4)
# Least and most of the noise's strength (and two uncertainties) that a good result removes.
REMOVED = (0.5, 1.6)
COARSER = 0.12  # by how much more neighbours may be correlated in what was removed than in noise
# Bounds of `shared_detail`: below, something was invented, above, noise was kept.
SHARED = (-0.1, 0.7)
EVEN = 0.5  # of it, from which noise kept in flat parts makes the removal follow detail
SHIFTED = 0.25  # mean and median of what was removed from a channel, relative to its strength
_WINDOW_AREA = 4 * math.pi * 4.0**2  # pixels that a window of `noise.residual` averages over
# What can be found: the verdict, and its sentence of at most 11 words.
_SAID = {
    "nothing": ("unknown", "Nothing was removed."),
    "unknown": ("unknown", "What was removed cannot be judged: compare by eye."),
    "lost": ("poor", "Removed, and real detail with it: lower the strength."),
    "shifted": ("check", "Removed; colours or brightness moved: compare before you measure."),
    "invented": ("check", "Removed; fine structure in the result may be invented."),
    "left": ("check", "Partly removed; what was removed did no harm."),
    "detail": ("check", "Removed; compare fine detail before you rely on it."),
    "coarse": ("check", "Removed more coarsely than the noise is: compare fine detail."),
    "good": ("good", "Removed; what was removed looks like noise."),
}


@dataclass(frozen=True)
class Trust:
    """How far a result can be trusted."""

    verdict: str  #: "good", "check", "poor" or "unknown"
    sentence: str  #: the verdict for a reader who knows nothing of the method
    summary: str  #: the noise, its strength and `sentence`, in at most 25 words
    #: of neighbouring pixels in what was removed, -1 to 1; mean of down, across and channels
    correlation: float
    noise_correlation: float  #: the same of the noise according to the noise report
    #: Correlation of the local strength of what was removed with the detail of the result, -1 to 1;
    #: see `zspot.noise.residual`. Around 0 or below if only noise was removed.
    structure: float
    removed_level: float  #: root mean square of what was removed, image units
    noise_level: float  #: of the noise according to the noise report, image units
    #: correlation of fine detail in the result with that in what was removed, where the picture is
    #: flattest, -1 to 1
    shared: float = 0.0
    #: mean or median of what was removed, whichever is smaller, relative to `removed_level`, of the
    #: channel where it is largest
    shift: float = 0.0


def assess(result: "Result") -> Trust:
    """Judge a result of `zspot.run`. ImageError: if the result does not hold its input."""
    if result.source is None:
        raise ImageError("this result does not hold its input: nothing to judge it by")
    axis, mask = result.channel_axis, result.valid
    return assess_images(result.source, result.image, channel_axis=axis, mask=mask)


def assess_images(
    noisy: np.ndarray,
    denoised: np.ndarray,
    *,
    channel_axis: int | None = None,
    noise: NoiseReport | None = None,
    mask: np.ndarray | None = None,
) -> Trust:
    """Judge a denoised image, whatever made it.

    Parameters
    ----------
    noisy, denoised : ndarray (H, W), or 3-D with `channel_axis`
    channel_axis : int or None
    noise : NoiseReport or None
        Of `noisy`, if it is at hand; measured otherwise.
    mask : bool ndarray (H, W) or None
        Pixels that are False carry no picture and are not judged.

    Raises
    ------
    ImageError
        If the images cannot be analysed.
    """
    noisy, mask = as_array(noisy), None if mask is None else np.asarray(mask) != 0
    ready = prepare(noisy, channel_axis, mask=mask, level_rows=True)
    plane = Plane.of(ready.image)
    noise = noise if noise is not None else analyze_noise(plane.image, channel_axis=0)
    result = ready.like(as_array(denoised))
    if not np.isfinite(result).all():
        raise ImageError("the denoised image has NaN or infinite values where the image has none")
    found, chance = _removed(plane, result)
    strength = doubt = 0.0
    if found["removed_level"] and np.isfinite(noise.level_uncertainty).all():
        levels = noise.level[plane.varying], noise.level_uncertainty[plane.varying]
        strength, doubt = (float(np.sqrt(np.mean(np.square(values)))) for values in levels)
    verdict, sentence = _judge(found, chance, strength, doubt, noise.lag_one)
    summary = f"{briefly(noise, noisy.dtype)}. {sentence}"
    known = {"noise_correlation": noise.lag_one, "noise_level": strength}
    return Trust(verdict, sentence, summary, **known, **found)


def _removed(plane: Plane, denoised: np.ndarray) -> tuple[dict[str, float], float]:
    """Measure what was removed, as fields of `Trust`, and what `structure` is by chance alone."""
    before = torch.from_numpy(plane.values[plane.varying])
    values = (denoised.astype(np.float64) - plane.offset[:, None, None]) / plane.scale
    estimate = torch.from_numpy(values.astype(np.float32)[plane.varying])
    removed = before - estimate
    level = float(removed.square().mean().sqrt()) if removed.numel() else 0.0
    if level == 0:
        names = ("removed_level", "correlation", "structure", "shared", "shift")
        return dict.fromkeys(names, 0.0), 0.0
    own = removed.square().mean((1, 2)).sqrt().clamp(min=1e-12)
    middle = torch.minimum(removed.mean((1, 2)).abs(), removed.flatten(1).median(1).values.abs())
    deviation = removed.std((1, 2), correction=0, keepdim=True).clamp(min=1e-12)
    found = {
        "removed_level": level * plane.scale,
        "correlation": neighbour_correlation(removed / deviation),
        "structure": detail_correlation(before, estimate, estimate),
        "shared": shared_detail(before, estimate),
        "shift": float((middle / own).max()),
    }
    return found, math.sqrt(_WINDOW_AREA / before[0].numel())  # a small image has few windows


def _judge(
    removed: dict[str, float], chance: float, noise: float, doubt: float, lag: float
) -> tuple[str, str]:
    """Return one of the `_SAID`; `noise` is the level by the report, 0 if not known."""
    level, structure = removed["removed_level"], removed["structure"] - chance
    too_much = level > REMOVED[1] * (noise + 2 * doubt)
    coarser = removed["correlation"] - lag
    follows = structure > STRUCTURE[1] and removed["shared"] < EVEN
    lost = follows or (too_much and (coarser > COARSER or structure > STRUCTURE[0]))
    found = {
        "nothing": level == 0, "unknown": noise == 0, "lost": lost,
        "shifted": removed["shift"] > SHIFTED, "invented": removed["shared"] < SHARED[0],
        "left": level < REMOVED[0] * noise or removed["shared"] > SHARED[1],
        "detail": structure > STRUCTURE[0] or too_much, "coarse": coarser > COARSER,
    }  # fmt: skip
    return _SAID[next((what for what, is_so in found.items() if is_so), "good")]
