"""A folder with bad files among the good, killed three times and resumed; 1 worker against 2.

    python -m benchmarks.batch_trial --out results/batch_trial.json

Makes 100 files (95 noisy crops of a photograph, 5 that are truncated, empty, mislabelled, NaN or
rubbish), denoises the folder with `zspot denoise --effort fast`, kills the program with SIGKILL
when a quarter, a half and three quarters are done, and lets the last run end. Every output is
compared byte for byte with the file denoised alone. Then the folder is timed with 1 and 2 workers.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import skimage.data
import torch

from zspot.files import denoise_file

SIZE = 64


def make(folder: Path, count: int) -> list[str]:
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


def trial(folder: Path, count: int) -> dict:
    source, out = folder / "in", folder / "out"
    good = make(source, count)
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
    out = folder / f"timed{workers}"
    started = time.perf_counter()
    start(folder / "in", out, workers).communicate()
    return round(time.perf_counter() - started, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("results/batch_trial.json"))
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="zspot-trial-"))
    try:
        row = trial(folder, given.count)
        row |= {f"seconds_{n}_workers": seconds(folder, n) for n in (1, 2)}
        row["load_at_end"] = round(os.getloadavg()[0], 1)
    finally:
        shutil.rmtree(folder)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(row, indent=2) + "\n")
    print(given.out.read_text())


if __name__ == "__main__":
    main()
