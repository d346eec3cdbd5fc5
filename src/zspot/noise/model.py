"""From the power spectra of flat blocks to level, signal dependence and correlations."""

from dataclasses import dataclass, fields, replace

import numpy as np

from zspot.noise.blocks import FREQUENCY, GROUPS, MAX_LAG, Blocks, Spectra, lag_operator, measure

Cut = tuple[int, float]  # lowest trusted frequency and ridge of `lag_operator`
_CUT, _BOLD, _TIMID = (5, 0.05), (4, 0.03), (9, 0.1)
"""It extrapolates correlations to low frequencies, where signal hides noise; the distance of the
two others is a part of its doubt."""
_CROSS = (5, 0.01)  # of the correlation between channels
_DRAWS = 40  # bootstrap draws
_EXCESS = 2.0  # times the fitted line: a bin of more variance than that counts as texture
_CORRELATED = 0.1  # autocorrelation above which a lag belongs to the correlation length
_HEARD = 0.2  # of the noisiest channel's level, below which a channel's correlations count less
_EDGES = (5, 9, 13, 18, 25, 34, 45, 60)  # of the bands of frequencies
_BANDS = [np.digitize(FREQUENCY, _EDGES) == k for k in range(1, len(_EDGES) + 1)]
_REST = 2.0  # texture in the flattest blocks over its growth to the next flattest
_GROWTH_VARIANCE = 8 / 3
"""Variance of growth over power by chance, for one coefficient of one block and one of the three
in the next class: 2 (1 + 1/3). Growth within one standard deviation is not believed."""
_RELATIVE = {"level": 0.2, "gain": 0.4, "read_noise": 0.2, "variance": 0.4}
_ABSOLUTE = {"start": 0.0, "autocorrelation": 0.1}
_ABSOLUTE |= {"correlation_length": 0.5, "channel_correlation": 0.1}
"""Doubt per doubling of a usual block's energy over a chosen one's."""
_FLOOR = {"level": 0.03, "gain": 0.06, "read_noise": 0.03, "variance": 0.06}
"""Doubt that is left where all is flat: real noise differs between flat and textured areas."""


@dataclass(frozen=True)
class Estimate:
    """Everything that follows from one set of spectra, in standardised intensities."""

    level: np.ndarray  # (C,)
    gain: np.ndarray  # (C,), variance per intensity
    read_noise: np.ndarray  # (C,), standard deviation up to `start`
    start: np.ndarray  # (C,), how far above the lowest intensity the noise begins to grow
    variance: np.ndarray  # (C, B), level function at the spectra's intensities
    autocorrelation: np.ndarray  # (9, 9)
    correlation_length: np.ndarray  # ()
    channel_correlation: np.ndarray  # (C, C)

    def among(self, live: np.ndarray, channels: int, itself: float) -> "Estimate":
        """Return that of all `channels`: no noise but in the `live`, `itself` in the diagonal."""
        names = ("level", "gain", "read_noise", "start", "variance")
        wide = {name: spread(getattr(self, name), live, channels) for name in names}
        between = itself * np.eye(channels)
        between[np.ix_(live, live)] = self.channel_correlation
        return replace(self, **wide, channel_correlation=between)


_NAMES = [f.name for f in fields(Estimate)]


def spread(values: np.ndarray, live: np.ndarray, channels: int) -> np.ndarray:
    """Put `values` of the `live` channels among zeros, (channels, ...)."""
    out = np.zeros((channels, *values.shape[1:]))
    out[live] = values
    return out


def spectra_of(blocks: Blocks) -> Spectra:
    """Measure twice: the second time against the noise that the first time found."""
    first = measure(blocks, np.ones((1, 1, 64), np.float32))
    power = np.maximum(np.einsum("bccf->bcf", first.mean()[0]), 0)
    pooled = np.einsum("b,bcf->cf", first.weight, power)
    floor = 0.05 * pooled[:, 1:].mean(axis=1, keepdims=True) + 1e-12
    shape = np.maximum(pooled, floor) / np.maximum(pooled[:, 1:].mean(axis=1), 1e-12)[:, None]
    total = power[..., 1:].mean(axis=2)
    local = np.empty_like(blocks.mean)
    for c in range(local.shape[1]):
        order = np.argsort(first.intensity[:, c])
        local[:, c] = np.interp(blocks.mean[:, c], first.intensity[order, c], total[order, c])
    local = np.maximum(local, floor[:, 0])
    return measure(blocks, local[:, :, None] * shape.astype(np.float32))


