"""
One picture, before and after
=============================

The cup of coffee that scikit-image carries, with noise like a phone's: neighbouring pixels share
it, so it looks like blotches and not like sand.
"""

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
from skimage.metrics import peak_signal_noise_ratio

import zspot

clean = skimage.data.coffee()[110:238, 230:358]

# Noise shared by neighbours: white noise, averaged over 3 x 3 pixels with more weight inside.
rng = np.random.default_rng(0)
white = rng.normal(size=(130, 130, 3))
rows = white[:-2] / 2 + white[1:-1] + white[2:] / 2
noise = rows[:, :-2] / 2 + rows[:, 1:-1] + rows[:, 2:] / 2
noisy = np.clip(np.rint(clean + 18 * noise / noise.std()), 0, 255).astype(np.uint8)

# %%
# The main job is one call. It returns what it was given: the same shape, dtype and range.

denoised = zspot.denoise(noisy, channel_axis=-1)
print(noisy.dtype, noisy.shape, "->", denoised.dtype, denoised.shape)

# %%
# What was removed, drawn around grey, should look like noise: no edges of the cup in it.

removed = np.clip(128 + 2 * (noisy.astype(float) - denoised), 0, 255).astype(np.uint8)
figure, axes = plt.subplots(2, 2, figsize=(8, 8), layout="constrained")
shown = {
    f"noisy, {peak_signal_noise_ratio(clean, noisy):.1f} dB": noisy,
    f"denoised, {peak_signal_noise_ratio(clean, denoised):.1f} dB": denoised,
    "removed, twice as strong": removed,
    "clean, for comparison": clean,
}
for axis, (name, image) in zip(axes.flat, shown.items(), strict=True):
    axis.imshow(image, interpolation="nearest")
    axis.set_title(name)
    axis.set_axis_off()
plt.show()
