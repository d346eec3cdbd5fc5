"""Point-like maxima, as stars and particles are: what an estimate loses of them comes back."""

import torch
import torch.nn.functional as F
from torch import Tensor

from zspot.filters.local import filtered

SCALES = (1.0, 1.5, 2.2)  # deviations of a point's profile, pixels
_SURE = 7.0  # response over its deviation by noise, from which a maximum is a point
_RING = 3.0  # distance in scales at which nothing of a point is left
_LEFT = 0.15  # share of the response that may be there, in any direction
_POOL = 33  # points of alike response whose loss is measured together
_SIDES = ((0, 1), (1, 0), (1, 1), (1, -1), (0, -1), (-1, 0), (-1, -1), (-1, 1))


def restore_points(estimate: Tensor, noisy: Tensor) -> Tensor:
    """Give point-like maxima the light that `noisy` has more of, both (C, H, W)."""
    return torch.stack([_restored(e, n) for e, n in zip(estimate, noisy, strict=True)])


def _restored(estimate: Tensor, noisy: Tensor) -> Tensor:
    """Measure the loss of points of alike brightness; give it back as Gaussian profiles."""
    responses = [_response(noisy, s) for s in SCALES]
    removed = noisy - estimate
    best, scale = torch.full_like(noisy, _SURE), torch.full_like(noisy, -1, dtype=torch.int8)
    for index, (s, response) in enumerate(zip(SCALES, responses, strict=True)):
        deviation = 1.4826 * _response(removed, s).abs().median().clamp(min=1e-12)
        ratio = response / deviation
        scale[ratio > best] = index
        best = torch.maximum(best, ratio)
    # Noise moves the maxima of `noisy` to where it adds light; they count where nothing is left.
    seen = _response(estimate, SCALES[0]) + 1e-3 * responses[0]
    highest = seen == F.max_pool2d(seen[None], 5, 1, 2)[0]
    for index, (s, response) in enumerate(zip(SCALES, responses, strict=True)):
        y, x = (highest & (scale == index)).nonzero(as_tuple=True)
        alone = _alone(response, y, x, round(_RING * s))
        y, x = y[alone], x[alone]
        if len(y):
            # What is lost near the top may lie at the foot: the light of both counts.
            lost, amount = 5 * _blurred(removed, 2 * s)[y, x], torch.zeros_like(noisy)
            amount[y, x] = _share(response[y, x], lost) * response[y, x]
            # Of a profile of height 1 there is 2 pi s^2.
            estimate = estimate + _blurred(amount, s) * (2 * torch.pi * s**2)
    return estimate


def _alone(response: Tensor, y: Tensor, x: Tensor, distance: int) -> Tensor:
    """Say of which places (N,) little of the response is left all around."""
    height, width = response.shape
    around = [
        response[(y + distance * v).clamp(0, height - 1), (x + distance * u).clamp(0, width - 1)]
        for v, u in _SIDES
    ]
    return torch.stack(around).amax(0) < _LEFT * response[y, x]


def _share(response: Tensor, lost: Tensor) -> Tensor:
    """Return what share of their response (N,) points of alike response have lost, 0 to 1."""
    order = response.argsort()
    sums = [F.pad(v[order].cumsum(0), (1, 0)) for v in (lost, response)]
    count = len(order)
    start = (torch.arange(count, device=order.device) - _POOL // 2).clamp(0, max(0, count - _POOL))
    end = (start + _POOL).clamp(max=count)
    share = torch.empty_like(response)
    share[order] = (sums[0][end] - sums[0][start]) / (sums[1][end] - sums[1][start])
    return share.clamp(0, 1)


def _response(image: Tensor, scale: float) -> Tensor:
    """Return the height of a Gaussian profile at each place, over what is around it."""
    twice = 2 * scale  # the surroundings; of a profile of height 1 there is 1/2 less 1/5 then
    return (_blurred(image, scale) - _blurred(image, twice)) / (1 / 2 - 1 / 5)


def _blurred(image: Tensor, scale: float) -> Tensor:
    reach = min(int(3 * scale + 0.5), *(n - 1 for n in image.shape))
    kernel = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * scale**2))
    padded = F.pad(image[None, None], (reach,) * 4, mode="reflect")[0, 0]
    return filtered(padded, kernel / kernel.sum())
