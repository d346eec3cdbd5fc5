"""Noise that the pretrained network does not know, told from texture by a trial on a part."""

from torch import Tensor

from zspot.algorithms.auto import thresholds
from zspot.algorithms.auto.choice import Choice, choose, made_white
from zspot.algorithms.auto.crops import samples
from zspot.core.progress import Report
from zspot.engine import run
from zspot.noise.residual import coherence, detail_correlation, unevenness
from zspot.noise.whitening import Measured
from zspot.recipe import Recipe

_TRIED = 256  # side of the part, pixels


def usual_way(choice: Choice, part: Tensor) -> Recipe:
    """Return the recipe of a choice for a part (C, H, W) of its image, at effort fast."""
    usual = choose(choice.evidence, part.shape, "fast")
    return (usual.after(choice.times, choice.found) if choice.times else usual).recipe


def measures(
    choice: Choice, plane: Tensor, noise: Measured, report: Report | None = None
) -> dict[str, float]:
    """Return what tells whether more is noise: what is removed of (C, H, W) if it is made white."""
    part = samples(plane, _TRIED)[0]
    other = run(made_white(len(plane), "fast", noise.grows), part, report=report).mean
    more = run(usual_way(choice, part), part, report=report).mean - other
    return {
        "share": float(more.square().mean()) / noise.variance,
        "unevenness": unevenness(other + more, other),
        "coherence": coherence(more),
        "along detail": detail_correlation(other + more, other, other),
        "coarser": noise.lag_one - choice.evidence.correlation,
        "variance": noise.variance,
    }


def is_noise(is_faint: bool, more: dict[str, float]) -> bool:
    """Say whether `more`, its `measures`, is noise; `is_faint`: hardly any was removed at first."""
    coherent, even = more["coherence"], more["unevenness"] < more["share"]
    if even and coherent < thresholds.DIRECTED:
        return True
    alike = more["coarser"] < thresholds.COARSER
    clear = more["variance"] > thresholds.MOST or coherent > thresholds.ALL_DIRECTED
    return not is_faint and more["along detail"] <= thresholds.FOLLOWS and (alike or clear)