def estimate(spectra: Spectra, black: np.ndarray) -> tuple[Estimate, Estimate]:
    """Return the estimate and its standard deviation; read noise is that at `black` (C,)."""
    power = spectra.mean()
    best = _solve(spectra, power, black, _CUT)
    bold, timid = (_solve(spectra, power, black, cut) for cut in (_BOLD, _TIMID))
    raw = _solve(spectra, power, black, _CUT, rest=0.0)
    draws = _bootstrap(spectra, black)
    doubt = {}
    for name in _NAMES:
        value, one, two, three = (getattr(e, name) for e in (best, bold, timid, raw))
        scatter = np.stack([getattr(d, name) for d in draws]).std(axis=0) if draws else np.inf
        # Bootstrap, extrapolation to low frequencies, and half of what removing texture changed.
        doubt[name] = np.sqrt(scatter**2 + ((one - two) / 2) ** 2 + ((value - three) / 2) ** 2)
    return best, _with_texture(best, Estimate(**doubt), spectra)


def _bootstrap(spectra: Spectra, black: np.ndarray) -> list[Estimate]:
    """Estimate from groups of tiles drawn with replacement; nothing where there is one group."""
    rng = np.random.default_rng(0)
    present = np.flatnonzero(spectra.count[0].sum(axis=(1, 2)) > 0)
    draws = []
    for _ in range(_DRAWS if len(present) > 1 else 0):
        drawn = np.bincount(rng.choice(present, len(present)), minlength=GROUPS)
        draws.append(_solve(spectra, spectra.mean(drawn.astype(float)), black, _CUT))
    return draws


def _with_texture(best: Estimate, doubt: Estimate, spectra: Spectra) -> Estimate:
    """Join the uncertainty with what texture is wont to add where little is flat."""
    doublings = float(np.clip(np.log2(max(1.0, spectra.weight @ spectra.busy)), 0, 4))
    wide = {}
    for name in _NAMES:
        # Read noise may be 0, yet is no surer for it: its doubt goes with the level.
        value = best.level if name == "read_noise" else getattr(best, name)
        size = _RELATIVE[name] * value if name in _RELATIVE else _ABSOLUTE[name]
        floor = _FLOOR.get(name, 0.0) * value
        wide[name] = np.sqrt(getattr(doubt, name) ** 2 + (doublings * size) ** 2 + floor**2)
    wide["autocorrelation"][best.autocorrelation == 1] = 0.0
    np.fill_diagonal(wide["channel_correlation"], 0.0)
    return Estimate(**wide)


def _noise_power(power: np.ndarray, spectra: Spectra, rest: float) -> np.ndarray:
    """Return the noise power (B, C) of trusted frequencies, `rest` times the growth removed."""
    powers = np.einsum("kbccf->kbcf", power)
    own, grown = (np.stack([p[..., b].sum(axis=2) for b in _BANDS]) for p in powers)
    own = np.maximum(own, 1e-12)
    growth = np.maximum(grown / own - 1, 0)  # what is common to all is left: stronger noise
    wide = (own[::2] + own[1::2], grown[::2] + grown[1::2])
    common = np.maximum(wide[1] / wide[0] - 1, 0).min(axis=0)
    members = np.array([b.sum() for b in _BANDS])
    chance = np.sqrt(_GROWTH_VARIANCE / (max(1.0, spectra.blocks) * members))
    texture = np.maximum(growth - common - chance[:, None, None], 0)
    return (own / (1 + rest * texture)).sum(axis=0)


