"""How strong is correlated noise, and does `auto` know? See `zspot.algorithms.auto.strength`.

    python -m benchmarks.strengths --data DIR [--sets polyu,cc] [--effort balanced] [--out FILE.csv]

The middle 256 x 256 of each image, with the strength that `auto` chose and with each that it can
choose. Cameras and microscopes are noisy as they come; the references of the other sets get
correlated noise of 4 and 10 of 255, of the same pattern in all channels or not, and 8 bits. Images
for which `auto` does not come to this choice are left out.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import zspot
from benchmarks.auto import pairs
from benchmarks.datasets import middle
from benchmarks.metrics import quality
from benchmarks.noises import parse
from zspot.algorithms.auto.strength import TIMES

REAL = ("sidd_val", "fmdd", "polyu", "cc")
MADE = ("set9", "bsd68", "mcmaster")
COLUMNS = ("set", "image", "noise", "chosen", "psnr", *(f"psnr_x{t:g}" for t in TIMES), "reason")
_SIDE = 256
_COMMON = 0.8  # share, of the deviation, of a pattern that all channels have


def cases(data: Path, name: str, every: int) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Yield (image, name of its noise, noisy, clean) in [0, 1] or 8 bits."""
    for image, noisy, clean in list(pairs(data, name, None))[::every]:
        clean = middle(clean, _SIDE)
        if name in REAL:
            yield image, "", middle(noisy, _SIDE), clean
            continue
        for level in (4, 10):
            own = parse(f"correlated:{level}")(clean, 0) - clean
            yield image, f"{level}", _rounded(clean + own), clean
            if clean.ndim == 3:
                mixed = _COMMON * own[..., :1] + (1 - _COMMON**2) ** 0.5 * own
                yield image, f"{level} common", _rounded(clean + mixed), clean


def _rounded(image: np.ndarray) -> np.ndarray:
    return np.rint(255 * image.clip(0, 1)).astype(np.uint8)


def trial(noisy: np.ndarray, clean: np.ndarray, effort: str) -> list | None:
    """Return the strength chosen, its PSNR, that of each strength and the reason."""
    axis = -1 if noisy.ndim == 3 else None
    top = 255 if noisy.dtype == np.uint8 else 1
    chosen = zspot.run(noisy, effort=effort, channel_axis=axis)
    if chosen.recipe is None or "times as strong" not in chosen.reason:
        return None
    found = [quality(clean, chosen.image / top)[0]]
    for times in TIMES:
        finish = replace(chosen.recipe.finish, removed=times)
        image = zspot.denoise(noisy, replace(chosen.recipe, finish=finish), channel_axis=axis)
        found.append(quality(clean, image / top)[0])
    return [chosen.recipe.finish.removed, *(round(v, 3) for v in found), chosen.reason]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join((*REAL, *MADE)))
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--every", type=int, default=1, help="only every n-th image")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in arguments.sets.split(","):
        for image, noise, noisy, clean in cases(arguments.data, name, arguments.every):
            row = trial(noisy, clean, arguments.effort)
            if row is not None:
                rows.append([name, image, noise, *row])
                print(*rows[-1][:-1], flush=True)
    for name in dict.fromkeys(row[0] for row in rows):
        mine = [row for row in rows if row[0] == name]
        means = (statistics.mean(row[k] for row in mine) for k in range(4, 5 + len(TIMES)))
        best = statistics.mean(max(row[5 : 5 + len(TIMES)]) for row in mine)
        print(f"{name:10} {len(mine):3}", *(f"{mean:.2f}" for mean in means), f"best {best:.2f}")
    if arguments.out:
        with arguments.out.open("w", newline="") as stream:
            csv.writer(stream).writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
