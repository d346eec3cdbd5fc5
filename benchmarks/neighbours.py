"""What planes beside a plane are worth: stacks that stand still, move and change.

    python -m benchmarks.neighbours --data DIR --out docs/results/neighbours.csv

Makes stacks of a clean picture of each kind, adds noise to every plane (fresh, but where the scene
says that some of it stays in its place), and denoises the middle one: alone, with N planes to each
side, as the mean of all planes (which is right only where nothing moves), and by BM4D (package
`bm4d`, non-commercial; left out where it is not installed), which is told the true deviation of
white noise and that of the residual of the others. Rows that are there are not made again.
`--side`, `--effort` and `--neighbours` are those of the table.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from scipy.ndimage import gaussian_filter, rotate, shift

import zspot
from benchmarks import noises
from benchmarks.metrics import quality

PICTURES = {"bsd68": "white:25", "fmdd": "poisson:0.02/0.02", "cc": "camera:0.01/0.01"}
FIELDS = (
    "picture", "noise", "scene", "neighbours", "effort", "method", "psnr", "gain", "cpu_seconds",
)  # fmt: skip
_OBJECT = 40  # side of what crosses the picture, pixels

Scene = Callable[[np.ndarray, np.ndarray, int], np.ndarray]  # picture, another, steps from middle


def _pan(step: float) -> Scene:
    def scene(picture: np.ndarray, _: np.ndarray, at: int) -> np.ndarray:
        moves = (step * at, 0.7 * step * at, 0.0)[: picture.ndim]
        return shift(picture, moves, order=3, mode="mirror")

    return scene


def _rotating(picture: np.ndarray, _: np.ndarray, at: int) -> np.ndarray:
    return rotate(picture, 1.5 * at, reshape=False, order=3, mode="mirror")


def _objects(picture: np.ndarray, other: np.ndarray, at: int) -> np.ndarray:
    out, middle = picture.copy(), np.array(picture.shape[:2]) // 2
    for sign, row in ((1, -50), (-1, 10)):
        top, left = middle[0] + row + 6 * at, middle[1] + sign * 7 * at - 20
        out[top : top + _OBJECT, left : left + _OBJECT] = other[:_OBJECT, :_OBJECT][::sign]
    return out


def _blinking(picture: np.ndarray, _: np.ndarray, at: int) -> np.ndarray:
    out, (rows, columns) = picture.copy(), np.indices(picture.shape[:2])
    for down, right, radius in ((-36, -36, 6), (24, -6, 3), (-56, 44, 10)):
        center = np.array(picture.shape[:2]) // 2 + np.array((down, right))
        spot = (rows - center[0]) ** 2 + (columns - center[1]) ** 2 < radius**2
        out[spot] += 0.25 * (at == 0)
    return out


SCENES: dict[str, Scene] = {
    "still": lambda picture, _, at: picture,
    "pan of 0.3 pixels": _pan(0.3),
    "pan of 1 pixel": _pan(1.0),
    "pan of 4 pixels": _pan(4.0),
    "rotating by 1.5 degrees": _rotating,
    "two objects cross": _objects,
    "cut before the middle": lambda picture, other, at: other if at < 0 else picture,
    "middle alone in a cut": lambda picture, other, at: picture if at == 0 else other,
    "flash of 1.7 times": lambda picture, _, at: picture * (1.0 if at == 0 else 0.6),
    "flicker of 5 %": lambda picture, _, at: picture * (1.0 if at == 0 else 0.95),
    "blinking spots": _blinking,
    "focus drifts": lambda picture, _, at: gaussian_filter(
        picture, (0.5 * abs(at),) * 2 + (0,) * (picture.ndim - 2)
    ),
}


# Scenes with noise that is not new in every plane, and the share of it that stays in its place.
REPEATING = {
    "still, half of the noise stays": ("still", 0.5),
    "still, nine tenths of it stay": ("still", 0.9),
    "pan of 1 pixel, half of it stays": ("pan of 1 pixel", 0.5),
    "pan of 1 pixel, nine tenths stay": ("pan of 1 pixel", 0.9),
}


def stack(data: Path, name: str, scene: str, count: int, side: int) -> tuple[np.ndarray, ...]:
    """Return the noisy planes (T, H, W) or (T, H, W, 3) of a scene and the clean middle one."""
    scene, stays = REPEATING.get(scene, (scene, 0.0))

    def picture(folder: str) -> np.ndarray:
        found = sorted((data / folder / "clean").iterdir())
        kind = [path for path in found if path.name.startswith("Confocal")] or found
        return iio.imread(kind[0]).astype(np.float64) / 255

    clean, other = picture(name), picture("set9")
    other = other if clean.ndim == 3 else other.mean(2)
    other = np.resize(other[: clean.shape[0], : clean.shape[1]], clean.shape)
    half, add = count // 2, noises.parse(PICTURES[name]).add
    assert add is not None
    cut = tuple(slice((n - side) // 2, (n + side) // 2) for n in clean.shape[:2])
    planes = [np.clip(SCENES[scene](clean, other, at), 0, 1)[cut] for at in range(-half, half + 1)]
    new = [add(plane, seed) - plane for seed, plane in enumerate(planes)]
    same = add(planes[half], count) - planes[half]
    noise = [stays**0.5 * same + (1 - stays) ** 0.5 * one for one in new]
    return (np.stack(planes) + np.stack(noise)).astype(np.float32), planes[half]


def results(noisy: np.ndarray, effort: str) -> dict[str, Callable[[], np.ndarray]]:
    """Return what makes the middle plane by each method."""
    count, colours = len(noisy), "S" if noisy.ndim == 4 else ""
    half, axis = count // 2, -1 if colours else None

    def run(image: np.ndarray, **options: object) -> np.ndarray:
        return zspot.denoise(image, effort=effort, **options)  # type: ignore[arg-type]

    made: dict[str, Callable[[], np.ndarray]] = {
        "alone": lambda: run(noisy[half], channel_axis=axis),
        "neighbours": lambda: run(noisy, axes=f"TYX{colours}", neighbours=half)[half],
        "mean of all": lambda: run(noisy.mean(0).astype(np.float32), channel_axis=axis),
    }
    try:
        import bm4d
    except ImportError:
        return made
    level = float((noisy[half] - made["alone"]()).std())
    planes = np.moveaxis(noisy, -1, 0) if colours else noisy[None]

    def by_bm4d() -> np.ndarray:
        done = [np.asarray(bm4d.bm4d(channel, level))[half] for channel in planes]
        return np.stack(done, -1) if colours else done[0]

    return {**made, "bm4d": by_bm4d}


def main() -> None:
    """Make the rows that are missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--side", type=int, default=192)
    parser.add_argument("--neighbours", type=int, default=2)
    parser.add_argument("--scenes", nargs="+", default=[*SCENES, *REPEATING])
    asked = parser.parse_args()
    rows = list(csv.DictReader(asked.out.open())) if asked.out.exists() else []
    there = {
        tuple(row[name] for name in ("picture", "scene", "neighbours", "effort")) for row in rows
    }
    for name, noise in PICTURES.items():
        for scene in asked.scenes:
            if (name, scene, str(asked.neighbours), asked.effort) in there:
                continue
            count = 2 * asked.neighbours + 1
            noisy, clean = stack(asked.data, name, scene, count, asked.side)
            alone = 0.0
            for method, make in results(noisy, asked.effort).items():
                started = time.process_time()
                value = quality(clean, make())[0]
                spent = time.process_time() - started
                alone = value if method == "alone" else alone
                found = (name, noise, scene, asked.neighbours, asked.effort, method)
                numbers = (f"{value:.3f}", f"{value - alone:+.3f}", f"{spent:.1f}")
                rows.append(dict(zip(FIELDS, (*found, *numbers), strict=True)))
                print(*found, *numbers, flush=True)
            with asked.out.open("w", newline="") as file:
                writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
