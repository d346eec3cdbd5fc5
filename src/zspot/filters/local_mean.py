"""Local means in Gaussian windows."""

import torch
from torch import Tensor
from torch.nn import functional as F


class LocalMean:
    """Gaussian mean of images of the size, dtype and device of `like`, over the pixels that exist.

    It has one value for each `cell` x `cell` pixels; `window` is the standard deviation in cells.
    """

    def __init__(self, like: Tensor, window: float, cell: int = 1) -> None:
        height, width = like.shape[-2:]
        self._pad = (0, -width % cell, 0, -height % cell)
        self._cell = cell
        reach = max(1, round(3 * window))
        x = torch.arange(-reach, reach + 1, dtype=like.dtype, device=like.device)
        self._kernel = torch.exp(-0.5 * (x / window) ** 2)
        self._weight = self._blur(like.new_ones(height, width))

    def __call__(self, image: Tensor) -> Tensor:
        """Average (H, W) to (ceil(H / cell), ceil(W / cell))."""
        return self._blur(image) / self._weight

    def _blur(self, image: Tensor) -> Tensor:
        """Average cells, then in Gaussian windows that count 0 beyond the image."""
        cells = F.avg_pool2d(F.pad(image, self._pad)[None], self._cell)[None]
        reach = len(self._kernel) // 2
        rows = F.conv2d(cells, self._kernel.view(1, 1, -1, 1), padding=(reach, 0))
        return F.conv2d(rows, self._kernel.view(1, 1, 1, -1), padding=(0, reach))[0, 0]
