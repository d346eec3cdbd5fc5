"""What a burst is worth: one shot alone, and with the help of eight others.

    python -m benchmarks.bursts --photos DIR

Cuts 256 x 256 pixels out of three of the photographs, shifts and turns them as a hand does, lets an
object pass, adds white noise of 25 to each shot, and denoises the middle one at effort fast.

`--raw` (needs rawpy) lets a sensor see the scene instead: photons are counted under a colour
mosaic, each shot is a DNG file, and the clean one is developed as the noisy ones are.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image
from scipy.ndimage import affine_transform

import zspot
from benchmarks.dng import expose, write_dng
from benchmarks.metrics import quality
from zspot.files import denoise_burst
from zspot.io import read

SHOTS, SIDE, MARGIN = 9, 256, 72
_TURN, _SHIFT, _NOISE = 0.25, 6.0, 25.0  # deviations: degrees, pixels, of 255
_OBJECT = 30  # side of what passes, pixels
_GAIN, _READ = 0.01, 0.005  # of a photon, and of reading, of the whole range


def shots(picture: np.ndarray, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return each shot without and with noise; the middle one is neither shifted nor turned."""
    made = []
    for number in range(SHOTS):
        still = number == SHOTS // 2
        angle = 0.0 if still else np.deg2rad(rng.normal(0, _TURN))
        move = np.zeros(2) if still else rng.normal(0, _SHIFT, 2)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.array(picture.shape[:2]) / 2
        offset = middle - turn @ middle + move
        view = np.stack(
            [
                affine_transform(c, turn, offset, order=3, mode="reflect")
                for c in picture.T.swapaxes(1, 2)
            ],
            axis=-1,
        )[MARGIN : MARGIN + SIDE, MARGIN : MARGIN + SIDE].copy()
        left = _OBJECT + 20 * number
        view[180 : 180 + _OBJECT, left : left + _OBJECT] = (200, 40, 40)
        noisy = view + rng.normal(0, _NOISE, view.shape)
        made.append((view, np.clip(np.rint(noisy), 0, 255).astype(np.uint8)))
    return made


def main() -> None:
    """Print a line for each photograph."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--raw", action="store_true", help="shots are camera RAW files")
    asked = parser.parse_args()
    whole = SIDE + 2 * MARGIN
    found = []
    for path in sorted(asked.photos.rglob("*.*g")):
        with Image.open(path) as image:
            if image.mode == "RGB" and min(image.size) > whole + 20:
                found.append(path)
    for path in (found[len(found) // 7], found[len(found) // 3], found[len(found) // 2]):
        picture = iio.imread(path).astype(float)
        top, left = ((n - whole) // 2 for n in picture.shape[:2])
        made = shots(picture[top : top + whole, left : left + whole], np.random.default_rng(1))
        with tempfile.TemporaryDirectory() as folder:
            dB = measured(made, Path(folder), raw=asked.raw)
        print(
            f"{path.name}: noisy {dB[0]:.2f}, alone {dB[1]:.2f}, burst {dB[2]:.2f} dB", flush=True
        )


def measured(made: list[tuple[np.ndarray, np.ndarray]], folder: Path, *, raw: bool) -> list[float]:
    """Return the PSNR of the middle shot: noisy, denoised alone, and with the others' help."""
    rng, kind = np.random.default_rng(2), "dng" if raw else "png"
    paths = [folder / f"shot{number}.{kind}" for number in range(SHOTS)]
    clean, one = folder / f"clean.{kind}", folder / "one.tif"

    def save(path: Path, view: np.ndarray, stored: np.ndarray, gain: float, read: float) -> None:
        if raw:
            write_dng(path, expose((view.clip(0, 255) / 255) ** 2.2, rng, gain, read))
        else:
            iio.imwrite(path, stored)

    for path, (view, noisy) in zip(paths, made, strict=True):
        save(path, view, noisy, _GAIN, _READ)
    view = made[SHOTS // 2][0]
    save(clean, view, np.rint(view.clip(0, 255)).astype(np.uint8), 0, 0)
    truth, noisy = (as_float(read(path).data) for path in (clean, paths[SHOTS // 2]))
    denoise_burst(paths, one, effort="fast")
    alone = zspot.denoise(noisy, channel_axis=-1, effort="fast")
    return [quality(truth, image)[0] for image in (noisy, alone, as_float(read(one).data))]


def as_float(image: np.ndarray) -> np.ndarray:
    """Return integers as float32 in [0, 1]."""
    return (image / np.iinfo(image.dtype).max).astype(np.float32)


if __name__ == "__main__":
    main()
