"""Trials of the whole program, each printed as JSON and written to a file if asked.

python -m benchmarks.robustness.trials folder        bad files, killed three times and resumed
python -m benchmarks.robustness.trials large-stack   a stack many times larger than its memory
python -m benchmarks.robustness.trials neighbours    one whose planes help each other, killed twice
python -m benchmarks.robustness.trials gpu-memory --data DIR   less and less of a GPU's memory
python -m benchmarks.robustness.trials memory        bytes per pixel of each method
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import skimage.data
import tifffile
import torch
import zarr

import zspot
from benchmarks import datasets
from zspot.algorithms.auto import pretrained_estimate
from zspot.core.memory import parse_size
from zspot.files import denoise_file

SIZE = 64
SIDE = 2048
NOISY_EVERY = 20  # planes of the large stack
_BESIDE, _HELPING = 2, 2  # planes to each side that are asked for; that do help a noisy one
_COMPARED = 5  # planes, at most
_METHODS_LEFT_OUT = ("n2n",)  # it needs a second image


# --- a folder with bad files among the good ------------------------------------------------------


def make_folder(folder: Path, count: int) -> list[str]:
    """Write the files; return the names of the good ones."""
    rng = np.random.default_rng(0)
    picture = skimage.data.chelsea()
    bad = {count // 6 * (i + 1): i for i in range(5)}
    good = []
    for number in range(count):
        y, x = (int(rng.integers(0, size - SIZE)) for size in picture.shape[:2])
        noisy = picture[y : y + SIZE, x : x + SIZE] + rng.normal(0, 20, (SIZE, SIZE, 3))
        path = folder / f"{number // 25}" / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        iio.imwrite(path, np.clip(noisy, 0, 255).astype(np.uint8))
        if number in bad:
            spoil(path, bad[number])
        else:
            good.append(str(path.relative_to(folder)))
    return good


def spoil(path: Path, kind: int) -> None:
    """Make a file bad in one of five ways."""
    content = path.read_bytes()
    if kind == 4:
        path.unlink()
        np.save(path.with_suffix(".npy"), np.full((SIZE, SIZE), np.nan, np.float32))
    else:
        path.write_bytes(
            [content[: len(content) // 2], b"", b"II*\0" + bytes(100), b"?" * 99][kind]
        )


def start(source: Path, out: Path, workers: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "zspot", "denoise", source, out, "--effort", "fast"]
    return subprocess.Popen(
        [*map(str, command), "--workers", str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_at(process: subprocess.Popen, out: Path, wanted: int) -> None:
    while process.poll() is None and len(list(out.rglob("*.png"))) < wanted:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def killed(folder: Path, count: int) -> dict[str, Any]:
    """Denoise the folder, killed at a quarter, a half and three quarters, and compare."""
    source, out = folder / "in", folder / "out"
    good = make_folder(source, count)
    for share in (0.25, 0.5, 0.75):
        kill_at(start(source, out, 2), out, int(share * count))
    last = start(source, out, 2)
    said, errors = last.communicate()
    torch.set_num_threads(1)
    right = 0
    for name in good:
        alone = folder / "alone.png"
        denoise_file(source / name, alone, effort="fast", overwrite=True)
        right += (out / name).read_bytes() == alone.read_bytes()
    left = [p.name for p in out.rglob(".*")]
    return {
        "files": count,
        "killed": 3,
        "exit_code": last.returncode,
        "outputs_right": right,
        "outputs_in_all": sum(1 for p in out.rglob("*.*") if p.suffix in (".png", ".npy")),
        "errors_reported": len(errors.splitlines()),
        "last_line": said.splitlines()[-1],
        "leftovers": left,
    }


def seconds(folder: Path, workers: int) -> float:
    """Return the seconds of the whole folder."""
    out = folder / f"timed{workers}"
    started = time.perf_counter()
    start(folder / "in", out, workers).communicate()
    return round(time.perf_counter() - started, 1)


def folder_trial(args: argparse.Namespace) -> dict[str, Any]:
    """Denoise 95 crops of a photograph and 5 bad files; outputs must be those of each alone.

    The bad ones are truncated, empty, mislabelled, NaN and rubbish. Then 1 worker against 2.
    """
    folder = Path(tempfile.mkdtemp(prefix="zspot-trial-"))
    try:
        row = killed(folder, args.count)
        row |= {f"seconds_{n}_workers": seconds(folder, n) for n in (1, 2)}
        row["load_at_end"] = round(os.getloadavg()[0], 1)
    finally:
        shutil.rmtree(folder)
    return row


# --- a stack many times larger than the memory it may use ----------------------------------------


def planes(count: int) -> Iterator[np.ndarray]:
    """Yield uint16 planes (SIDE, SIDE)."""
    picture = skimage.data.camera().astype(np.float32)
    picture = np.tile(picture, (SIDE // len(picture), SIDE // len(picture))) * 100
    for number in range(count):
        if number % NOISY_EVERY:
            yield np.full((SIDE, SIDE), number, np.uint16)
            continue
        noise = np.random.default_rng(number).normal(0, 2000, picture.shape)
        yield (picture + noise).clip(0, 65535).astype(np.uint16)


def large_stack_trial(args: argparse.Namespace) -> dict[str, Any]:
    """Run `zspot denoise` on a stack `--times` as large as its limit and measure its memory.

    Every 20th plane holds noise on a picture; the others are constant, which zspot hands back as
    they are: what is tried is that planes pass through one by one.
    """
    limit = parse_size(args.max_memory)
    count = -(-round(args.times * limit) // (SIDE * SIDE * 2))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tifffile.imwrite(
            folder / "in.tif", planes(count), shape=(count, SIDE, SIDE), dtype=np.uint16,
            bigtiff=True, metadata={"axes": "TYX"},
        )  # fmt: skip
        (folder / "warm.toml").write_text(pretrained_estimate("fast").to_toml())
        words = [sys.executable, "-m", "zspot", "denoise", "in.tif", "out.tif", "--quiet"]
        words += ["--recipe", "warm.toml", "--max-memory", args.max_memory, "--threads", "1"]
        started = time.perf_counter()
        subprocess.run(words, cwd=folder, check=True)
        spent = time.perf_counter() - started
        number = count - 1 if (count - 1) % NOISY_EVERY else count - 2
        last = tifffile.memmap(folder / "out.tif", mode="r")[number]
        return {
            "max_memory": args.max_memory,
            "stack_gb": round((folder / "in.tif").stat().st_size / 1e9, 3),
            "out_gb": round((folder / "out.tif").stat().st_size / 1e9, 3),
            "planes": count,
            "noisy_planes": -(-count // NOISY_EVERY),
            "seconds": round(spent, 1),
            "peak_gb": round(_kilobytes(resource.RUSAGE_CHILDREN) * 1024 / 1e9, 3),
            "last_plane_kept": bool((last == number).all()),
        }


# --- a store whose planes help each other --------------------------------------------------------


def still_planes(count: int, side: int, every: int) -> Iterator[np.ndarray]:
    """Yield uint16 planes of a picture that pans, three in `every` of them; others are constant."""
    picture = skimage.data.camera().astype(np.float32) * 100
    picture = np.tile(picture, (-(-side // len(picture)),) * 2)[:side, :side]
    for number in range(count):
        if number % every > _HELPING:
            yield np.full((side, side), number, np.uint16)
            continue
        noise = np.random.default_rng(number).normal(0, 2000, picture.shape)
        moved = np.roll(picture, number // 2, 1)
        yield (moved + noise).clip(0, 65535).astype(np.uint16)


def neighbours_trial(args: argparse.Namespace) -> dict[str, Any]:
    """Denoise a Zarr stack with neighbours, kill it twice, go on, and check planes one by one.

    The stack is `--planes` of `--side`, or `--times` as large as `--max-memory`. A plane depends on
    those that help it and on theirs alone: a run on these must give the same bytes.
    """
    side, limit = args.side, parse_size(args.max_memory)
    count = args.planes or -(-round(args.times * limit) // (side * side * 2))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = zarr.create_array(
            folder / "in.zarr", shape=(count, side, side), chunks=(1, side, side), dtype="u2",
            dimension_names=("t", "y", "x"), compressors=None,
        )  # fmt: skip
        for number, plane in enumerate(still_planes(count, side, args.every)):
            store[number] = plane
        words = [sys.executable, "-m", "zspot", "denoise", "in.zarr", "out.zarr", "--quiet"]
        words += ["--neighbours", str(_BESIDE), "--effort", "fast", "--max-memory", args.max_memory]
        kills = []
        for share in (1 / 3, 2 / 3):
            process = subprocess.Popen([*words, "--threads", "1"], cwd=folder)
            while process.poll() is None and _written(folder) < share * count:
                time.sleep(0.5)
            process.kill()
            process.wait()
            kills.append(_written(folder))
        subprocess.run([*words, "--threads", "1"], cwd=folder, check=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        out = zarr.open_array(folder / "out.zarr", mode="r")
        torch.set_num_threads(1)
        tried = list(range(1, count, args.every))
        tried = tried[:: -(-len(tried) // _COMPARED)]
        return {
            "max_memory": args.max_memory, "stack_gb": round(count * side * side * 2 / 1e9, 3),
            "planes": count, "side": side, "noisy_planes": sum(
                n % args.every <= _HELPING for n in range(count)
            ),
            "killed_after_planes": kills,
            "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
            "peak_gb": round(used.ru_maxrss * 1024 / 1e9, 3),
            "planes_compared": tried, "same_bytes": [_is_same(store, out, n) for n in tried],
        }  # fmt: skip


def _written(folder: Path) -> int:
    """Return how many planes are in the store or beside it, where it is being made."""
    # Folders come and go below it: unlike glob, walk passes over one that is gone.
    stores = [path for path in folder.iterdir() if "out.zarr" in path.name]
    return sum("0" in names for path in stores for _, _, names in os.walk(path))


def _is_same(store: Any, out: Any, number: int) -> bool:
    first, last = max(0, number - _BESIDE), min(store.shape[0], number + _BESIDE + 1)
    part = zspot.denoise(
        np.stack([store[n] for n in range(first, last)]), axes="TYX", effort="fast",
        neighbours=_BESIDE,
    )  # fmt: skip
    return bool((part[number - first] == out[number]).all())


def _kilobytes(who: int) -> int:
    return resource.getrusage(who).ru_maxrss


# --- memory --------------------------------------------------------------------------------------


def gpu_memory_trial(args: argparse.Namespace) -> dict[str, Any]:
    """Denoise four megapixels in shares of the GPU's memory: in less, then on the CPU."""
    name = datasets.find(args.data, "sidd_val").names()[0]
    noisy = datasets.load(args.data, datasets.Entry("sidd_val"), name).noisy
    times = (-(-SIDE // noisy.shape[0]), -(-SIDE // noisy.shape[1]), 1)
    large = np.tile(noisy, times)[:SIDE, :SIDE]
    found = {}
    for share in args.share:
        torch.cuda.set_per_process_memory_fraction(share)
        result = zspot.run(large, "auto", effort="fast", channel_axis=-1, device="cuda")
        torch.cuda.set_per_process_memory_fraction(1.0)
        seconds = round(result.timings["total"], 1)
        found[str(share)] = {"seconds": seconds, "reason": result.reason}
    return found


_CHILD = """
import resource, sys, torch
from dataclasses import replace
from functools import partial
import zspot
from zspot.core.memory import resident
from zspot.engine import budget, run
name, side, channels = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
y = torch.randn(channels, side, side, generator=torch.Generator().manual_seed(0))
y = y + 3 * y.mean(0, keepdim=True).cumsum(1) / side**0.5
y = (y - y.mean()) / y.std()
made = zspot.methods()[name].make("balanced")
estimate = 0
if isinstance(made, zspot.Recipe):
    made = replace(made, fit=replace(made.fit, steps=2), predict=replace(made.predict, passes=1))
    planned, _ = budget.plan(made, y.shape)
    estimate = budget.needed(planned, y.shape) - resident()
    made = partial(run, made)
before = resident()
made(y, seed=0)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(round((peak - before) / side**2), round(estimate / side**2))
"""


def memory_trial(args: argparse.Namespace) -> dict[str, Any]:
    """Return what a run of few steps adds at its peak, and the estimate, in bytes per pixel."""
    found = {}
    for name in args.methods or [m for m in zspot.methods() if m not in _METHODS_LEFT_OUT]:
        for channels in ("1", "3"):
            for side in ("256", "512"):
                words = [sys.executable, "-c", _CHILD, name, side, channels]
                done = subprocess.run(words, capture_output=True, text=True, check=False)
                said = done.stdout.split() or done.stderr.strip().splitlines()[-1:]
                found[f"{name}, {channels} x {side} x {side}"] = " of ".join(said)
                print(name, channels, side, *said, file=sys.stderr, flush=True)
    return found


TRIALS = {
    "folder": folder_trial, "large-stack": large_stack_trial, "neighbours": neighbours_trial,
    "gpu-memory": gpu_memory_trial, "memory": memory_trial,
}  # fmt: skip


def main() -> None:
    """Run one trial."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trial", choices=list(TRIALS))
    parser.add_argument("--out", type=Path, help="JSON file")
    parser.add_argument("--count", type=int, default=100, help="files of the folder")
    parser.add_argument("--max-memory", default="800MB", help="of the stacks")
    parser.add_argument("--planes", type=int, default=0, help="of neighbours; 0: by --times")
    parser.add_argument("--side", type=int, default=SIDE, help="of these planes, pixels")
    parser.add_argument("--every", type=int, default=100, help="three in so many hold a picture")
    parser.add_argument("--times", type=float, default=10, help="stack over memory")
    parser.add_argument("--data", type=Path, help="folder of the image sets, for gpu-memory")
    parser.add_argument("--share", type=float, nargs="+", default=[1.0, 0.05, 0.008])
    parser.add_argument("--methods", nargs="+", help="for memory")
    args = parser.parse_args()
    if args.trial == "gpu-memory" and args.data is None:
        parser.error("--data names the folder of the image sets")
    text = json.dumps(TRIALS[args.trial](args), indent=1) + "\n"
    print(text, end="")
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text)


if __name__ == "__main__":
    main()
