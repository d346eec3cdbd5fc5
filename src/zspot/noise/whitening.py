"""Noise that makes the noise of an image white, so that a network meets only noise it knows."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from zspot.filters.local import LocalMean
from zspot.noise.report import measure, rms

_SIDE = 31  # of the filter that shapes what is added, pixels
_TOP = 0.9  # quantile of the noise's spectrum up to which it is filled
_SMOOTH = 4.0  # deviation of the window of the local brightness, pixels
_LEAST = 0.05  # of the usual variance, however dark a place is
_SLIGHT = 0.35  # up to here an estimator for white noise does better than one for correlated
_BENT = 2.5  # times the line: more in bright parts is not noise of photons, nor texture
_DARK = 0.1  # share of the range, from the darkest pixels on, without noise: it is a steeper law
_FEW = 0.6  # photons in a pixel of mean brightness; the noise of fewer cannot be made even
_CERTAIN = 3.7  # uncertainties that a level must exceed to be sure of it


@dataclass(frozen=True, eq=False)
class Measured:
    """The noise of an image (C, H, W) as its report has it, in the image's units."""

    channels: Tensor  # (C, C), covariance
    correlation: Tensor  # (C, C), of the channels
    lags: Tensor  # (9, 9), autocorrelation
    slope: Tensor  # (C,), change of the variance per unit of signal; 0 where it does not grow
    level: Tensor  # (C,), signal at which `channels` is right
    lag_one: float  # correlation of neighbouring pixels, mean of down and across
    is_certain: bool
    is_white: bool
    is_straight: bool  # the variance grows along a line, from the darkest pixels on

    @classmethod
    def of(cls, image: Tensor) -> "Measured":
        """Measure the noise of an image."""
        report = measure(image.cpu().numpy())
        channels = np.outer(report.level, report.level) * report.channel_correlation
        slope = report.gain * report.grows
        shot = report.level**2 - report.read_noise**2
        level = report.black + shot / np.where(slope > 0, slope, np.inf)
        values = (channels, report.channel_correlation, report.autocorrelation, slope, level)
        covariance, mixed, lags, slope, level = (torch.from_numpy(v).to(image) for v in values)
        certain = rms(report.level) > _CERTAIN * rms(report.level_uncertainty)
        lowest, highest = (extreme((1, 2)).cpu().numpy() for extreme in (image.amin, image.amax))
        above = report.intensity - report.black[:, None]
        line = report.read_noise[:, None] ** 2 + report.gain[:, None] * above
        bent = (report.variance > _BENT * line)[:, line.shape[1] // 2 :].any()
        straight = not (bent or (report.black - lowest > _DARK * (highest - lowest)).any())
        told = report.lag_one, certain, report.is_white, straight
        return cls(covariance, mixed, lags, slope, level, *told)

    @property
    def grows(self) -> bool:
        """Whether bright parts are noisier."""
        return bool((self.slope > 0).any())

    @property
    def is_of_photons(self) -> bool:
        """Whether it grows with the brightness and neighbours are correlated slightly at most."""
        enough = bool((self.start >= _FEW * self.slope**2).all())
        return self.grows and self.is_straight and self.lag_one < _SLIGHT and enough

    @property
    def variance(self) -> float:
        """Mean variance of the channels."""
        return float(self.channels.diagonal().mean())

    @property
    def start(self) -> Tensor:
        """Variance at signal 0, (C,); not less than a share of the usual one."""
        usual = self.channels.diagonal()
        return torch.maximum(usual - self.slope * self.level, _LEAST * usual)

    def complement(self, image: Tensor, generator: Generator) -> Tensor:
        """Draw what makes the noise of an image (1, C, H, W) white when it is added."""
        values, vectors = torch.linalg.eigh(self.channels.double())
        reach = len(self.lags) // 2
        wrapped = F.pad(self.lags.double(), [0, _SIDE - len(self.lags)] * 2)
        spectrum = torch.fft.fft2(wrapped.roll((-reach, -reach), (0, 1))).real.clamp(min=0)
        top = values[-1] * spectrum.quantile(_TOP)
        lacking = (top - values.clamp(min=0)[:, None, None] * spectrum).clamp(min=0)
        kernels = torch.fft.fftshift(torch.fft.ifft2(lacking.sqrt()).real, dim=(1, 2))
        height, width = image.shape[2:]
        drawn = image.new_empty(1, len(values), height + _SIDE - 1, width + _SIDE - 1)
        drawn.normal_(generator=generator)
        added = F.conv2d(drawn, kernels[:, None].to(image), groups=len(values))
        added = torch.einsum("cd,ndhw->nchw", vectors.to(image), added)
        return added * self.growth(LocalMean(image, _SMOOTH)(image[0])).sqrt()

    def growth(self, signal: Tensor) -> Tensor:
        """Return how many times the usual variance noise has at a signal (C, H, W)."""
        slope = self.slope / self.channels.diagonal().clamp(min=torch.finfo(signal.dtype).tiny)
        return (1 + slope[:, None, None] * (signal - self.level[:, None, None])).clamp(min=_LEAST)
