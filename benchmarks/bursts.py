"""What a burst is worth: one shot alone, and with the help of eight others.

    python -m benchmarks.bursts --photos DIR

Cuts 256 x 256 pixels out of three of the photographs, shifts and turns them as a hand does, lets an
object pass, adds white noise of 25 to each shot, and denoises the middle one at effort fast.
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
from benchmarks.metrics import quality
from zspot.files import denoise_burst

SHOTS, SIDE, MARGIN = 9, 256, 72
_TURN, _SHIFT, _NOISE = 0.25, 6.0, 25.0  # deviations: degrees, pixels, of 255
_OBJECT = 30  # side of what passes, pixels


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
    whole = SIDE + 2 * MARGIN
    found = []
    for path in sorted(parser.parse_args().photos.rglob("*.*g")):
        with Image.open(path) as image:
            if image.mode == "RGB" and min(image.size) > whole + 20:
                found.append(path)
    for path in (found[len(found) // 7], found[len(found) // 3], found[len(found) // 2]):
        picture = iio.imread(path).astype(float)
        top, left = ((n - whole) // 2 for n in picture.shape[:2])
        made = shots(picture[top : top + whole, left : left + whole], np.random.default_rng(1))
        clean, noisy = made[SHOTS // 2]
        alone = zspot.denoise(noisy, channel_axis=-1, effort="fast")
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"shot{number}.png") for number in range(SHOTS)]
            for name, (_, shot) in zip(paths, made, strict=True):
                iio.imwrite(name, shot)
            denoise_burst(paths, Path(folder, "one.png"), effort="fast")
            helped = iio.imread(Path(folder, "one.png"))
        dB = [quality(clean / 255, image / 255.0)[0] for image in (noisy, alone, helped)]
        print(
            f"{path.name}: noisy {dB[0]:.2f}, alone {dB[1]:.2f}, burst {dB[2]:.2f} dB", flush=True
        )


if __name__ == "__main__":
    main()
