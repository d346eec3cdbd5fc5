"""Whether what was removed follows the detail of the picture, as noise does not; how even it is."""

import torch
from torch import Tensor
from torch.nn import functional as F

from zspot.filters.local import LocalMean, bins, quantile_by_brightness

_WINDOW = 4.0  # deviation of a Gaussian window, pixels
_WIDER = 6.0  # the window of `unevenness`: noise itself varies little over so many pixels
_FINE = 2.0  # deviation of the window whose mean fine detail is without, pixels
_OUTER = 0.1  # share of pixels beyond each end of its range
_LEAST = 1e-9  # energy that keeps logarithms finite
_OUTLIER = 4.0  # deviations; what lies beyond does not decide a correlation of neighbours


def detail_correlation(noisy: Tensor, estimate: Tensor, guide: Tensor) -> float:
    """Correlate (-1 to 1) the logs of local strength removed and of detail, at equal brightness."""
    average = LocalMean(noisy, _WINDOW)
    removed = _local_log(average, (noisy - estimate).square().mean(0))
    detail = _local_log(average, _gradient_energy(guide))
    for part in bins(average(guide.mean(0))):
        removed[part] -= removed[part].mean()
        detail[part] -= detail[part].mean()
    spread = (removed.square().mean() * detail.square().mean()).sqrt()
    return float((removed * detail).mean() / spread) if spread > _LEAST else 0.0


def shared_detail(noisy: Tensor, estimate: Tensor) -> float:
    """Correlate fine detail of an estimate with that of what was removed, where there is least."""
    # About 0 to 0.3 for a good estimate, 1 where noise was kept, -1 where structure was invented.
    smooth, average = LocalMean(noisy, _FINE), LocalMean(noisy, _WINDOW)
    result, removed = (image - smooth(image) for image in (estimate, noisy - estimate))
    energy = average(result.square().mean(0)).flatten()
    flat = energy <= energy.median()
    one, other = (image.flatten(1)[:, flat].flatten() for image in (result, removed))
    return float(F.cosine_similarity(one, other, dim=0))


def calm_energy(noisy: Tensor, estimate: Tensor) -> float:
    """Return the logarithm of the energy of fine detail where an estimate has least of it."""
    smooth, average = LocalMean(noisy, _FINE), LocalMean(noisy, _WINDOW)
    energies = ((image - smooth(image)).square().mean(0) for image in (noisy, estimate))
    own, estimated = (average(energy).flatten() for energy in energies)
    return log_energy(own[estimated <= estimated.quantile(_OUTER)].sqrt())


def unevenness(noisy: Tensor, estimate: Tensor) -> float:
    """Say over what range the local power of what was removed varies at equal brightness."""
    # From the lowest to the highest tenth of the pixels, natural logarithm; white noise gives 0.2.
    average = LocalMean(noisy, _WIDER)
    removed = _local_log(average, (noisy - estimate).square().mean(0))
    removed = removed - quantile_by_brightness(removed, average(estimate.mean(0)), 0.5)
    removed = removed.sort().values
    low, high = (round(share * (len(removed) - 1)) for share in (_OUTER, 1 - _OUTER))
    return float(removed[high] - removed[low])


def coherence(image: Tensor) -> float:
    """Say how far the gradients of (C, H, W) agree on a direction, 0 (noise: below 0.1) to 1."""
    # Differences over two pixels: those of neighbours share one, and would agree by that alone.
    down = image[:, 2:, 1:-1] - image[:, :-2, 1:-1]
    across = image[:, 1:-1, 2:] - image[:, 1:-1, :-2]
    if down.numel() == 0:
        return 0.0
    average = LocalMean(down, _WINDOW)
    vertical, horizontal = average(down.square().sum(0)), average(across.square().sum(0))
    slanted = average((down * across).sum(0))
    agree = ((vertical - horizontal).square() + 4 * slanted.square()).sqrt().sum()
    energy = (vertical + horizontal).sum()
    return float(agree / energy) if energy > _LEAST else 0.0


def neighbour_correlations(image: Tensor) -> list[float]:
    """Return correlations of pixels, down, across and along both diagonals; 0 if there are none."""
    unit = image - image.mean((1, 2), keepdim=True)
    unit = (unit / unit.square().mean().sqrt().clamp(min=_LEAST)).clamp(-_OUTLIER, _OUTLIER)
    power = unit.square().mean().clamp(min=1e-12)
    pairs = [
        unit[:, 1:] * unit[:, :-1],
        unit[..., 1:] * unit[..., :-1],
        unit[:, 1:, 1:] * unit[:, :-1, :-1],
        unit[:, 1:, :-1] * unit[:, :-1, 1:],
    ]
    return [float(p.mean() / power) if p.numel() else 0.0 for p in pairs]


def neighbour_correlation(image: Tensor) -> float:
    """Return the mean of those down and across; one row or column has one of them."""
    down, across, *_ = neighbour_correlations(image)
    return (down + across) / (2 if min(image.shape[1:]) > 1 else 1)


def channel_correlation(image: Tensor) -> float:
    """Return the mean correlation between the channels of (C, H, W); 0 for a single one."""
    rows = image.flatten(1)
    rows = rows - rows.mean(1, keepdim=True)
    rows = rows / rows.norm(dim=1, keepdim=True).clamp(min=_LEAST)
    products, pairs = rows @ rows.T, len(image) * (len(image) - 1)
    return float((products.sum() - products.trace()) / pairs) if pairs else 0.0


def log_energy(image: Tensor) -> float:
    """Return the logarithm of the mean square."""
    return float(image.square().mean().clamp(min=_LEAST).log())


def _local_log(average: LocalMean, energy: Tensor) -> Tensor:
    """Return the logarithm of the local energy of (H, W), one number a pixel."""
    return average(energy).clamp(min=_LEAST).log().flatten()


def _gradient_energy(image: Tensor) -> Tensor:
    energy = torch.zeros_like(image[0])
    energy[:-1] += (image[:, 1:] - image[:, :-1]).square().mean(0)
    energy[:, :-1] += (image[:, :, 1:] - image[:, :, :-1]).square().mean(0)
    return energy
