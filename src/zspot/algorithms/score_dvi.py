"""ScoreDVI: variational posterior of image and noise, guided by a blind Gaussian denoiser."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from zspot.core.progress import Clock, Report
from zspot.core.rng import Purpose, derive, seeded
from zspot.engine import Denoised, Denoiser, budget
from zspot.engine.forward import pixel_unshuffle
from zspot.networks import Hourglass
from zspot.networks.pretrained import COLOURS, AnyChannels, load

Prior = Callable[[Tensor], Tensor]  # a blind Gaussian denoiser of (N, C, H, W)

_LOWEST, _HIGHEST = math.log(1e-8), math.log(1e4)  # of every exponent, as released
_BYTES = 200  # per pixel, component, sample and channel of the network
_PHASES = 4  # pixel-shuffle stride at which the noise level is measured, as released
_WEAK, _STRONG = 10.0, 25.0  # noise levels, 255ths of the range, between which the weight is 1
_PRIOR_WEIGHT = 0.5  # below; its inverse above
_WIDTH = 32  # filters of the networks of the noise's posterior

_EFFORTS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 60, "components": 1, "samples": 1, "width": 24, "lr": 2e-3},
    "balanced": {"steps": 150, "components": 2, "samples": 1, "width": 32, "lr": 2e-3},
    "best": {},
}


@dataclass(frozen=True)
class Settings:
    """How long and how large."""

    steps: int = 400  #: optimiser steps
    components: int = 3  #: Gaussians of the mixture
    samples: int = 5  #: of the posterior, per step, at which the score is taken
    width: int = 64  #: filters of the network of the image's posterior
    lr: float = 1e-3  #: learning rate of Adam
    average: float = 0.9  #: decay of the running mean of the posterior's mean, which is the result
    #: mean of the noise variance before anything is seen, of the image's; None takes the variance
    #: that is measured
    variance: float | None = None


class Posterior(nn.Module):
    """The networks that predict the posterior of image and noise; both start at `variance`."""

    def __init__(
        self, channels: int, settings: Settings, variance: float, generator: Generator
    ) -> None:
        super().__init__()
        count = settings.components
        self.shape = (count, channels)
        body = Hourglass(settings.width, 16, 4)
        self.image = body.build(2 * count * channels, generator, channels)
        with seeded(generator):
            sizes = (2 * count * channels, count * channels, count * channels)
            self.precision, self.member, self.share = (_chain(channels, size) for size in sizes)
        with torch.no_grad():
            self.image.exit.weight.mul_(0.1)
            halves = torch.tensor([0.0, math.log(variance)])
            for network in (self.image, self.precision):
                *_, bias = network.parameters()  # that of its exit is the last
                bias.copy_(halves.repeat_interleave(len(bias) // 2))

    def forward(self, y: Tensor) -> dict[str, Tensor]:
        """Return the posterior's parameters, each (K, C, H, W), for the image `y` (1, C, H, W)."""
        shift, log_variance = self.image(y)[0].unflatten(0, (2, *self.shape))
        alpha, beta = self.precision(y)[0].unflatten(0, (2, *self.shape))
        member, share = (part(y)[0].unflatten(0, self.shape) for part in (self.member, self.share))
        return {
            "mean": y + shift,
            "log_variance": log_variance.clamp(_LOWEST, _HIGHEST),
            "log_alpha": alpha.clamp(_LOWEST, _HIGHEST),
            "log_beta": beta.clamp(_LOWEST, _HIGHEST),
            "member": member.softmax(0),
            "share": share.clamp(_LOWEST, _HIGHEST).exp(),
        }


def _chain(channels: int, outputs: int) -> nn.Sequential:
    """Return five convolutions of 3 x 3 pixels, close to zero in the end."""
    parts: list[nn.Module] = []
    for fan_in, fan_out in pairwise([channels, *4 * [_WIDTH]]):
        parts += [nn.Conv2d(fan_in, fan_out, 3, padding=1), nn.ReLU(inplace=True)]
    last = nn.Conv2d(_WIDTH, outputs, 3, padding=1)
    with torch.no_grad():
        last.weight.mul_(0.1)
    return nn.Sequential(*parts, last)


