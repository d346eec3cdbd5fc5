"""Pairs of crops for docs/wrong.md: the noisy one, and a result that went wrong."""

from io import BytesIO

import numpy as np
import skimage.data
from pictures import noisy_copy, shared_noise, side_by_side
from PIL import Image

import zspot

photo = skimage.data.coffee()[110:206, 230:326]
blotchy = noisy_copy(photo, shared_noise(photo.shape, 22))
kept = zspot.run(blotchy, "zs-n2n", channel_axis=-1, effort="fast").image

packed = BytesIO()
Image.fromarray(noisy_copy(photo, np.random.default_rng(1).normal(0, 8, photo.shape))).save(
    packed, "JPEG", quality=12
)
blocks = np.asarray(Image.open(packed))
smooth = zspot.run(blocks, channel_axis=-1, effort="fast").image

rng = np.random.default_rng(2)
dots = np.full((96, 96), 40.0)
dots[tuple(rng.integers(4, 92, (2, 25)))] = 220  # particles of a single pixel
dots = noisy_copy(dots, rng.normal(0, 8, dots.shape))
lost = zspot.run(dots, effort="fast").image
side_by_side(
    {
        "1. noise that neighbours share": blotchy,
        "after zs-n2n: blotches are left": kept,
        "2. JPEG of low quality": blocks,
        "after auto: blocks are left": smooth,
        "3. particles of one pixel": dots,
        "after auto: repaired as hot pixels": lost,
    },
    2,
)
