"""Fit the line by which `auto` tells how strong correlated noise is.

    python -m training.strength measure --data DATA --photographs FOLDER --out strength.csv
    python -m training.strength fit docs/results/strength_fit.csv

`measure` writes a row for each part that `auto` would try strengths on: what
`zspot.algorithms.auto.strength.measures` says of it, and the PSNR that each strength reaches. What
has a row is not measured again. `fit` prints the line, and what it gains over the strength in the
column `chosen` on scenes that were left out of the fit, of ten parts of all scenes each in turn.
"""

from __future__ import annotations

import argparse
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image

from benchmarks import noises
from benchmarks.datasets import find, middle
from zspot.algorithms.auto.choice import kind_of_noise
from zspot.algorithms.auto.denoiser import Auto
from zspot.algorithms.auto.strength import SIDES, measures, trial

TIMES = (1.0, 2.0, 3.0, 5.0, 8.0)
_SIDE = 256  # of parts that are judged, pixels; their middle is what strengths are tried on
_EVERY = 6  # which photographs
_FOLDS = 10
_RIDGE = 1.0
_REAL = ("cc", "polyu", "sidd_val", "fmdd")
_WEIGHT = {"colour": 2.0, "grey": 2.0, "strong colour": 8.0}  # of real noise; of simulated 1
_MATTERS = (0.05, 2.0)  # weight of a row: by how many dB strengths differ on it, within these
NAMES = (
    "removed", "more", "in calm places", "coherence", "coherence left", "coherence lost",
    "first correlation", "correlation", "shared by channels",
)  # fmt: skip
# Noise of photographs; a number after a space is the quality of a JPEG file that it goes through.
_COLOUR = (
    "correlated:3", "correlated:6", "correlated:12", "common:4", "common:9", "camera:0.002/0.002",
    "camera:0.005/0.005", "camera:0.01/0.01", "camera:0.002/0.002 92", "camera:0.005/0.005 95",
    "correlated:5 90", "upscaled:8/1.5", "correlated:4 96", "camera:0.001/0.003 90",
)  # fmt: skip
_STRONG = (
    "correlated:20", "correlated:35", "common:25", "camera:0.02/0.02", "camera:0.05/0.05",
    "upscaled:25/1.5", "both:25/0.6", "correlated:25 80", "camera:0.03/0.02 90",
)  # fmt: skip
_UNKNOWN = (  # to the network
    "grain:20", "jpeg:20/30", "upscaled:20/1.5", "jpeg:20/60", "grain:10", "jpeg:10/40",
)  # fmt: skip
_GREY = (
    "correlated:3", "correlated:6", "correlated:12", "correlated:20", "upscaled:8/1.5",
    "correlated:5 90", "correlated:4 96", "correlated:10 80", "both:15/0.3", "rows:12/0.4",
)  # fmt: skip


class Part(NamedTuple):
    """A part of an image; scenes are never split between fit and test."""

    group: str
    scene: str
    name: str
    noisy: np.ndarray
    clean: np.ndarray


