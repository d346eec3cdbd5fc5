"""zspot as a denoiser of deepinv (https://deepinv.github.io), which need not be installed."""

from typing import Any

import torch
from torch import Tensor

from zspot.api import choose, denoise
from zspot.recipe import Recipe


class Denoiser(torch.nn.Module):
    """Called as deepinv calls its denoisers.

    Parameters
    ----------
    method, effort, seed
        As in `zspot.denoise`.

    Raises
    ------
    OptionError
        If the method or effort does not exist.
    """

    def __init__(self, method: str | Recipe = "auto", effort: str = "balanced", seed: int = 0):
        super().__init__()
        choose(method, effort)
        self.method, self.effort, self.seed = method, effort, seed

    def forward(self, y: Tensor, sigma: Any = None) -> Tensor:
        """Denoise each image of a batch (B, C, H, W), C from 1 to 4; shape, dtype, device stay.

        `sigma`, the noise level that deepinv passes, is accepted and ignored: zspot measures the
        noise. Intensities may have any range, [0, 1] as in deepinv among them. No gradient flows.
        """
        options: dict[str, Any] = {"effort": self.effort, "seed": self.seed, "channel_axis": 0}
        options["device"] = str(y.device)
        return torch.stack([denoise(image, self.method, **options) for image in y])
