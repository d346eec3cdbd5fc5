"""What `auto` measures of the noise: on what a first estimate removed."""

from dataclasses import dataclass, replace

from torch import Tensor

from zspot.algorithms.auto import thresholds
from zspot.noise import residual
from zspot.noise.pca_level import white_level
from zspot.recipe import Recorrupted

_BINS = 16  # of brightness, in which the variance is measured
_LEAST = 1e-12  # variance that keeps divisions finite where nothing was removed


@dataclass(frozen=True)
class Evidence:
    """What the residual of a first estimate says of the noise."""

    correlation: float  # between horizontal and vertical neighbours, mean of channels
    share: float  # variance of the residual as a share of the image's
    spread: float  # largest over smallest deviation between darker and brighter areas
    noise: Recorrupted  # the residual's variance as a function of the signal, as noise to draw
    # Deviation of each channel: of the least patch directions if white and even, or the residual
    level: tuple[float, ...]
    unevenness: float = 0.0  # of a faint residual, as in `zspot.noise.residual`
    structure: float = 0.0  # its correlation with detail, likewise
    agreement: float = 1.0  # variance of the residual over that of `level`
    directed: tuple[float, ...] = ()  # correlation: down, across, along both diagonals
    between: float = 0.0  # correlation between channels

    @property
    def is_faint(self) -> bool:
        """Whether the residual may be texture as well as noise."""
        return self.share < thresholds.FAINT

    @property
    def strength(self) -> float:
        """Share of what is removed that is taken as noise, 0 to 1; below 1 only if faint."""
        camera = _along(self.correlation, thresholds.CAMERA)
        texture = _along(self.unevenness + self.structure, thresholds.TEXTURE)
        broken = _along(self.unevenness, thresholds.BROKEN)
        return camera * (1 - broken) + (1 - camera) * (1 - texture)

    @property
    def is_white(self) -> bool:
        """Whether neighbours are hardly correlated in any direction, nor channels."""
        # White noise varies as much in all directions of a patch; any other less in some.
        least, most = thresholds.WHITE
        if self.is_faint:  # texture is correlated in some direction, and in all channels
            return self.correlation < thresholds.WHITE_FAINT
        return (
            all(least < value < most for value in (self.correlation, *self.directed))
            and abs(self.between) < thresholds.BETWEEN
            and self.agreement < thresholds.AGREED[1]
        )

    @property
    def is_of_camera(self) -> bool:
        """Whether neighbours are as correlated as cameras and microscopes leave them."""
        return self.is_faint or self.correlation > thresholds.WHITE_FAINT

    @property
    def is_even(self) -> bool:
        """Whether the noise is of one strength all over the image."""
        return self.spread <= thresholds.EVEN

    @property
    def is_agreed(self) -> bool:
        """Whether the first estimate removes about as much as the image is measured to hold."""
        return self.agreement >= thresholds.AGREED[0]


def examine(noisy: Tensor, estimate: Tensor) -> Evidence:
    """Measure the noise on the residual of an estimate, both (C, H, W)."""
    removed = noisy - estimate
    lines = [_line(s, r) for s, r in zip(estimate, removed, strict=True)]
    variance, slope, floor = zip(*lines, strict=True)
    noise = Recorrupted(variance, slope, floor)
    deviation = noise.deviation(estimate)
    darkest_to_brightest = deviation.flatten(1).amax(1) / deviation.flatten(1).amin(1)
    unit = removed / deviation
    found = Evidence(
        correlation=residual.neighbour_correlation(unit),
        directed=tuple(residual.neighbour_correlations(unit)),
        between=residual.channel_correlation(removed),
        share=float(removed.square().mean() / noisy.square().mean()),
        spread=float(darkest_to_brightest.max()),
        noise=noise,
        level=tuple(removed.square().mean((1, 2)).sqrt().tolist()),
    )
    if found.is_faint:
        structure = residual.detail_correlation(noisy, estimate, estimate)
        found = replace(found, unevenness=residual.unevenness(noisy, estimate), structure=structure)
    if found.strength < 1 or not (found.is_white and found.is_even):
        return found  # the level would not be used, and takes as long as a prediction
    level = white_level(noisy) or found.level
    measured = sum(value**2 for value in level) / len(level)
    agreement = float(removed.square().mean()) / max(measured, _LEAST)
    return replace(found, level=level, agreement=agreement)


def _along(value: float, bounds: tuple[float, float]) -> float:
    """Return how far `value` is from the first bound to the second, 0 to 1."""
    return min(1.0, max(0.0, (value - bounds[0]) / (bounds[1] - bounds[0])))


def _line(signal: Tensor, residual: Tensor) -> tuple[float, float, float]:
    """Fit variance = a + b * signal over bins of equal count; also return the smallest variance."""
    order = signal.flatten().argsort()
    count = order.numel() // _BINS * _BINS
    if count == 0:
        power = float(residual.square().mean())
        return power, 0.0, max(power, _LEAST)
    means = signal.flatten()[order[:count]].view(_BINS, -1).mean(1).double()
    powers = residual.flatten()[order[:count]].view(_BINS, -1).square().mean(1).double()
    centred = means - means.mean()
    slope = float((centred * powers).sum() / centred.square().sum().clamp(min=_LEAST))
    start = float(powers.mean()) - slope * float(means.mean())
    return start, slope, max(float(powers.min()), _LEAST)
