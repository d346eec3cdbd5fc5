"""Images in which single photons are seen: variance is the mean above black times a gain."""

import numpy as np
from scipy.ndimage import uniform_filter

_SIDE = 8  # of the blocks whose variance is compared with their mean, pixels
_LIT, _MANY = 0.97, 30.0  # share of pixels that are not black, photons of a usual one: at most
_FEW = 2.0  # photons in a pixel up to which what a scene shows hardly counts beside their noise
_ENOUGH, _BLOCKS = 30, 16  # photons in such blocks, and blocks, to know
_LEAST, _MOST, _ALIKE = 0.85, 1.1, 1.2  # variance over mean: of counts, of pulses
_BRIGHT = 0.55  # likewise where it is bright: cameras have less noise there; 0.3 less of one block
_WHITE = (0.8, 1.25)  # variance of pixels two apart to that of neighbours
_CHANCE = 0.7  # in all that, of one block; likewise of eight photons
_CLASSES, _CALM = 4, 0.33  # of brightness; quantile of them that is hardly of the scene


def photon_gain(channel: np.ndarray) -> float:
    """Return variance over mean above black in a channel (H, W) of single photons; 0 for others."""
    height, width = (size // _SIDE for size in channel.shape)
    channel = channel[: height * _SIDE, : width * _SIDE]
    if not (channel.size and 0 < (channel > channel.min()).mean() <= _LIT):
        return 0.0
    above = channel.astype(np.float64)
    above /= (largest := np.abs(above).max())  # keeps the squares of extreme values finite
    above -= above.min()
    blocks = above.reshape(height, _SIDE, width, _SIDE)
    own = blocks.mean((1, 3))
    # Blocks are classed by those around them: by their own pulses they would differ by chance.
    around, mean = ((9 * uniform_filter(own, 3) - own) / 8).ravel(), own.ravel()
    near, far = _variance(blocks, 1), _variance(blocks, 2)
    some = around <= np.median(around[mean > 0])
    gain = near[some].sum() / mean[some].sum()
    dark = around <= _FEW * gain
    photons = mean[dark].sum() * _SIDE**2 / max(gain, 1e-300)
    if not photons > _ENOUGH:
        return 0.0
    classes = [one for one in _classes(around, dark) if mean[one].any()]
    ratios = [near[one].sum() / mean[one].sum() for one in classes]
    apart = [far[one].sum() / max(near[one].sum(), 1e-300) for one in classes]
    chance = _CHANCE * (_CLASSES * (1 / dark.sum() + 8 / photons)) ** 0.5
    gain = np.quantile(ratios, _CALM)
    unit = above[above > 0].min()
    if gain < (_MOST + chance) * unit and np.allclose(above / unit, np.rint(above / unit), 0, 0.05):
        gain = unit
    elif (
        np.quantile(ratios, 1 - _CALM) > (_ALIKE + chance) * gain
        or not _WHITE[0] - chance < np.quantile(apart, _CALM) < _WHITE[1] + chance
        or dark.sum() < _BLOCKS
    ):
        return 0.0
    known = min(ratios) > (_LEAST - chance) * gain and above.mean() < _MANY * gain
    for one in _classes(around, (around > _FEW * gain) & (mean > 0)):
        known &= np.median(near[one] / mean[one]) > (_BRIGHT - 0.3 / len(one) ** 0.5) * gain
    return float(gain * largest) if known else 0.0


def _variance(blocks: np.ndarray, apart: int) -> np.ndarray:
    """Return the variance in blocks by mixed differences, out of which slopes of a scene drop."""
    rows = blocks[:, apart:] - blocks[:, :-apart]
    return np.square(rows[..., apart:] - rows[..., :-apart]).mean((1, 3)).ravel() / 4


def _classes(brightness: np.ndarray, which: np.ndarray) -> list[np.ndarray]:
    """Return the numbers of blocks, those of similar brightness together."""
    order = np.flatnonzero(which)
    return [o for o in np.array_split(order[np.argsort(brightness[order])], _CLASSES) if len(o)]