def bound(
    q: dict[str, Tensor], y: Tensor, prior: Prior, weight: float, variance: float, noise: Tensor
) -> Tensor:
    """Return the negative evidence lower bound per pixel; `noise` (S, K, C, H, W) is standard."""
    mean, log_variance, log_beta = q["mean"], q["log_variance"], q["log_beta"]
    own = log_variance.exp()
    alpha = q["log_alpha"].exp()
    precision = (q["log_alpha"] - log_beta).exp()
    error = (mean - y).square() + own
    fit = -0.5 * (torch.digamma(alpha) - log_beta - error * precision)
    z = mean + own.sqrt() * noise
    image = -0.5 * log_variance - (z * _score(z, own, prior)).mean(0)
    # The divergence of Gamma(alpha, beta) from Gamma(1, variance), up to a constant.
    gamma = (alpha - 1) * torch.digamma(alpha) - torch.lgamma(alpha) + log_beta
    gamma = gamma - math.log(variance) + variance * precision - alpha
    # Those of the membership and of the weights of the mixture.
    member, share = q["member"], q["share"]
    total = share.sum(0)
    expected = torch.digamma(share) - torch.digamma(total)
    membership = (member * ((member + 1e-8).log() - expected)).sum(0)
    dirichlet = torch.lgamma(total) - torch.lgamma(share).sum(0) + ((share - 1) * expected).sum(0)
    return ((member * (fit + weight * image + gamma)).sum(0) + membership + dirichlet).mean()


@torch.no_grad()
def _score(z: Tensor, own: Tensor, prior: Prior) -> Tensor:
    """Return the gradient of the log density of images at samples `z` of variance `own`."""
    removed = prior(z.flatten(0, 1)).view_as(z) - z
    # A blind denoiser may find more noise than the posterior has: Tweedie's formula holds for that.
    found = removed.square().mean((-3, -2, -1), keepdim=True)
    return removed / own.maximum(found)


@dataclass(frozen=True)
class ScoreDVI:
    """The denoiser; `prior` is "score" (of zspot), a file of such weights, or any other `Prior`."""

    settings: Settings
    prior: str | Path | Prior = "score"

    def __call__(
        self, plane: Tensor, *, seed: int, report: Report | None = None, memory: int | None = None
    ) -> Denoised:
        """Denoise a standardised plane (C, H, W)."""
        started = time.perf_counter()
        settings, y = self.settings, plane[None]
        per_pixel = _BYTES * settings.width * settings.components * settings.samples
        least = budget.resident() + per_pixel * plane[0].numel()
        budget.check(least, memory, plane.shape, "score-dvi")
        prior = self.prior
        if not callable(prior):  # "score" learned colour: others get "grey"
            name = "grey" if prior == "score" and y.shape[1] != COLOURS else str(prior)
            prior = AnyChannels(load(name)).to(y.device)
        # Correlated noise is nearly white on phases: all that a Gaussian denoiser removes.
        phases = pixel_unshuffle(y, min(_PHASES, max(1, min(y.shape[2:]) // 16)))
        with torch.no_grad():
            measured = float((phases - prior(phases)).square().mean())
        variance = max(settings.variance or measured, 1e-6)
        level = 255 * math.sqrt(measured) / float(y.max() - y.min())
        weight = _PRIOR_WEIGHT if level <= _WEAK else 1.0
        if level > _STRONG:
            weight = 1 / _PRIOR_WEIGHT
        clock = Clock(report, {"fit": (settings.steps, 1.0)})
        mean, deviation, losses = self._fit(y, prior, weight, variance, seed, clock)
        told = f"noise level {level:.1f} of 255 by the prior on 4x4 phases: it weighs {weight:g}"
        return Denoised(mean, deviation, losses, {"fit": time.perf_counter() - started}, told)

    def _fit(
        self, y: Tensor, prior: Prior, weight: float, variance: float, seed: int, clock: Clock
    ) -> tuple[Tensor, Tensor, tuple[float, ...]]:
        """Fit the posterior; return its mean and deviation, each (C, H, W), and the bound."""
        settings, start = self.settings, derive(seed, Purpose.NETWORK, torch.device("cpu"))
        posterior = Posterior(y.shape[1], settings, variance, start).to(y.device)
        draws = derive(seed, Purpose.FILL, y.device)
        adam = torch.optim.Adam(posterior.parameters(), lr=settings.lr)
        shape = (settings.samples, settings.components, *y.shape[1:])
        mean, spread, losses = y[0].clone(), torch.zeros_like(y[0]), []
        for _ in range(settings.steps):
            q = posterior(y)
            noise = torch.empty(shape, device=y.device).normal_(generator=draws)
            loss = bound(q, y, prior, weight, variance, noise)
            adam.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(posterior.parameters(), 1.0)
            adam.step()
            losses.append(float(loss.detach()))
            with torch.no_grad():
                now = (q["mean"] * q["member"]).sum(0)
                mean = settings.average * mean + (1 - settings.average) * now
                spread = (q["log_variance"].exp() * q["member"]).sum(0).sqrt()
            clock.tick("fit")
        return mean, spread, tuple(losses)


def make(effort: str, prior: str | Path | Prior = "score") -> Denoiser:
    """Return the denoiser of an effort: "fast", "balanced" or "best" (as published)."""
    return ScoreDVI(Settings(**_EFFORTS[effort]), prior)
