"""The noise of single photons, which is known from their gain."""

from dataclasses import replace

import numpy as np

from zspot.noise.blocks import MAX_LAG, Spectra
from zspot.noise.model import Estimate

_DOUBT = 0.03  # of what is known, relative: counters have dead times


def noise_of_photons(
    spectra: Spectra, black: np.ndarray, gain: np.ndarray
) -> tuple[Estimate, Estimate]:
    """Return the noise above `black` (C,) of photons of this gain (C,), and its uncertainty."""
    level, zero = np.sqrt(gain * -black), np.zeros(len(gain))  # standardised: the mean is 0
    variance = gain[:, None] * np.maximum(spectra.intensity - black, 0).T
    delta, alone = np.pad([[1.0]], MAX_LAG), np.eye(len(gain))
    best = Estimate(level, gain, zero, zero, variance, delta, np.asarray(0.0), alone)
    doubt = {name: _DOUBT * getattr(best, name) for name in ("level", "gain", "variance")}
    doubt |= {"autocorrelation": _DOUBT * (1 - delta), "channel_correlation": _DOUBT * (1 - alone)}
    return best, replace(best, read_noise=_DOUBT * level, **doubt)
