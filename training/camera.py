"""A camera, from linear light through a Bayer sensor to a developed (and compressed) picture.

The demosaicking filters are the bilinear ones and those of Malvar, He and Cutler, "High-quality
linear interpolation for demosaicing of Bayer-patterned color images", ICASSP 2004. Both are
linear, so the noise is demosaicked alone and added to the clean linear image: the clean target
has no demosaicking artefacts.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from training.draw import Draw, filter_each, gaussian_kernels

_CROSS = [[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]
_ROW = [
    [0, 0, 0.5, 0, 0],
    [0, -1, 0, -1, 0],
    [-1, 4, 5, 4, -1],
    [0, -1, 0, -1, 0],
    [0, 0, 0.5, 0, 0],
]
_DIAGONAL = [
    [0, 0, -1.5, 0, 0],
    [0, 2, 0, 2, 0],
    [-1.5, 0, 6, 0, -1.5],
    [0, 2, 0, 2, 0],
    [0, 0, -1.5, 0, 0],
]


def camera(
    x: torch.Tensor,
    draw: Draw,
    gain: tuple[float, float],
    read: tuple[float, float],
    processed: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Take noisy pictures of clean patches.

    Parameters
    ----------
    x : tensor of shape (N, 3, H, W)
        Clean patches in [0, 1], as displayed.
    draw : Draw
    gain, read : (low, high)
        Ranges of the raw noise: variance = gain * value + read ** 2.
    processed : float
        Share of the patches whose noise is smoothed and compressed in the camera.

    Returns
    -------
    clean, noisy : tensor of the shape of `x`
    """
    tone = _Tone(draw)
    light = tone.inverse(x) * torch.where(draw.coin(0.5), draw.log_uniform(0.04, 1), torch.ones(()))
    matrix, balance = _colour_matrix(draw), _balance(draw)
    sensor = _mix(torch.linalg.inv(matrix), light).clamp(min=0) / balance
    noise = _raw_noise(sensor, draw, draw.log_uniform(*gain), draw.log_uniform(*read))
    # Most pipelines cut negative colours before the matrix.
    kept = torch.maximum(noise, -sensor)
    noise = _mix(matrix, torch.where(draw.coin(0.6), kept, noise) * balance)
    clean, noisy = tone(light), tone(light + noise)
    done = _process(clean, noisy, draw)
    return clean, torch.where(draw.coin(processed), done, noisy).clamp(0, 1)


class _Tone:
    """A gamma curve with a finite slope at black; linear below it."""

    def __init__(self, draw: Draw) -> None:
        self.power = 1 / draw.uniform(2.0, 2.8)
        self.toe = draw.log_uniform(4e-5, 3e-3)
        self.low = self.toe**self.power
        self.scale = 1 / ((1 + self.toe) ** self.power - self.low)

    def __call__(self, light: torch.Tensor) -> torch.Tensor:
        lit = ((light.clamp(min=0) + self.toe) ** self.power - self.low) * self.scale
        return lit.clamp(0, 1)

    def inverse(self, x: torch.Tensor) -> torch.Tensor:
        return (x / self.scale + self.low).clamp(min=0) ** (1 / self.power) - self.toe


def _colour_matrix(draw: Draw) -> torch.Tensor:
    """Draw matrices from sensor to display colours; rows sum to 1, off-diagonals mostly < 0."""
    strength = torch.rand((draw.count, 3), generator=draw.generator) * 0.65 + 0.05
    # How much of it red takes from green, green from red, blue from green.
    split = torch.rand((draw.count, 3), generator=draw.generator) * torch.tensor([0.6, 0.6, 0.4])
    split = split + torch.tensor([0.4, 0.2, 0.7])
    r, g, b = strength.unbind(1)
    p, q, s = split.unbind(1)
    rows = [
        torch.stack([1 + r, -r * p, -r * (1 - p)], 1),
        torch.stack([-g * q, 1 + g, -g * (1 - q)], 1),
        torch.stack([-b * (1 - s), -b * s, 1 + b], 1),
    ]
    return torch.stack(rows, 1)


def _balance(draw: Draw) -> torch.Tensor:
    one = torch.ones((draw.count, 1, 1, 1))
    return torch.cat([draw.uniform(1.2, 2.4), one, draw.uniform(1.2, 2.4)], 1)


