"""An image at half its size, and an estimate of that put back: coarse grain is seen there."""

import torch
from scipy.fft import dctn, idctn
from torch import Tensor

_TAKEN = 0.7  # share of the frequencies of the half image that are taken; its highest ones ring


def halved(image: Tensor) -> Tensor:
    """Return (C, H, W) at half its size, rounded up, in the same units: the low half of its DCT."""
    spectrum = _forward(image)
    height, width = ((size + 1) // 2 for size in image.shape[1:])
    low = spectrum[:, :height, :width] * (height * width / image[0].numel()) ** 0.5
    return _backward(low, image)


def joined(fine: Tensor, coarse: Tensor) -> Tensor:
    """Return `fine` (C, H, W) with the low frequencies of `coarse`, an image as from `halved`."""
    spectrum, low = _forward(fine), _forward(coarse)
    height, width = (max(1, int(_TAKEN * size)) for size in low.shape[1:])
    ratio = (coarse[0].numel() / fine[0].numel()) ** 0.5
    spectrum[:, :height, :width] = low[:, :height, :width] / ratio
    return _backward(spectrum, fine)


def _forward(image: Tensor) -> Tensor:
    return torch.from_numpy(dctn(image.cpu().numpy(), axes=(1, 2), norm="ortho"))


def _backward(spectrum: Tensor, like: Tensor) -> Tensor:
    return torch.from_numpy(idctn(spectrum.numpy(), axes=(1, 2), norm="ortho")).to(like)
