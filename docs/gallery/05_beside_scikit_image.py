"""
Beside scikit-image's denoisers
===============================

Call `zspot.denoise` like the functions of `skimage.restoration`: an array and its channel axis in,
an array out. Those functions need the strength of the noise or a weight. zspot finds it by itself.

Each function is used as the documentation of scikit-image advises. Total variation gets the best of
several weights (by J-invariance, `calibrate_denoiser`). Non-local means gets the level that
`estimate_sigma` measures.
"""

import warnings
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.restoration import (
    calibrate_denoiser,
    denoise_nl_means,
    denoise_tv_chambolle,
    estimate_sigma,
)

import zspot

clean = skimage.data.astronaut()[40:136, 170:266] / 255.0
sigma = 25 / 255


def total_variation(noisy):
    """Return scikit-image's total variation, its weight calibrated on the image itself."""
    in_colour = partial(denoise_tv_chambolle, channel_axis=-1)
    weights = {"weight": np.geomspace(0.02, 0.3, 8)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own internals
        best = calibrate_denoiser(
            noisy, in_colour, weights, extra_output=False, approximate_loss=True
        )
    return best(noisy)


def non_local_means(noisy):
    """Return scikit-image's non-local means for the level it measures."""
    level = float(np.mean(estimate_sigma(noisy, channel_axis=-1)))
    return denoise_nl_means(
        noisy, h=0.6 * level, sigma=level, patch_size=5, patch_distance=6, channel_axis=-1
    )


def ours(noisy):
    """Return zspot's default method, quickly."""
    return zspot.denoise(noisy, channel_axis=-1, effort="fast")


# %%
# The same strength of noise in two kinds: white, and shared between neighbours.

rng = np.random.default_rng(3)
white = rng.normal(size=clean.shape)
grain = rng.normal(size=(98, 98, 3))
rows = grain[:-2] / 2 + grain[1:-1] + grain[2:] / 2
shared = rows[:, :-2] / 2 + rows[:, 1:-1] + rows[:, 2:] / 2
noisies = {"white": clean + sigma * white, "correlated": clean + sigma * shared / shared.std()}
denoisers = {
    "total variation": total_variation,
    "non-local means": non_local_means,
    "zspot, fast": ours,
}


def scores(image):
    """Return PSNR and SSIM against the clean picture in words."""
    image = np.clip(image, 0, 1)
    psnr = peak_signal_noise_ratio(clean, image, data_range=1)
    ssim = structural_similarity(clean, image, data_range=1, channel_axis=-1)
    return f"{psnr:.1f} dB / {ssim:.2f}"


figure, axes = plt.subplots(2, 4, figsize=(12, 6.6), layout="constrained")
for row, (kind, noisy) in zip(axes, noisies.items(), strict=True):
    results = {f"{kind} noise": noisy, **{name: f(noisy) for name, f in denoisers.items()}}
    for axis, (name, image) in zip(row, results.items(), strict=True):
        axis.imshow(np.clip(image, 0, 1), interpolation="nearest")
        axis.set_title(f"{name}\n{scores(image)}")
        axis.set_axis_off()
plt.show()

# %%
# One picture says nothing about the order of methods on other pictures. For sets of images, see
# :doc:`what auto reaches </results>` and :doc:`the methods compared </compared>`.