def _mix(matrix: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return torch.bmm(matrix, x.flatten(2)).view_as(x)


def _raw_noise(
    sensor: torch.Tensor, draw: Draw, gain: torch.Tensor, read: torch.Tensor
) -> torch.Tensor:
    """Return the noise of a Bayer sensor, demosaicked to three channels."""
    masks = _bayer(draw, sensor.shape[-2:])
    raw = (sensor * masks).sum(1, keepdim=True)
    # Few photons: the skew of the Poisson law darkens the picture once the tone curve bends it.
    shot = torch.poisson(raw / gain, generator=draw.generator) * gain - raw
    noise = shot + read * draw.normal(raw.shape)
    # Some raw files are cut at the black level, all at the white.
    floor = torch.where(draw.coin(0.1), torch.zeros(()), torch.full((), -1.0))
    noise = torch.minimum(torch.maximum(raw + noise, floor), raw.clamp(min=1.0)) - raw
    blend = torch.where(draw.coin(0.3), draw.uniform(0, 1), draw.coin(0.8).float())
    return blend * _malvar(noise, masks) + (1 - blend) * _bilinear(noise, masks)


def _bayer(draw: Draw, size: tuple[int, int] | torch.Size) -> torch.Tensor:
    """Return red, green, blue masks (N, 3, H, W), each patch in one of the four phases."""
    height, width = size
    rows = torch.arange(height).view(1, 1, -1, 1) + draw.coin(0.5).int()
    columns = torch.arange(width).view(1, 1, 1, -1) + draw.coin(0.5).int()
    odd_row, odd_column = rows % 2 == 1, columns % 2 == 1
    red, blue = ~odd_row & ~odd_column, odd_row & odd_column
    return torch.cat([red, ~(red | blue), blue], 1).float()


def _bilinear(noise: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    tent = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    plus = torch.tensor([[0.0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
    weight = torch.stack([tent, plus, tent])[:, None]
    return F.conv2d(F.pad(noise * masks, (1,) * 4, mode="reflect"), weight, groups=3)


def _malvar(noise: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    row = torch.tensor(_ROW)
    bank = torch.stack([torch.tensor(_CROSS).float(), row, row.T, torch.tensor(_DIAGONAL)]) / 8
    cross, along, across, diagonal = F.conv2d(
        F.pad(noise, (2,) * 4, mode="reflect"), bank[:, None]
    ).split(1, 1)
    red, green, blue = masks.split(1, 1)
    # A green pixel lies in a red row where its horizontal neighbours are red.
    red_row = green * red.amax(-1, keepdim=True)
    blue_row = green - red_row
    return torch.cat(
        [
            red * noise + red_row * along + blue_row * across + blue * diagonal,
            green * noise + (red + blue) * cross,
            blue * noise + blue_row * along + red_row * across + red * diagonal,
        ],
        1,
    )


def _process(clean: torch.Tensor, noisy: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Smooth the noise, colour noise more, and compress, as cameras do."""
    noise = noisy - clean
    luma = noise.mean(1, keepdim=True)
    chroma = (noise - luma) * draw.uniform(0.4, 1.6)
    # The colour noise of reflex cameras is wide: 0.8 to 0.95 of it is shared by neighbours.
    chroma = filter_each(chroma, gaussian_kernels(draw, draw.uniform(0.5, 3.2), 13))
    luma = filter_each(luma, gaussian_kernels(draw, draw.uniform(0.35, 1.1), 11))
    done = (clean + luma + chroma).clamp(0, 1)
    return torch.where(draw.coin(0.7), _jpeg(done, draw), done)


def _jpeg(x: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Round the 8x8 cosine coefficients of brightness and colour, more at high frequencies."""
    shift = torch.randint(8, (2,), generator=draw.generator).tolist()
    x = x.roll(shift, (2, 3))
    luma = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    planes = torch.cat([luma, x[:, 2:] - luma, x[:, :1] - luma], 1)
    k = torch.arange(8)
    dct = torch.cos(math.pi / 8 * (k[None] + 0.5) * k[:, None]) / 2
    dct[0] /= math.sqrt(2)
    n, c, h, w = planes.shape
    blocks = planes.view(n, c, h // 8, 8, w // 8, 8).transpose(3, 4)
    slope = 1 + (k[:, None] + k[None]).float() * 0.5
    colour = torch.tensor([1.0, 2.5, 2.5]).view(1, 3, 1, 1)
    step = (draw.log_uniform(0.6, 6) / 255 * colour)[..., None, None] * slope
    coefficients = ((dct @ blocks @ dct.T) / step).round() * step
    planes = (dct.T @ coefficients @ dct).transpose(3, 4).reshape(n, c, h, w)
    luma, blue, red = planes.split(1, 1)
    r, b = red + luma, blue + luma
    g = (luma - 0.299 * r - 0.114 * b) / 0.587
    return torch.cat([r, g, b], 1).roll([-s for s in shift], (2, 3))