def _solve(
    spectra: Spectra, power: np.ndarray, black: np.ndarray, cut: Cut, rest: float = _REST
) -> Estimate:
    """Read an estimate off the mean power (2, B, C, C, 64) of the spectra."""
    total = _noise_power(power, spectra, rest)
    above = spectra.intensity - black
    ends = np.stack([_envelope(above[:, c], total[:, c], spectra) for c in range(len(black))])
    fitted = np.maximum(ends[:, :1] + ends[:, 1:] * above.T, 1e-12)  # (C, B)
    usual = np.median(total, axis=0)[:, None]
    capped = np.minimum(total.T, np.maximum(_EXCESS * fitted, usual))
    shape = _shape(spectra, power, total, fitted)
    lags = np.einsum("ccl->cl", shape @ lag_operator(*cut).T)
    own = np.maximum(lags, 0)[:, 0]
    auto = lags / np.maximum(own, 1e-12)[:, None]
    auto[:, 0] = 1.0
    level = np.sqrt(own * (capped @ spectra.weight))
    heard = np.minimum(1, level / (_HEARD * max(level.max(), 1e-12))) ** 2 + 1e-12
    quarter = np.clip(np.average(auto, 0, heard).reshape(MAX_LAG + 1, -1), -1, 1)
    far = np.abs(quarter[0] + quarter[:, 0]) / 2 > _CORRELATED  # mean of both axes
    return Estimate(
        level=level,
        gain=own * ends[:, 1],
        read_noise=np.sqrt(own * np.maximum(ends[:, 0], 0)),
        start=np.maximum(-ends[:, 0], 0) / np.maximum(ends[:, 1], 1e-12),
        variance=own[:, None] * total.T,
        autocorrelation=np.pad(quarter, ((MAX_LAG, 0), (MAX_LAG, 0)), "reflect"),
        correlation_length=np.asarray(np.argmin(np.append(far, False)) - 1.0),
        channel_correlation=_channels(shape),
    )


def _shape(spectra: Spectra, power: np.ndarray, total: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Return the spectrum (C, C, 64) of noise of power 1; bins with much texture count little."""
    raw = _noise_power(power, spectra, 0.0)
    alive = np.quantile(total, 0.75, axis=0)[:, None]
    excess = total.T / np.maximum(line, 0.1 * alive)
    trust = spectra.weight * spectra.share / np.maximum(1, excess.mean(axis=0)) ** 4
    trust *= (total.T / (total.T + 0.1 * alive)).min(axis=0)  # JPEG leaves some bins no noise
    trust = trust * (total / raw).mean(axis=1) ** 4
    root = np.sqrt(raw)
    shape = power[0] / (root[:, :, None] * root[:, None])[..., None]
    return np.einsum("b,bcdf->cdf", trust, shape) / trust.sum()


def _channels(shape: np.ndarray) -> np.ndarray:
    """Return the correlation between channels at lag 0, (C, C)."""
    lag0 = shape @ lag_operator(*_CROSS)[0]
    deviation = np.sqrt(np.maximum(np.diag(lag0), 1e-12))
    out = np.clip(lag0 / (deviation[:, None] * deviation), -1, 1)
    np.fill_diagonal(out, 1.0)
    return out


def _envelope(x: np.ndarray, variance: np.ndarray, spectra: Spectra) -> np.ndarray:
    """Fit variance = a + b x with b >= 0; bins above lose weight, as signal only adds variance."""
    # Bins with clipped pixels do not count where others are left; a < 0: photons above an offset.
    clean = spectra.clipped.max(axis=1) <= 0.01
    base = spectra.weight * spectra.share * (clean if clean.any() else 1.0)
    floor = 0.3 * np.median(variance)
    fit = np.full_like(variance, np.quantile(variance, 0.2))
    ends = np.array([fit[0], 0.0])
    for _ in range(10):
        above = np.maximum(variance - fit, 0) / np.maximum(fit, 1e-12)
        weight = base / (fit**2 + floor**2) / (1 + (above / 0.15) ** 2)
        weight /= weight.sum()
        mx, my = weight @ x, weight @ variance  # weighted least squares
        spread = weight @ (x - mx) ** 2
        rise = weight @ ((x - mx) * (variance - my))
        slope = max(0.0, rise / spread) if spread > 1e-12 else 0.0
        ends = np.array([my - slope * mx, slope])
        fit = np.maximum(ends[0] + ends[1] * x, 0.1 * floor)
    return ends