def real(data: Path) -> Iterator[Part]:
    """Yield parts of the sets of cameras and microscopes: the middle, and corners."""
    for name, every, corners in (("cc", 1, 4), ("polyu", 1, 4), ("sidd_val", 1, 0), ("fmdd", 1, 2)):
        images = find(data, name)
        for scene in images.names()[::every]:
            noisy, clean = images.load(scene)
            assert noisy is not None
            assert clean is not None
            height, width = (size - _SIDE for size in noisy.shape[:2])
            places = [(0, 0), (height, width), (0, width), (height, 0)][:corners]
            for y, x in [(height // 2, width // 2), *places]:
                cut = np.s_[y : y + _SIDE, x : x + _SIDE]
                yield Part(name, scene, f"{y},{x}", noisy[cut], clean[cut])


def simulated(folder: Path) -> Iterator[Part]:
    """Yield the middle of photographs, in colour and in grey, with two noises each."""
    files = sorted(p for p in folder.iterdir() if p.suffix in (".jpg", ".png"))
    # Which photographs, and how the noise goes on from one to the next.
    ways = (
        (0, "RGB", _COLOUR, 2, 7), (1, "RGB", _STRONG, 2, 5), (3, "L", _GREY, 3, 5),
        (2, "RGB", _UNKNOWN, 1, 3), (4, "L", _UNKNOWN, 1, 3),
    )  # fmt: skip
    for first, mode, kinds, step, turning in ways:
        for number, path in enumerate(files[first::_EVERY]):
            clean = np.asarray(Image.open(path).convert(mode)).astype(np.float32) / 255
            if min(clean.shape[:2]) < _SIDE:
                continue
            clean = middle(clean, _SIDE)
            for turn in range(2):
                kind = kinds[(step * number + turning * turn + number // 7) % len(kinds)]
                noise, _, quality = kind.partition(" ")
                add = noises.parse(noise).add
                assert add is not None
                noisy = np.rint(255 * add(clean, 2 * number + turn).clip(0, 1)).astype(np.uint8)
                if quality:
                    noisy = _jpeg(noisy, int(quality))
                group = noise.split(":")[0].replace("both", "rows")
                group = "in files" if quality or group in ("upscaled", "jpeg") else group
                name = f"{mode} {kind}"
                yield Part(group, path.stem, name, noisy.astype(np.float32) / 255, clean)


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    held = io.BytesIO()
    options = {"subsampling": 0} if image.ndim == 3 else {}
    Image.fromarray(image).save(held, "JPEG", quality=quality, **options)
    return np.asarray(Image.open(held))


def row_of(part: Part) -> dict[str, object] | None:
    """Measure a part; None where `auto` does not try strengths on it."""
    planes = [torch.from_numpy(np.atleast_3d(a)).movedim(-1, 0) for a in part[-2:]]
    mean, deviation = planes[0].mean(), planes[0].std()
    noisy, clean = (((plane - mean) / deviation).contiguous() for plane in planes)
    choice = Auto("balanced")._choose(noisy, None, None)
    if not choice.times or "noise report" in choice.found:
        return None
    edge = (_SIDE - SIDES["balanced"]) // 2
    inner = np.s_[:, edge:-edge, edge:-edge]
    noisy, clean = noisy[inner].contiguous(), clean[inner]
    pilot, estimate = trial(choice.recipe, noisy)
    shown = {name: round(value, 4) for name, value in measures(noisy, pilot, estimate).items()}
    errors = {times: (estimate(times) - clean).square().mean() * deviation**2 for times in TIMES}
    psnr = {f"x{times:g}": round(-10 * float(e.log10()), 3) for times, e in errors.items()}
    share = choice.evidence.share
    kind = kind_of_noise(len(noisy), share)
    known = {"group": part.group, "scene": part.scene, "part": part.name, "kind": kind}
    return {**known, "share": round(share, 5), "chosen": choice.times, **shown, **psnr}


def measure(data: Path, photographs: Path, out: Path) -> None:
    """Add the rows that are missing to a CSV file."""
    rows = pd.read_csv(out).to_dict("records") if out.exists() else []
    done = {(row["group"], row["scene"], row["part"]) for row in rows}
    for part in itertools.chain(real(data), simulated(photographs)):
        if part[:3] in done:
            continue
        if (row := row_of(part)) is not None:
            rows.append(row)
            pd.DataFrame(rows).to_csv(out, index=False)
            print(*part[:3], flush=True)


def line(rows: pd.DataFrame) -> np.ndarray:
    """Fit the logarithm of the best strength to the measures; groups weigh by their root."""
    powers, reached = _curve(rows)
    best = powers[reached.argmax(1)]
    weight = np.clip(np.ptp(reached, axis=1), *_MATTERS)
    weight /= rows.groupby("group")["group"].transform("size").to_numpy() ** 0.5
    weight *= np.where(rows["group"].isin(_REAL), _WEIGHT[rows["kind"].iloc[0]], 1.0)
    values = rows[list(NAMES)].to_numpy()
    centre, scale = values.mean(0), values.std(0) + 1e-9
    design = np.c_[(values - centre) / scale, np.ones(len(rows))]
    ridge = _RIDGE * weight.mean() * np.eye(design.shape[1])
    found = np.linalg.solve(
        design.T @ (weight[:, None] * design) + ridge, design.T @ (weight * best)
    )
    slopes = found[:-1] / scale
    return np.r_[found[-1] - slopes @ centre, slopes]


def gains(rows: pd.DataFrame, fitted: np.ndarray) -> pd.DataFrame:
    """Return PSNR of the strength chosen before, of the line's and of the best, of each row."""
    powers, reached = _curve(rows)
    told = fitted[0] + rows[list(NAMES)].to_numpy() @ fitted[1:]
    at = np.abs(powers - np.clip(told, powers[0], powers[-1])[:, None]).argmin(1)
    before = np.abs(powers - np.log(rows["chosen"].to_numpy())[:, None]).argmin(1)
    each = np.arange(len(rows))
    shown = {"before": reached[each, before], "line": reached[each, at], "best": reached.max(1)}
    return pd.DataFrame({"group": rows["group"], **shown}, index=rows.index)


def _curve(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return logarithms of strengths and the PSNR that rows reach with each, (N, K)."""
    powers = np.linspace(0, np.log(TIMES[-1]), 105)
    reached = rows[[f"x{times:g}" for times in TIMES]].to_numpy()
    return powers, np.array([np.interp(powers, np.log(TIMES), one) for one in reached])


def fit(path: Path) -> None:
    """Print the lines for colour and grey, and what they gain on scenes left out."""
    for kind, rows in pd.read_csv(path).groupby("kind"):
        fold = rows["scene"].map(lambda scene: sum(map(ord, scene)) % _FOLDS)
        tests = [gains(rows[fold == f], line(rows[fold != f])) for f in sorted(set(fold))]
        found = pd.concat(tests)
        found["worst"] = found["line"] - found["before"]
        means = found.groupby("group").agg(
            rows=("line", "size"), before=("before", "mean"), line=("line", "mean"),
            best=("best", "mean"), worst=("worst", "min"),
        )  # fmt: skip
        print(f"{kind}\n{means.round(3).to_string()}")
        print(tuple(line(rows).round(3).tolist()))


def main() -> None:
    """Run a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    for name in ("data", "photographs", "out"):
        measuring.add_argument(f"--{name}", type=Path, required=True)
    commands.add_parser("fit").add_argument("rows", type=Path)
    args = parser.parse_args()
    if args.command == "fit":
        fit(args.rows)
    else:
        measure(args.data, args.photographs, args.out)


if __name__ == "__main__":
    main()
