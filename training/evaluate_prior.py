"""Measure the warm start on the development images: `python -m training.evaluate_prior`.

PSNR of floats clipped to [0, 1], mean over the images of a set. Sets without a noisy version get
white Gaussian noise from `np.random.default_rng(0)`, started anew for every image and not clipped
before denoising.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torch import nn
from torch.nn import functional as F

from zspot.networks.pretrained import denoise, load

# Standard deviation of the white noise to add, of 255; None where the set has noisy images.
SETS: dict[str, int | None] = {
    "sidd_val": None,
    "fmdd": None,
    "polyu": None,
    "cc": None,
    "set9": 25,
    "bsd68": 25,
    "mcmaster": 50,
}


def direct(network: nn.Module, y: torch.Tensor) -> torch.Tensor:
    """Apply the network once."""
    return denoise(network, y)


def phases(network: nn.Module, y: torch.Tensor) -> torch.Tensor:
    """Denoise each of the four 2x2 phases by itself, where noise is less correlated."""
    height, width = y.shape[-2:]
    padded = F.pad(y, (0, width % 2, 0, height % 2), mode="replicate")
    count, channels = y.shape[:2]
    split = F.pixel_unshuffle(padded.flatten(0, 1)[:, None], 2)
    out = denoise(network, split.view(count, channels, 4, *split.shape[-2:]).transpose(1, 2)[0])
    joined = F.pixel_shuffle(out.transpose(0, 1), 2)
    return joined.view(count, channels, *padded.shape[-2:])[..., :height, :width]


def turned(network: nn.Module, y: torch.Tensor) -> torch.Tensor:
    """Average over the eight rotations and reflections."""
    total = torch.zeros_like(y)
    for turn in range(4):
        for mirrored in (False, True):
            view = torch.rot90(y, turn, (2, 3))
            view = denoise(network, view.flip(3) if mirrored else view)
            total += torch.rot90(view.flip(3) if mirrored else view, -turn, (2, 3))
    return total / 8


MODES: dict[str, Callable[[nn.Module, torch.Tensor], torch.Tensor]] = {
    "direct": direct,
    "phases": phases,
    "turned": turned,
}


def read(path: Path) -> np.ndarray:
    """Read an image as float32 in [0, 1], shape (H, W) or (H, W, 3)."""
    return np.asarray(Image.open(path)).astype(np.float32) / 255


def pairs(
    folder: Path, sigma: int | None, limit: int | None
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return name, clean and noisy image of a set, the first `limit` of evenly spread ones."""
    paths = sorted((folder / "clean").glob("*"))
    if limit is not None and limit < len(paths):
        paths = [paths[i] for i in np.linspace(0, len(paths) - 1, limit).round().astype(int)]
    result = []
    for path in paths:
        clean = read(path)
        if sigma is None:
            noisy = read(folder / "noisy" / path.name)
        else:
            noise = np.random.default_rng(0).standard_normal(clean.shape)
            noisy = (clean + sigma / 255 * noise).astype(np.float32)
        result.append((path.stem, clean, noisy))
    return result


def psnr(clean: np.ndarray, other: np.ndarray) -> float:
    """Compare floats clipped to [0, 1]."""
    return peak_signal_noise_ratio(clean, other.clip(0, 1), data_range=1)


def apply(
    network: nn.Module, noisy: np.ndarray, mode: Callable[[nn.Module, torch.Tensor], torch.Tensor]
) -> np.ndarray:
    """Run a mode on an array of shape (H, W) or (H, W, C)."""
    y = torch.from_numpy(noisy if noisy.ndim == 3 else noisy[..., None])
    with torch.inference_mode():
        out = mode(network, y.permute(2, 0, 1)[None])
    return out[0].permute(1, 2, 0).numpy().reshape(noisy.shape)


def main() -> None:
    """Print one line per set and mode."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default="colour", help="colour, grey or a safetensors file")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--limit", type=int, help="images per set")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save", type=Path, help="folder for the denoised images")
    parser.add_argument("--each", action="store_true", help="also a line per image")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    network = load(args.weights)
    print(f"{'set':9} {'mode':7} {'n':>3} {'noisy':>6} {'out':>6} {'worse':>5} {'s/image':>7}")
    for name in args.sets:
        images = pairs(args.data / name, SETS[name], args.limit)
        before = np.array([psnr(clean, noisy) for _, clean, noisy in images])
        for mode in args.modes:
            start, after = time.perf_counter(), []
            for stem, clean, noisy in images:
                out = apply(network, noisy, MODES[mode])
                after.append(psnr(clean, out))
                if args.save:
                    args.save.mkdir(parents=True, exist_ok=True)
                    both = np.concatenate([noisy, out, clean], 1).clip(0, 1)
                    Image.fromarray((255 * both).round().astype(np.uint8)).save(
                        args.save / f"{name}_{stem}_{mode}.png"
                    )
                if args.each:
                    print(f"  {name} {stem} {mode} {before[len(after) - 1]:.2f} {after[-1]:.2f}")
            seconds = (time.perf_counter() - start) / len(images)
            worse = int((np.array(after) < before).sum())
            print(
                f"{name:9} {mode:7} {len(images):3d} {before.mean():6.2f} {np.mean(after):6.2f} "
                f"{worse:5d} {seconds:7.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
