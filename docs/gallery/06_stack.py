"""
A stack with channels
=====================

A time series of two channels, as a microscope writes it: axes T, C, Y, X. Each plane is denoised
by itself. The file that comes back has the same axes, dtype and pixel size.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
import tifffile

import zspot

stained = skimage.data.immunohistochemistry()[180:276, 180:276].astype(float)
clean = np.stack([255 - stained[..., 0], 255 - stained[..., 2]])  # two stains, bright on dark
rng = np.random.default_rng(4)
times = [np.roll(clean, 2 * t, axis=-1) for t in range(2)]
stack = np.stack([100 + 20 * rng.poisson(np.clip(frame, 0, None) / 8) for frame in times])
stack = stack.astype(np.uint16)

folder = Path(tempfile.mkdtemp())
tifffile.imwrite(
    folder / "series.ome.tif",
    stack,
    ome=True,
    metadata={"axes": "TCYX", "PhysicalSizeX": 0.2, "PhysicalSizeXUnit": "µm"},
)

# %%
# What ``zspot denoise series.ome.tif clean.ome.tif --effort fast`` does, from Python:

zspot.denoise_file(folder / "series.ome.tif", folder / "clean.ome.tif", effort="fast")
with tifffile.TiffFile(folder / "clean.ome.tif") as file:
    print(file.series[0].axes, file.series[0].shape, file.series[0].dtype)
    print("pixel size kept:", 'PhysicalSizeX="0.2"' in file.ome_metadata)
    denoised = file.asarray()

# %%
# An array that is already in memory goes plane by plane.

plane = zspot.denoise(stack[0, 0], effort="fast")
print("the same plane as in the file:", np.array_equal(plane, denoised[0, 0]))

figure, axes = plt.subplots(2, 4, figsize=(12, 6.4), layout="constrained")
for channel in range(2):
    limits = {"vmin": 100, "vmax": np.quantile(stack[:, channel], 0.998), "cmap": "gray"}
    for column, (name, images) in enumerate({"noisy": stack, "denoised": denoised}.items()):
        for step, t in enumerate((0, 1)):
            axis = axes[channel, 2 * step + column]
            axis.imshow(images[t, channel], **limits)
            axis.set_title(f"{name}, channel {channel}, time {t}")
            axis.set_axis_off()
plt.show()
