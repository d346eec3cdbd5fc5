"""
An OCT volume
=============

Optical coherence tomography (OCT) shows layers of tissue, for instance of the retina. Its noise is
*speckle*: light from many small scatterers interferes, so bright parts have more of it. Devices
show the logarithm of the light, where speckle is about equally strong everywhere.

**The volume is simulated**, so that the results can be compared with the truth: bent layers, with
speckle that neighbouring pixels share a little. Five slices lie close together.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tifffile
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio

import zspot

rng = np.random.default_rng(8)
slices, height, width = 5, 128, 192
z, y, x = np.mgrid[:slices, :height, :width].astype(float)

# Each layer begins at a depth that changes slowly, and reflects its own share of the light.
bend = 12 * np.sin(x / 45 + z / 12) + 6 * np.cos(x / 19)
light = np.full(x.shape, 0.02)
layers = {30: 0.5, 38: 0.1, 55: 0.3, 62: 0.08, 80: 0.8, 86: 0.2, 104: 0.04}
for depth, share in layers.items():
    light = np.where(y > depth + bend, share, light)
light = gaussian_filter(light, (0, 0.7, 1))

# Speckle: three looks, each the squared size of a complex random field that is blurred a little.
speckle = np.zeros(x.shape)
for _ in range(3):
    parts = [gaussian_filter(rng.normal(size=x.shape), (0, 0.6, 0.6)) for _ in range(2)]
    speckle += parts[0] ** 2 + parts[1] ** 2
speckle /= speckle.mean()


def shown(light):
    """Return light as the device stores it: its logarithm in 8 bits."""
    return np.clip(np.rint(255 * (np.log10(light + 1e-4) + 3) / 3.5), 0, 255).astype(np.uint8)


volume, truth = shown(light * speckle), shown(light)
folder = Path(tempfile.mkdtemp())
tifffile.imwrite(folder / "eye.tif", volume, photometric="minisblack")

# %%
# A TIFF of several pages does not say what its pages are. ``--axes ZYX`` does. The same as ``zspot
# denoise eye.tif clean.tif --axes ZYX --effort fast``, without and with ``--neighbours 2``:

results = {"noisy": volume}
for name, neighbours in {"each slice alone": 0, "2 neighbours": 2}.items():
    result, notes = zspot.denoise_file(
        folder / "eye.tif", folder / f"{name}.tif", effort="fast", axes="ZYX", neighbours=neighbours
    )
    print(f"{name}: {result.trust.summary}")
    results[name] = tifffile.imread(folder / f"{name}.tif")
results["truth"] = truth

# %%
# The middle slice, and what was removed from it. The logarithm of speckle is darker on average than
# the tissue, so PSNR is measured after the mean difference is taken away.


def quality(image):
    """Return the PSNR of the middle slice in dB, with its mean difference taken away."""
    difference = image[2] - truth[2].astype(float)
    return peak_signal_noise_ratio(truth[2], truth[2] + difference - difference.mean())


figure, axes = plt.subplots(2, 3, figsize=(12, 6), layout="constrained")
for axis, (name, image) in zip(axes.flat, results.items(), strict=False):
    axis.imshow(image[2], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axis.set_title(name if name == "truth" else f"{name}, {quality(image):.1f} dB")
for axis, name in zip(axes.flat[4:], ("each slice alone", "2 neighbours"), strict=True):
    removed = volume[2].astype(float) - results[name][2]
    axis.imshow(removed, cmap="gray", vmin=-80, vmax=80, interpolation="nearest")
    axis.set_title(f"removed, {name}")
for axis in axes.flat:
    axis.set_axis_off()
plt.show()

# %%
# Neighbours help because slices that lie close together show nearly the same tissue, each with its
# own speckle. In a device whose slices lie far apart they gain less. :doc:`Many files and stacks
# </batch>` says more.
