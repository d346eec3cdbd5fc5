"""The noise report for a reader who knows nothing of noise statistics."""

import numpy as np

from zspot.core.errors import plainly
from zspot.noise.report import NoiseReport, rms

_STRENGTHS = ((0.01, "weak"), (0.04, "moderate"), (0.1, "strong"))
_CLIPPED = 0.001  # share of pixels from which it is worth a word


def briefly(report: NoiseReport, dtype: np.dtype) -> str:
    """Return grain, dependence on brightness and strength, in at most 14 words, without a stop."""
    if not np.isfinite(report.level_uncertainty).all():
        return "Too small to measure its noise"
    if not report.level.any():
        return "No noise found"
    grain = "Fine noise" if report.is_white else "Coarse noise"
    bright = ", more in bright parts" if report.grows else ""
    level, share = plainly(rms(report.level), 2), plainly(100 * rms(report.level_fraction), 2)
    unit = f"{level} of 255" if dtype == np.uint8 else f"{level}, {share} % of the range"
    return f"{grain}{bright}, {_strength(report)} ({unit})"


def explain(report: NoiseReport) -> list[str]:
    """Return the report in plain sentences, the most important first."""
    if not report.level.any() and not report.level_uncertainty.any():
        return ["There is no noise: nothing varies in the picture.", *report.notes]
    if not np.isfinite(report.level_uncertainty).all():
        return ["The image is too small to measure its noise.", *report.notes]
    bright = "It is about as strong in dark parts as in bright ones."
    if report.grows:
        bright = "Bright parts are noisier than dark ones, as when light is counted."
    grain = "Its grain is one pixel: neighbouring pixels have nothing to do with each other."
    if not report.is_white:
        away = f"{report.correlation_length:.0f}"
        shared = f"neighbours share their noise (correlation {report.lag_one:.2f})"
        grain = f"Its grain is coarser than a pixel: {shared}, up to {away} pixel"
        grain += f"{'s' * (away != '1')} away. Cameras that compute colours or compress, and"
        grain += " scanning detectors, do this."
    level, doubt = plainly(rms(report.level), 3), plainly(rms(report.level_uncertainty), 1)
    off = f"{level} ± {doubt}, {plainly(100 * rms(report.level_fraction), 2)} % of the way"
    strong = f"The noise is {_strength(report)}: a typical pixel is off by {off}"
    words = [f"{strong} from the darkest to the brightest pixel.", bright, grain]
    if report.between is not None:
        shared = "The colours share part of their noise."
        words.append(shared if report.between > 0.2 else "Each colour has noise of its own.")
    for clipped, where in ((report.clipped_low, "darkest"), (report.clipped_high, "brightest")):
        share = float(clipped.max())
        if share > _CLIPPED:
            cut = f"{100 * share:.1f} % of the pixels are cut off at the {where} value"
            words.append(f"{cut}: what was there is lost.")
    return [*words, *report.notes]


def _strength(report: NoiseReport) -> str:
    share = rms(report.level_fraction)
    return next((name for limit, name in _STRENGTHS if share < limit), "very strong")
