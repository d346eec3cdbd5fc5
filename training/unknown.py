"""Check the rule by which `auto` tells noise that the network does not know from texture.

    python -m training.unknown measure --photographs FOLDER --out unknown.csv
    python -m training.unknown score docs/results/unknown_noise.csv

`measure` adds a row for each photograph and noise on which `auto` would try it: what
`zspot.algorithms.auto.unknown.measures` says, and the PSNR (of an image of deviation 1, effort
fast) of the noisy image, of the usual way and of the noise made white. What has a row is not
measured again. `score` prints how much the rule gains over the usual way, and the best choice.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from benchmarks import noises
from benchmarks.datasets import middle
from zspot.algorithms.auto import unknown
from zspot.algorithms.auto.choice import made_white
from zspot.algorithms.auto.denoiser import Auto
from zspot.engine import run

KNOWN = ("clean", "white:2", "white:4", "white:8", "correlated:2")
UNKNOWN = (
    "grain:20", "grain:10", "upscaled:20/1.5", "upscaled:10/1.5", "ringing:25", "ringing:12",
    "diagonal:20/0.5", "jpeg:20/40",
)  # fmt: skip
_SIDE = 256  # of the middle of a photograph, pixels
_MOST = 60.0  # dB of what is the same


def images(folder: Path, every: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield photographs, in turn in colour and grey."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))
    for number, path in enumerate(files[::every]):
        picture = Image.open(path).convert("RGB" if number % 2 else "L")
        values = np.asarray(picture).astype(np.float64) / 255
        if min(values.shape[:2]) >= _SIDE:
            yield path.stem, middle(values, _SIDE)


def row_of(clean: np.ndarray, noise: str) -> dict[str, float | bool] | None:
    """Measure an image with a noise; None where `auto` does not try it."""
    noisy = clean
    if noise != "clean":
        add = noises.parse(noise).add
        assert add is not None
        noisy = add(clean, 0)
    noisy = np.rint(255 * noisy.clip(0, 1)) / 255
    planes = [torch.from_numpy(np.atleast_3d(a)).movedim(-1, 0).float() for a in (noisy, clean)]
    mean, deviation = planes[0].mean(), planes[0].std()
    plane, truth = (((one - mean) / deviation).contiguous() for one in planes)
    choice, noise_found = Auto("fast").usual(plane, None, None)
    if noise_found is None:
        return None
    found, grows = unknown.measures(choice, plane, noise_found), noise_found.grows
    usual = unknown.usual_way(choice, plane)
    ways = {"usual": usual, "white": made_white(len(plane), "fast", grows)}
    reached = {"noisy": plane} | {name: run(recipe, plane).mean for name, recipe in ways.items()}
    errors = {name: float((one - truth).square().mean()) for name, one in reached.items()}
    psnr = {name: round(min(_MOST, -10 * np.log10(e + 1e-9)), 2) for name, e in errors.items()}
    shown = {name: round(value, 4) for name, value in found.items()}
    return {**shown, "faint": choice.evidence.is_faint, **psnr}


def measure(folder: Path, out: Path, every: int) -> None:
    """Add the rows that are missing to a CSV file; a pair that is not tried has only its names."""
    rows = pd.read_csv(out).to_dict("records") if out.exists() else []
    done = {(row["photograph"], row["noise"]) for row in rows}
    for name, clean in images(folder, every):
        for noise in (*KNOWN, *UNKNOWN):
            if (name, noise) not in done:
                rows.append({"photograph": name, "noise": noise, **(row_of(clean, noise) or {})})
                pd.DataFrame(rows).to_csv(out, index=False)
                print(name, noise, flush=True)


def score(path: Path) -> pd.DataFrame:
    """Return the mean gain of the rule and of the best choice over the usual way, by noise."""
    rows = pd.read_csv(path)
    tried = rows.dropna(subset=["white"]).copy()
    names = ("share", "unevenness", "coherence", "along detail", "coarser", "variance")
    told = [
        unknown.is_noise(bool(row["faint"]), {name: row[name] for name in names})
        for _, row in tried.iterrows()
    ]
    gain = tried["white"] - tried["usual"]
    tried["taken"], tried["rule"], tried["best"] = told, gain.where(told, 0.0), gain.clip(lower=0)
    tried["worst"] = tried["rule"]
    found = tried.groupby("noise").agg(
        tried=("rule", "size"), taken=("taken", "sum"), rule=("rule", "mean"),
        best=("best", "mean"), worst=("worst", "min"),
    )  # fmt: skip
    found.insert(0, "images", rows.groupby("noise").size())
    return found.round(2)


def main() -> None:
    """Run a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("--photographs", type=Path, required=True)
    measuring.add_argument("--out", type=Path, required=True)
    measuring.add_argument("--every", type=int, default=24)
    commands.add_parser("score").add_argument("rows", type=Path)
    args = parser.parse_args()
    if args.command == "score":
        print(score(args.rows).to_string())
    else:
        measure(args.photographs, args.out, args.every)


if __name__ == "__main__":
    main()
