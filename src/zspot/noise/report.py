"""The noise of one image, measured from that image alone."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from zspot.core.errors import plainly
from zspot.core.plane import as_array, channels_first, check_image
from zspot.core.valid import find_valid
from zspot.filters.impulses import without_impulses
from zspot.filters.rows import offsets_along
from zspot.noise.blocks import GROUPS, MAX_LAG, SIDE, Spectra, cut
from zspot.noise.model import Estimate, estimate, spectra_of, spread
from zspot.noise.mosaic import MOSAIC, find_period
from zspot.noise.photons import noise_of_photons
from zspot.noise.stored import Stored

WHITE = (-0.15, 0.2)  # range of all autocorrelations at one pixel in which noise counts as white
_MEASURED = [field.name for field in fields(Estimate) if field.name != "start"]
_NEAR = tuple(np.array([[1, 0, 1], [0, 1, 1]]) + MAX_LAG)  # below, right and diagonal
_DOUBT = 0.2  # texture raises them by less: what goes beyond counts, however uncertain
_STEADY, _RISE = 0.8, 4.0  # share of bins that rise, and their rise, that is no chance
_EMPTY = 0.85  # share of clipped pixels from which a channel tells nothing of noise
_STILL = 1e-4  # of a channel's deviation: less noise is none
_SEEN = "Single photons are seen: the noise of a pixel follows from its brightness."
_BLOCKY = 1.3  # `blockiness` from which JPEG is mentioned


@dataclass(frozen=True, repr=False)
class NoiseReport:
    """Noise of one image. C channels, B intensity bins; "units" are those of the image.

    Every uncertainty is one standard deviation: bootstrap over groups of blocks joined with the
    doubt of extrapolating to the low frequencies, where signal hides noise, and with a calibrated
    term that grows as flat blocks get rarer. It does not cover weak noise (below about 2 % of
    the range) on a picture that is textured everywhere, nor any noise on one even texture without
    flat parts (grass, gravel: a third too much at 10 % of the range), nor noise that compression
    took from the flat parts. Infinite where the image is too small.
    """

    #: (C,), standard deviation, units; root mean square over all intensities outside clipped areas
    level: np.ndarray
    level_uncertainty: np.ndarray  #: (C,)
    #: (C,), `level` divided by the channel's largest minus smallest value; 0 for a constant channel
    level_fraction: np.ndarray
    gain: np.ndarray  #: (C,), in variance = read_noise^2 + gain * (intensity - black), units; >= 0
    gain_uncertainty: np.ndarray  #: (C,)
    read_noise: np.ndarray  #: (C,), standard deviation at `black`, units; >= 0
    read_noise_uncertainty: np.ndarray  #: (C,)
    #: (C,), intensity from which the noise grows, units: the channel's smallest value, or the
    #: offset of a detector where that is larger
    black: np.ndarray
    intensity: np.ndarray  #: (C, B), mean of the flattest blocks of each bin, units
    #: (C, B), of the noise in these blocks, units^2; bins that hold only texture show too much
    variance: np.ndarray
    variance_uncertainty: np.ndarray  #: (C, B)
    clipped_low: np.ndarray  #: (C,), share of pixels that pile up at the smallest value, 0 to 1
    clipped_high: np.ndarray  #: (C,), likewise at the largest value
    #: (9, 9), mean over channels, lags -4 to 4 down and across, 1 in the centre, -1 to 1; lags
    #: (k, l) and (k, -l) are not told apart: their mean is given
    autocorrelation: np.ndarray
    autocorrelation_uncertainty: np.ndarray  #: (9, 9)
    #: largest lag in pixels, 0 to 4, up to which the autocorrelation along the axes exceeds 0.1
    correlation_length: float
    correlation_length_uncertainty: float  #: pixels
    channel_correlation: np.ndarray  #: (C, C), at lag 0, -1 to 1
    channel_correlation_uncertainty: np.ndarray  #: (C, C)
    quantum: np.ndarray  #: (C,), step between the values that occur, units; 0 where none is seen
    blockiness: float  #: how much JPEG's 8x8 grid stands out: 1 not at all; NaN below 64 pixels
    notes: tuple[str, ...]  #: what limits the report, in sentences

    @property
    def lag_one(self) -> float:
        """Autocorrelation at one pixel, mean of down and across."""
        return float(self._neighbours[:2].mean())

    @property
    def is_white(self) -> bool:
        """Whether all autocorrelations at one pixel, diagonals too, may lie in `WHITE`."""
        least = self._neighbours - np.minimum(1.5 * self.autocorrelation_uncertainty[_NEAR], _DOUBT)
        return bool(WHITE[0] < self._neighbours.min() and least.max() < WHITE[1])

    @property
    def between(self) -> float | None:
        """Mean correlation between channels with noise; None where fewer than two have any."""
        live = np.flatnonzero(self.level > 0)
        pairs = self.channel_correlation[np.ix_(live, live)][np.triu_indices(len(live), 1)]
        return float(pairs.mean()) if len(live) > 1 else None

    @property
    def _neighbours(self) -> np.ndarray:
        """Autocorrelation at `_NEAR`."""
        return self.autocorrelation[_NEAR]

    def to_dict(self) -> dict[str, object]:
        """Return plain lists and numbers for JSON; what is not finite becomes None."""
        out: dict[str, object] = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        return {**out, "is_white": self.is_white, "summary": self.summary()}

    def plot(self) -> Any:
        """Return what `zspot.plot_noise` draws as a figure of matplotlib; notebooks show it."""
        from zspot.noise.plot import drawn

        return drawn(self)

    def __repr__(self) -> str:
        return f"{self.summary()}\n  more: .level .gain .read_noise .autocorrelation .plot()"

    def summary(self) -> str:
        """Return the report in one sentence, followed by the notes."""
        if not self.level.any() and not self.level_uncertainty.any():
            return " ".join(["no noise: nothing varies in the picture.", *self.notes])
        level, doubt = rms(self.level), rms(self.level_uncertainty)
        share = plainly(100 * rms(self.level_fraction), 2)
        nearest = max(self._neighbours, key=abs)
        far = f"correlated to {max(1, self.correlation_length):.0f} px ({nearest:.2f} at 1 px)"
        words = [
            f"noise level {plainly(level, 3)} ± {plainly(doubt, 1)} ({share} % of the range)",
            "grows with brightness" if self.grows else "about even over brightness",
            "white" if self.is_white else far,
        ]
        if self.between is not None:
            words.append(f"channels correlated {self.between:.2f}")
        low, high = self.clipped_low.max(), self.clipped_high.max()
        if max(low, high) > 0:
            words.append(f"clipped {100 * low:.2g} % low, {100 * high:.2g} % high")
        return " ".join([", ".join(words) + ".", *self.notes])

    @property
    def grows(self) -> bool:
        """Whether bright parts are noisier, by a clear and certain amount."""
        shot = self.gain * np.ptp(self.intensity, axis=1)
        much = self.gain.any() and shot.sum() >= 0.5 * (self.read_noise**2).sum()
        bins = np.median(self.variance, axis=0)
        steadily = len(bins) > 2 and (np.diff(bins) > 0).mean() > _STEADY
        steadily &= bins[-1] > _RISE * bins[: len(bins) // 2 + 1].mean()
        return bool(much and (steadily or (self.gain > 2 * self.gain_uncertainty).any()))


def analyze_noise(
    image: np.ndarray,
    *,
    channel_axis: int | None = None,
    nodata: float | None = None,
    mask: np.ndarray | None = None,
) -> NoiseReport:
    """Measure the noise of one image without a clean copy.

    Parameters
    ----------
    image : ndarray (H, W), or 3-D with `channel_axis`
        Any real dtype and range; not modified. Shifting or scaling it shifts or scales the report.
    channel_axis : int or None
        The axis of 1 to 4 channels; None for a grey image.
    nodata, mask
        Which pixels carry no picture, as in `zspot.denoise`.

    Returns
    -------
    NoiseReport
        Deterministic. Needs about 64 x 64 pixels for useful uncertainties. Its notes tell a colour
        mosaic, offsets of rows or columns, and what was left out or repaired: areas without picture
        (NaN, bars, padding, labels), isolated outliers.

    Raises
    ------
    ImageError
        For other numbers of axes or channels, empty arrays and dtypes that are not real numbers.

    References
    ----------
    .. [1] Lebrun, Colom, Morel, "The Noise Clinic: a Blind Image Denoising Algorithm", IPOL 5,
       2015, for measuring by intensity and frequency in the blocks of least signal.
    .. [2] Foi, Trimeche, Katkovnik, Egiazarian, "Practical Poissonian-Gaussian noise modeling and
       fitting for single-image raw-data", IEEE TIP 17, 2008, for the level function.
    """
    image = as_array(image)
    channels = channels_first(image, check_image(image, channel_axis))
    picture, mended, share, left_out = _picture(channels, nodata=nodata, mask=mask)
    report = _measured(picture, mended)
    return replace(report, notes=(*_told(mended, left_out, share), *report.notes))


def measure(channels: np.ndarray) -> NoiseReport:
    """Measure (C, H, W) as `analyze_noise`, without looking for what that only tells in notes."""
    return _measured(*_picture(channels)[:2])


def _picture(channels: np.ndarray, **known: Any) -> tuple[np.ndarray, np.ndarray, float, str]:
    """Return what of an image is picture, it without outliers, their share, what was left out."""
    valid = find_valid(channels, **known)
    picture = channels if valid.is_all else valid.filled(channels)
    mended, share, _ = without_impulses(picture)
    return picture, mended, share, ", ".join(valid.told)


def _measured(picture: np.ndarray, mended: np.ndarray) -> NoiseReport:
    stored = Stored.of(mended, picture)
    if not stored.scale.any():
        return _by_differences(stored, 0.0, [])
    if min(stored.values.shape[1:]) < SIDE:
        note = f"Too small to measure noise: at least {SIDE} x {SIDE} pixels are needed."
        return _by_differences(stored, np.inf, [note])
    tells = (stored.scale > 0) & (stored.clipped.mean(axis=(1, 2)) < _EMPTY)
    return _by_blocks(stored, np.flatnonzero(tells if tells.any() else stored.scale > 0))


def _told(channels: np.ndarray, left_out: str, outliers: float) -> list[str]:
    """Say in sentences what of an image is neither noise nor picture."""
    told = [f"Areas without picture were left out: {left_out}."] if left_out else []
    if outliers:
        told.append(f"{outliers:.2%} of the pixels are isolated outliers, hot or dead pixels.")
    for at, name in ((0, "Rows"), (1, "Columns")):
        level = float(offsets_along(channels, at).std(1 + at).max())
        if level:
            told.append(f"{name} have offsets of their own, of deviation {plainly(level, 3)}.")
    rows, columns = find_period(channels[0] if len(channels) == 1 else channels.mean(0)) or (1, 1)
    if rows * columns > 1:
        is_mosaic = len(channels) == 1 and (rows, columns) == MOSAIC
        what = "It is a colour mosaic" if is_mosaic else "It shows a pattern"
        told.append(f"{what} of period {rows} x {columns} pixels.")
    return told


def _by_blocks(stored: Stored, live: np.ndarray) -> NoiseReport:
    channels = len(stored.values)
    blocks = cut(stored.values[live], stored.clipped[live], stored.step)
    spectra = spectra_of(blocks)
    black, unit = stored.ends[0, live], stored.photon[live]
    single = bool((unit > 0).all())
    best, doubt = noise_of_photons(spectra, black, unit) if single else estimate(spectra, black)
    if 0 < (noisy := best.level > _STILL).sum() < len(live):
        return _by_blocks(stored, live[noisy])  # an almost empty channel would spoil the others'
    notes = [_SEEN] if single else _limits(blocks.disjoint, spectra, best.variance)
    best, doubt = best.among(live, channels, 1.0), doubt.among(live, channels, 0.0)
    if stored.blockiness > _BLOCKY:
        notes.append("8 x 8 blocks stand out (JPEG): the noise was stronger before compression.")
    level = best.level * stored.scale
    if not single and ((level > 0) & (level < 0.5 * stored.quantum)).any():
        notes.append("The noise is finer than the step between values: its level is a guess.")
    return _report(stored, best, doubt, spread(spectra.intensity.T, live, channels), notes)


def _by_differences(stored: Stored, doubt: float, notes: list[str]) -> NoiseReport:
    """Report white noise whose level is that of differences between neighbours."""
    values, channels = stored.values, len(stored.values)
    steps = [np.diff(values.astype(float), axis=a).reshape(channels, -1) for a in (1, 2)]
    step = np.concatenate([*steps, np.zeros((channels, 1))], axis=1)
    level = np.sqrt((step**2).sum(axis=1) / max(step.shape[1] - 1, 1) / 2)
    delta = np.pad([[1.0]], MAX_LAG)
    zero, square = np.zeros(channels), level[:, None] ** 2
    best = Estimate(level, zero, level, zero, square, delta, np.asarray(0.0), np.eye(channels))
    unknown = Estimate(*(np.full_like(getattr(best, f.name), doubt) for f in fields(Estimate)))
    return _report(stored, best, unknown, values.mean(axis=(1, 2), dtype=float)[:, None], notes)


def _limits(disjoint: float, spectra: Spectra, variance: np.ndarray) -> list[str]:
    """Say in sentences what of the picture limits the report; `variance` is (C, B)."""
    notes = []
    if disjoint < 2 * GROUPS:
        notes.append("The image is small: the uncertainties are themselves uncertain.")
    if np.median(spectra.share) < 0.04:
        notes.append("Little of the image is flat: texture may count as noise.")
    if spectra.clipped.max(axis=1).min() > 0.01:
        notes.append("Clipping is everywhere: the noise before clipping was stronger.")
    if (variance < 0.02 * np.quantile(variance, 0.75, axis=1, keepdims=True)).mean() > 0.1:
        what = "Flat areas of some brightnesses hold almost no noise (compression or smoothing)"
        notes.append(f"{what}: the level may be too low.")
    return notes


def _report(
    stored: Stored, best: Estimate, doubt: Estimate, intensity: np.ndarray, notes: list[str]
) -> NoiseReport:
    """Bring what was measured, `intensity` (C, B) with it, back to the image's units."""
    scale, span = stored.scale, stored.ends[1] - stored.ends[0]
    found: dict[str, Any] = {}
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        square = (scale**2)[:, None]
        units = {"level": scale, "gain": scale, "read_noise": scale, "variance": square}
        for name in _MEASURED:
            unit, value = units.get(name, np.ones(())), getattr(doubt, name)
            found[name] = getattr(best, name) * unit
            # An infinite doubt stays infinite on a constant channel.
            found[f"{name}_uncertainty"] = np.where(np.isinf(value), np.inf, value * unit)
        for name in ("correlation_length", "correlation_length_uncertainty"):
            found[name] = float(found[name])
        return NoiseReport(
            **found,
            level_fraction=best.level / np.where(span > 0, span, 1.0),
            black=stored.lowest + best.start * scale,
            intensity=stored.offset[:, None] + intensity * scale[:, None],
            clipped_low=stored.piled[0], clipped_high=stored.piled[1],
            quantum=stored.quantum, blockiness=stored.blockiness, notes=tuple(notes),
        )  # fmt: skip


def rms(values: np.ndarray) -> float:
    """Return the root mean square, of whatever size the values are; infinite if one of them is."""
    largest = float(np.max(np.abs(values)))
    if largest == 0 or not np.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.mean((values / largest) ** 2)))


def _plain(value: object) -> object:
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
