"""A stack many times larger than the memory it may use.

    python -m benchmarks.stack_memory [--max-memory 800MB] [--times 10] [--out FILE.json]

Makes a BigTIFF of 16-bit planes of 2048 x 2048 pixels, `--times` as large as the limit, and runs
`zspot denoise` on it in a process of its own, whose largest resident memory is measured. Every
`--every`-th plane holds noise on a picture; the others are constant, which zspot hands back as they
are: what is tried is that planes pass through one by one, not how fast they are denoised.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import skimage.data
import tifffile

from zspot.algorithms.auto import pretrained_estimate
from zspot.core.memory import parse_size

SIDE = 2048


def planes(count: int, every: int):
    """Yield uint16 planes (SIDE, SIDE)."""
    picture = skimage.data.camera().astype(np.float32)
    picture = np.tile(picture, (SIDE // len(picture), SIDE // len(picture))) * 100
    for number in range(count):
        if number % every:
            yield np.full((SIDE, SIDE), number, np.uint16)
            continue
        noise = np.random.default_rng(number).normal(0, 2000, picture.shape)
        yield (picture + noise).clip(0, 65535).astype(np.uint16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-memory", default="800MB")
    parser.add_argument("--times", type=float, default=10)
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    limit = parse_size(arguments.max_memory)
    count = -(-round(arguments.times * limit) // (SIDE * SIDE * 2))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shape = (count, SIDE, SIDE)
        tifffile.imwrite(
            folder / "in.tif", planes(count, arguments.every), shape=shape, dtype=np.uint16,
            bigtiff=True, metadata={"axes": "TYX"},
        )  # fmt: skip
        (folder / "warm.toml").write_text(pretrained_estimate("fast").to_toml())
        words = [sys.executable, "-m", "zspot", "denoise", "in.tif", "out.tif", "--quiet"]
        words += ["--recipe", "warm.toml", "--max-memory", arguments.max_memory, "--threads", "1"]
        started = time.perf_counter()
        subprocess.run(words, cwd=folder, check=True)
        found = {
            "max_memory": arguments.max_memory,
            "stack_gb": round((folder / "in.tif").stat().st_size / 1e9, 3),
            "out_gb": round((folder / "out.tif").stat().st_size / 1e9, 3),
            "planes": count,
            "noisy_planes": -(-count // arguments.every),
            "seconds": round(time.perf_counter() - started, 1),
            "peak_gb": round(
                resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9, 3
            ),
            "last_plane_kept": _last_is_kept(folder, count, arguments.every),
        }
    print(json.dumps(found, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=1) + "\n")


def _last_is_kept(folder: Path, count: int, every: int) -> bool:
    number = count - 1 if (count - 1) % every else count - 2
    last = tifffile.memmap(folder / "out.tif", mode="r")[number]
    return bool((last == number).all())


if __name__ == "__main__":
    main()
