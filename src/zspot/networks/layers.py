"""What several networks share: a decoder, initial weights, features as a batch of phases."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

LEVELS = 5  # of the Noise2Noise U-Net


def decoder(
    conv: Callable[[int, int], nn.Module], width: int, channels: int
) -> tuple[nn.ModuleList, nn.Module]:
    """Return the way up of the Noise2Noise U-Net: two convolutions at each level, and the exit."""
    # A level sees the one below (2 w) beside what the encoder had: w, or at last the image.
    w, wide, thin = width, max(1, 4 * width // 3), max(1, 2 * width // 3)
    sizes = [(2 * w, 2 * w, 2 * w), *[(3 * w, 2 * w, 2 * w)] * (LEVELS - 2)]
    sizes.append((2 * w + channels, wide, thin))
    pairs = nn.ModuleList(nn.ModuleList([conv(a, b), conv(b, c)]) for a, b, c in sizes)
    return pairs, conv(thin, channels)


def split_phases(x: Tensor, step: int = 2) -> Tensor:
    """(N, C, sH, sW) -> (s^2 N, C, H, W): phase (i, j) holds rows i::s and columns j::s."""
    return torch.cat([x[..., i::step, j::step] for i in range(step) for j in range(step)])


def join_phases(x: Tensor, step: int = 2) -> Tensor:
    """Inverse of `split_phases`."""
    n, (c, h, w) = x.shape[0] // step**2, x.shape[1:]
    x = x.reshape(step, step, n, c, h, w).permute(2, 3, 4, 0, 5, 1)
    return x.reshape(n, c, step * h, step * w)


def he_weights(network: nn.Module, slope: float) -> None:
    """Give every convolution weights that keep the variance through leaky ReLUs, and no bias."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, a=slope)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
