"""Simulated noise for training the warm start: clean patches in, (clean, noisy) pairs out.

Each batch is split among four kinds of noise. Within a kind every patch draws its own strength,
correlation, signal dependence, and so on; all of it is vectorised over the patches. The ranges
were set from the residuals of the development pairs (docs/tuning.md); the clean patches never come
from them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from training.camera import camera
from training.draw import Draw, filter_each, gaussian_kernels, grey, sum_to_unit_energy

Pair = tuple[torch.Tensor, torch.Tensor]


def white(x: torch.Tensor, draw: Draw, greys: float = 1.0) -> Pair:
    """White Gaussian noise, not clipped, standard deviation 0.3 to 65 of 255; 45 % grey."""
    x = grey(x, draw, 0.45 * greys)
    n = draw.normal(x.shape)
    n = torch.where(_is_grey(x), n[:, :1], n)
    sigma = torch.where(draw.coin(0.25), draw.log_uniform(0.3, 15), draw.uniform(12, 65))
    return x, x + sigma / 255 * n


def microscope(x: torch.Tensor, draw: Draw, greys: float = 1.0) -> Pair:
    """Poisson-Gaussian noise on dark, contrasty, mostly grey images, clipped."""
    x = _like_microscopy(x, draw, greys)
    gain, read = draw.log_uniform(0.0015, 0.12), draw.log_uniform(0.002, 0.03)
    counts = torch.poisson(x / gain, generator=draw.generator) * gain - x
    n = counts + read * draw.normal(x.shape)
    n = torch.where(_is_grey(x), n[:, :1], n)
    # Wide-field cameras interpolate: a quarter of the patches has correlated noise.
    smooth = sum_to_unit_energy(gaussian_kernels(draw, draw.uniform(0.4, 0.8), 7))
    n = torch.where(draw.coin(0.25), filter_each(n, smooth), n)
    return x, (x + n).clamp(0, 1)


def correlated(x: torch.Tensor, draw: Draw, greys: float = 1.0) -> Pair:
    """Noise of any spatial and channel correlation and any dependence on the signal."""
    # Wide-field microscopes: grey, with resampled noise whose level hardly follows the signal.
    # Their optics pass no detail as fine as that noise, and little contrast above the background.
    micrograph = _out_of_focus(_like_microscopy(x, draw, greys), draw, blurred=0.95)
    x = torch.where(draw.coin(0.55), micrograph, grey(x, draw, 0.15 * greys))
    narrow = gaussian_kernels(draw, draw.uniform(0.25, 1.1), 13)
    wide = gaussian_kernels(draw, draw.log_uniform(1.0, 4.0), 13)
    share = torch.where(draw.coin(0.7), draw.uniform(-0.2, 0.5), torch.zeros(()))
    kernel = sum_to_unit_energy((1 - share) * narrow + share * wide)
    n = filter_each(draw.normal(x.shape), kernel)
    common = draw.uniform(0, 0.8)
    mixed = (1 - common).sqrt() * n + common.sqrt() * n.roll(1, 0)[:, :1]
    n = torch.where(_is_grey(x), n[:, :1], mixed)
    dependence = draw.uniform(0, 1) * x.clamp(0.02, 1) ** draw.uniform(-0.5, 1.0)
    amplitude = (dependence + draw.uniform(0.02, 0.5)).sqrt()
    amplitude = amplitude / amplitude.square().mean((1, 2, 3), keepdim=True).sqrt()
    sigma = torch.where(draw.coin(0.45), draw.log_uniform(1.5, 12), draw.log_uniform(8, 55))
    y = x + sigma / 255 * amplitude * n
    return x, torch.where(draw.coin(0.5), y.clamp(0, 1), y)


def phone(x: torch.Tensor, draw: Draw, greys: float = 0.0) -> Pair:
    """Strong raw noise of a small sensor on smooth, dim, low-contrast content; no JPEG."""
    # Most dim scenes have weak colours: at these, noise darkens all channels alike.
    luma = x.mean(1, keepdim=True)
    weak = torch.where(draw.coin(0.8), draw.uniform(0, 1), torch.zeros(()))
    x = _out_of_focus(x + (luma - x) * weak, draw)
    return camera(x, draw, gain=(4e-4, 0.1), read=(6e-4, 0.01), processed=0.1)


def reflex(x: torch.Tensor, draw: Draw, greys: float = 0.0) -> Pair:
    """Weak noise of a large sensor, smoothed and compressed inside the camera."""
    # At the scale of its pixels most of what such a camera sees is soft and even.
    x = torch.where(draw.coin(0.65), _out_of_focus(x, draw), x)
    return camera(x, draw, gain=(8e-5, 1e-2), read=(2e-4, 5e-3), processed=0.85)


# Shares of a batch, and of its usual grey patches. SIDD-like noise is the hardest and gets most.
MIXTURES: dict[str, tuple[float, dict[Callable[..., Pair], float]]] = {
    "mixed": (1.0, {white: 0.20, microscope: 0.13, phone: 0.23, reflex: 0.29, correlated: 0.15}),
    "colour": (0.15, {white: 0.12, microscope: 0.05, phone: 0.29, reflex: 0.40, correlated: 0.14}),
    "grey": (1.0, {white: 0.34, microscope: 0.23, phone: 0.04, reflex: 0.03, correlated: 0.36}),
    "gaussian": (1.0, {white: 1.0}),
}


def simulate(x: torch.Tensor, generator: torch.Generator, mixture: str = "mixed") -> Pair:
    """Turn clean patches into training pairs.

    Parameters
    ----------
    x : tensor of shape (N, 3, H, W)
        Clean patches in [0, 1]; H and W are multiples of 8.
    generator : torch.Generator
        Draws everything.
    mixture : str
        Key of `MIXTURES`; "grey" makes every patch grey, its camera noise too.

    Returns
    -------
    clean, noisy : tensor
        Both of the shape of `x`. The clean patches have been darkened, made grey, and so on.
    """
    greys, kinds_of = MIXTURES[mixture]
    x = _mean(x) if mixture == "grey" else x
    shares = torch.tensor(list(kinds_of.values()))
    kinds = torch.multinomial(shares, len(x), replacement=True, generator=generator)
    clean, noisy = torch.empty_like(x), torch.empty_like(x)
    for index, kind in enumerate(kinds_of):
        chosen = (kinds == index).nonzero()[:, 0]
        if len(chosen):
            draw = Draw(generator, len(chosen))
            clean[chosen], noisy[chosen] = kind(x[chosen], draw, greys)
    return (_mean(clean), _mean(noisy)) if mixture == "grey" else (clean, noisy)


def _mean(x: torch.Tensor) -> torch.Tensor:
    return x.mean(1, keepdim=True).expand(x.shape).contiguous()


def _is_grey(x: torch.Tensor) -> torch.Tensor:
    return ((x[:, :1] == x[:, 1:2]) & (x[:, :1] == x[:, 2:])).all(-1, True).all(-2, True)


def _like_microscopy(x: torch.Tensor, draw: Draw, greys: float) -> torch.Tensor:
    """Stretch the contrast, push most of the image into the dark, add a background."""
    x = grey(x, draw, 0.85 * greys)
    x = torch.where(draw.coin(0.5), 1 - x, x)
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    x = ((x - low) / (high - low).clamp(min=0.05)).clamp(0, 1)
    x = x ** draw.log_uniform(0.7, 4)
    return (draw.log_uniform(0.1, 1.0) * x + draw.uniform(0, 0.1)).clamp(0, 1)


def _out_of_focus(x: torch.Tensor, draw: Draw, blurred: float = 0.6) -> torch.Tensor:
    """Blur a share of the patches and lower the contrast of most about their mean."""
    soft = filter_each(x, gaussian_kernels(draw, draw.uniform(0.5, 2.5), 13))
    x = torch.where(draw.coin(blurred), soft, x)
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * torch.where(draw.coin(0.7), draw.uniform(0.1, 1), torch.ones(()))
