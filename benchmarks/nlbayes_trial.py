"""How far closed-form non-local denoising gets: white noise, and camera noise told by an oracle.

    python -m benchmarks.nlbayes_trial --data DIR --out FILE.csv --sets set9 sidd_val [--every 3]

One row per image: dataset, name, psnr, ssim, seconds of CPU. Camera sets are told the covariance
measured from noisy minus clean of the same image, so their figures bound a real use from above.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
from skimage import io
from torch import Tensor
from torch.nn import functional as F

from benchmarks.metrics import quality
from zspot.filters.nonlocal_bayes import Pass, nl_bayes
from zspot.filters.patch_noise import PatchNoise

SIGMA = {"set9": 25, "bsd68": 25, "mcmaster": 50}
SCALES = {"sidd_val": 2, "cc": 1, "polyu": 1}


def read(path: Path) -> Tensor:
    """Read an 8-bit image as (C, H, W) float64 in [0, 1]."""
    image = torch.from_numpy(np.atleast_3d(io.imread(path)) / 255.0)
    return image.permute(2, 0, 1).contiguous()


def told(noisy: Tensor, clean: Tensor) -> PatchNoise:
    """Measure the noise of (C, H, W) `noisy` by its difference from `clean`."""
    return PatchNoise.measured(noisy.float(), clean.float(), follows=True)


def coarse_to_fine(
    noisy: Tensor, clean: Tensor, scales: int, passes: tuple[Pass, ...] | None
) -> Tensor:
    """Denoise the half-size image first and put it in place of the low frequencies."""
    if scales > 1:
        small = F.avg_pool2d(noisy, 2)
        better = coarse_to_fine(small, F.avg_pool2d(clean, 2), scales - 1, passes)
        change = (better - small)[None]
        noisy = noisy + F.interpolate(change, noisy.shape[1:], mode="bicubic")[0]
    return nl_bayes(noisy.float(), told(noisy, clean), passes=passes).to(noisy)


def stabilised(noisy: Tensor, clean: Tensor) -> Tensor:
    """Denoise Poisson-Gaussian noise by the generalised Anscombe transform.

    The inverse is the closed form of the unbiased one (Makitalo and Foi, IEEE TIP 22, 2013).
    """
    noise = told(noisy, clean)
    slope, level = noise.slope, noise.level
    assert slope is not None
    assert level is not None
    gain = float(slope.mean().clamp_min(1e-6))
    read_noise = float((noisy - clean).square().mean()) / gain**2 - float(level.mean()) / gain
    read_noise = max(read_noise, 0.0)
    stable = 2 * (noisy / gain + 0.375 + read_noise).clamp_min(0).sqrt()
    value = nl_bayes(stable.float(), PatchNoise.white(1.0, len(noisy))).to(noisy)
    value = value.clamp_min(2 * np.sqrt(0.375 + read_noise))
    root = np.sqrt(1.5)
    exact = value**2 / 4 + root / (4 * value) - 11 / (8 * value**2) + 5 * root / (8 * value**3)
    return gain * (exact - 0.125 - read_noise)


def denoise(name: str, clean: Tensor, noisy: Tensor | None) -> Tensor:
    """Denoise one image the way its set asks for."""
    if noisy is None:
        shape = clean.permute(1, 2, 0).squeeze(-1).shape
        draw = np.random.default_rng(0).normal(0, SIGMA[name] / 255, shape)
        noise = torch.from_numpy(np.atleast_3d(draw)).permute(2, 0, 1)
        white = PatchNoise.white(SIGMA[name] / 255, len(clean))
        return nl_bayes((clean + noise).float().contiguous(), white)
    if name == "fmdd":
        return stabilised(noisy, clean)
    return coarse_to_fine(noisy, clean, SCALES[name], None)


def score(clean: Tensor, result: Tensor) -> tuple[float, float]:
    """PSNR and SSIM as the design states them."""
    a, b = (t.double().permute(1, 2, 0).numpy() for t in (clean, result))
    return quality(a, b)


def main() -> None:
    """Run the sets asked for; write a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=[*SIGMA, *SCALES, "fmdd"])
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with args.out.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["dataset", "name", "psnr", "ssim", "cpu_seconds"])
        for name in args.sets:
            for path in sorted((args.data / name / "clean").iterdir())[:: args.every]:
                clean = read(path)
                pair = sorted((args.data / name / "noisy").glob(f"{path.stem}.*"))
                began = time.process_time()
                result = denoise(name, clean, read(pair[0]) if pair else None)
                spent = time.process_time() - began
                psnr, ssim = score(clean, result)
                table.writerow([name, path.name, f"{psnr:.3f}", f"{ssim:.4f}", f"{spent:.1f}"])
                file.flush()


if __name__ == "__main__":
    main()
