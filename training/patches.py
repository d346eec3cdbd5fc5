"""Clean patches of photographs: cut once on all processors, drawn at random, turned and varied."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor
from torch.nn import functional as F

from training.draw import Draw

SIDE = 128  # of a cut patch, pixels
_PER_TASK = 250  # patches that a process cuts with one seed
_SCALES = (1.0, 0.71, 0.5)

Photograph = list[Tensor]
"""uint8 (3, H, W) at each of `_SCALES` of its size."""


def load_photographs(folder: Path) -> list[Photograph]:
    """Read every image of a folder."""
    photographs = []
    for path in sorted(folder.glob("*")):
        image = Image.open(path).convert("RGB")
        levels = []
        for scale in _SCALES:
            size = (round(image.width * scale), round(image.height * scale))
            smaller = image if scale == 1 else image.resize(size, Image.Resampling.LANCZOS)
            levels.append(torch.from_numpy(np.array(smaller)).permute(2, 0, 1).contiguous())
        photographs.append(levels)
    return photographs


def crops(photographs: list[Photograph], count: int, size: int, generator: Generator) -> Tensor:
    """Cut random patches at random scales, flipped and turned.

    Parameters
    ----------
    photographs : list of list of Tensor
        As from `load_photographs`.
    count, size : int
        How many patches, and their side in pixels.
    generator : torch.Generator

    Returns
    -------
    Tensor (count, 3, size, size), in [0, 1]
    """
    patches = []
    rolls = torch.rand((count, 6), generator=generator).tolist()
    for which, scale, top, left, flip, turn in rolls:
        levels = photographs[int(which * len(photographs))]
        # A third is enlarged 1 to 3 times, a third reduced: content from blurred to crisp.
        level = int((scale - 0.64) / 0.18) + 1 if scale > 0.64 else 0
        image = levels[level]
        zoom = 1 + 2 * (0.34 - scale) / 0.34 if scale < 0.34 else 1.0
        side = min(round(size / zoom), *image.shape[1:])
        i, j = int(top * (image.shape[1] - side + 1)), int(left * (image.shape[2] - side + 1))
        patch = image[None, :, i : i + side, j : j + side].float().div_(255)
        if side != size:
            patch = F.interpolate(patch, size=(size, size), mode="bicubic").clamp_(0, 1)
        patch = torch.rot90(patch, int(turn * 4), (2, 3))
        patches.append(patch.flip(3) if flip < 0.5 else patch)
    return torch.cat(patches)


def augment(x: Tensor, generator: Generator) -> Tensor:
    """Vary colour, saturation and brightness of clean patches, staying in [0, 1]."""
    draw = Draw(generator, len(x))
    luma = x.mean(1, keepdim=True)
    x = luma + (x - luma) * draw.uniform(0.3, 1.6)
    x = x * (1 + 0.15 * draw.normal((len(x), 3, 1, 1)))
    changed = (x.clamp(0, 1) ** draw.log_uniform(0.6, 1.8)) * draw.uniform(0.5, 1.1)
    return torch.where(draw.coin(0.6), changed, x).clamp(0, 1)


def cut(photographs: list[Photograph], count: int, out: Path) -> None:
    """Cut patches on all processors and save them as uint8 (count, 3, SIDE, SIDE)."""
    torch.set_num_threads(1)
    _shared.extend(photographs)  # inherited by the processes, not sent to them
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as workers:
        parts = list(workers.imap(_cut_some, range(-(-count // _PER_TASK))))
    torch.save(torch.from_numpy(np.concatenate(parts)[:count]), out)


_shared: list[Photograph] = []


def _cut_some(seed: int) -> np.ndarray:
    """Cut the patches of one seed."""
    generator = torch.Generator().manual_seed(seed)
    return crops(_shared, _PER_TASK, SIDE, generator).mul_(255).round_().byte().numpy()


@dataclass(frozen=True, eq=False)
class Pool:
    """Cut patches, uint8 (N, 3, SIDE, SIDE), on the device that trains."""

    patches: Tensor

    def draw(self, count: int, size: int, generator: Generator) -> Tensor:
        """Take random patches, one random part of all, turned alike: (count, 3, size, size)."""
        rolls = torch.randint(2**31, (4,), generator=generator).tolist()
        chosen = torch.randint(len(self.patches), (count,), generator=generator)
        top, left = (roll % (SIDE - size + 1) for roll in rolls[:2])
        x = self.patches[chosen, :, top : top + size, left : left + size].float() / 255
        x = torch.rot90(x, rolls[2] % 4, (2, 3))
        return augment(x.flip(3) if rolls[3] % 2 else x, generator)
