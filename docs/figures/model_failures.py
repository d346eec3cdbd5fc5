"""Where `auto` takes picture for noise: fine texture under noise, and a picture's own grain."""

import numpy as np
import skimage.data
from pictures import around_grey, noisy_copy, shared_noise, side_by_side

import zspot

grass = skimage.data.grass()[200:328, 200:328]
noisy = noisy_copy(grass, shared_noise(grass.shape, 30))
denoised = zspot.run(noisy, effort="fast").image
coins = skimage.data.coins()[60:188, 60:188]
cleaned = zspot.run(coins, effort="fast").image
side_by_side(
    {
        "1. grass": grass,
        "with noise like a camera's": noisy,
        "denoised: most blades are lost": denoised,
        "2. an old photograph": coins,
        "denoised: its grain is lost": cleaned,
        "removed, 4 times as strong": around_grey(coins.astype(np.float64) - cleaned, 4),
    }
)
