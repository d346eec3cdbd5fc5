"""Where the parts of a picture are in another one: block matching from coarse to fine."""

import torch
from torch import Tensor
from torch.nn import functional as F

_REACH, _FARTHEST = 1, 2  # of the search at each size, and at the smallest, pixels
_LEAST, _SIZES = 24, 5  # smallest side, pixels, and most sizes, each half of the one before
_SIDE = 21  # of the squares that are matched, pixels
_BETTER = 0.9  # a match must lower the difference to this share to be preferred
_FINE = 0.5  # of what is allowed: a whole-pixel match as good as that is not moved by less


def motion(image: Tensor, other: Tensor, allowed: Tensor) -> Tensor:
    """Return where pixels of (C, H, W) are in `other`, (2, H, W), if `allowed` is exceeded."""
    allowed = box_mean(allowed[None], _SIDE)[0]
    most = _drift(image, other)
    sizes = [(image, other)]
    while min(sizes[-1][0].shape[1:]) >= 2 * _LEAST and len(sizes) < _SIZES:
        sizes.append((F.avg_pool2d(sizes[-1][0], 2), F.avg_pool2d(sizes[-1][1], 2)))
    flow = image.new_zeros(2, *sizes[-1][0].shape[1:]) + most / 2 ** (len(sizes) - 1)
    for level in range(len(sizes) - 1, 0, -1):
        reach = _FARTHEST if level == len(sizes) - 1 else _REACH
        flow = _searched(*sizes[level], most / 2**level, flow, reach)
        flow = 2 * F.interpolate(flow[None], sizes[level - 1][0].shape[1:])[0]
    flow = _simpler(image, other, most, flow, allowed)[0]
    rest = torch.where(difference(image, moved(other, flow)) > _FINE * allowed, 1.0, 0.0)
    return flow + rest * _between(image, other, flow)


def moved(image: Tensor, flow: Tensor, mode: str = "bilinear") -> Tensor:
    """Return an image (C, H, W) as it is at each pixel's place plus `flow` (2, H, W)."""
    height, width = image.shape[1:]
    rows = torch.arange(height, dtype=flow.dtype, device=flow.device)[:, None] + flow[0]
    columns = torch.arange(width, dtype=flow.dtype, device=flow.device) + flow[1]
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], -1)
    return F.grid_sample(image[None], grid[None], mode, "border", align_corners=False)[0]


def box_mean(image: Tensor, side: int) -> Tensor:
    """Return the means of (C, H, W) over squares, of what of them lies inside the image."""
    half = side // 2  # along columns, then along rows: many times as fast as at once
    columns = F.avg_pool2d(image, (side, 1), 1, (half, 0), count_include_pad=False)
    return F.avg_pool2d(columns, (1, side), 1, (0, half), count_include_pad=False)


def difference(a: Tensor, b: Tensor, side: int = _SIDE) -> Tensor:
    """Return the mean square difference (H, W) of two images (C, H, W) over squares."""
    return box_mean((a - b).square().mean(0, keepdim=True), side)[0]


def _drift(image: Tensor, other: Tensor) -> Tensor:
    """Return the whole-pixel shift (2, 1, 1) of most of a picture, by phase correlation."""
    height, width = image.shape[1:]
    tapers = (torch.hann_window(n, False, device=image.device) for n in (height, width))
    window = torch.outer(*tapers)
    grey = ((x - x.mean((1, 2), keepdim=True)).mean(0) for x in (image, other))
    a, b = (torch.fft.rfft2(window * x) for x in grey)
    cross = a.conj() * b
    cross = cross / cross.abs().sqrt().clamp(min=1e-12)  # half way: not all frequencies hold signal
    peak = int(torch.fft.irfft2(cross, s=(height, width)).argmax())
    found = zip(divmod(peak, width), (height, width), strict=True)
    drift = image.new_tensor([at - size * (at > size // 2) for at, size in found])[:, None, None]
    rest = (image - moved(other, drift.expand(2, height, width))).square().mean()
    return drift if rest < _BETTER * (image - other).square().mean() else torch.zeros_like(drift)


def _simpler(
    a: Tensor, b: Tensor, most: Tensor, flow: Tensor, allowed: Tensor | float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return the motion of most of the picture where a flow is no better, and the difference."""
    usual = most.expand_as(flow)
    first, second = difference(a, moved(b, usual)), difference(a, moved(b, flow))
    simple = (first <= second / _BETTER) | (first <= allowed)
    return torch.where(simple, usual, flow), torch.where(simple, first, second)


def _searched(a: Tensor, b: Tensor, most: Tensor, flow: Tensor, reach: int) -> Tensor:
    """Return the whole-pixel flow that matches best around another one."""
    start, least = _simpler(a, b, most, flow)
    best, least = start, _BETTER * least
    steps = range(-reach, reach + 1)
    for step in ((i, j) for i in steps for j in steps if i or j):
        trial = start + a.new_tensor(step)[:, None, None]
        value = difference(a, moved(b, trial))
        best = torch.where(value < least, trial, best)
        least = torch.minimum(value, least)
    return best


def _between(image: Tensor, other: Tensor, flow: Tensor) -> Tensor:
    """Return the parts of a pixel at which parabolas through the differences are least."""
    middle, parts = difference(image, moved(other, flow)), []
    for step in torch.eye(2, device=flow.device)[:, :, None, None]:
        below = difference(image, moved(other, flow - step))
        above = difference(image, moved(other, flow + step))
        bend = below + above - 2 * middle
        part = (0.5 * (below - above) / bend.clamp(min=1e-12)).clamp(-1, 1)
        parts.append(torch.where((bend > 0) & (part.abs() > 0.1), part, 0.0))
    return torch.stack(parts)
