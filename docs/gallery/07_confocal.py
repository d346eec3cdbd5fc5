"""
A confocal stack whose planes help each other
=============================================

A z-stack of cells, as a confocal microscope writes it: few photons, and planes so close together
that each shows nearly what the next one shows. Each plane can be denoised by itself, or with the
help of the planes beside it.

**The stack is simulated**, so that the results can be compared with the truth. It has nuclei and
fibres, blurred as a microscope blurs: more along the depth than across. Then photons are counted,
and the noise of the detector and an offset are added.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tifffile
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio

import zspot

rng = np.random.default_rng(5)
depth, side = 24, 128
z, y, x = np.mgrid[:depth, :side, :side].astype(float)

scene = np.full((depth, side, side), 0.02)
texture = gaussian_filter(rng.normal(size=scene.shape), 3)
for _ in range(14):  # nuclei, with uneven insides
    cz, cy, cx = rng.uniform((7, 0, 0), (16, side, side))
    inside = ((z - cz) / 5) ** 2 + ((y - cy) / 14) ** 2 + ((x - cx) / 11) ** 2 < 1
    scene[inside] = np.clip(0.5 + 8 * texture[inside], 0.2, None)
for _ in range(40):  # fibres: straight lines through the volume
    start, way = rng.uniform(0, side, 2), rng.normal(size=2)
    points = start + np.linspace(-side, side, 6 * side)[:, None] * way / np.linalg.norm(way)
    height = np.clip(rng.uniform(4, 20) + np.linspace(-4, 4, 6 * side), 0, depth - 1)
    rows, columns = np.rint(points).astype(int).T
    seen = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    scene[np.rint(height).astype(int)[seen], rows[seen], columns[seen]] += 4
blurred = gaussian_filter(np.clip(scene, 0, None), (3, 1.2, 1.2))

# Twelve photons where it is bright; each counts as 60 grey values, on an offset of 200.
photons = 12 * blurred[9:14] / np.quantile(blurred, 0.99)
stack = 200 + 60 * rng.poisson(photons) + rng.normal(0, 20, photons.shape)
stack = np.clip(np.rint(stack), 0, 65535).astype(np.uint16)
truth = 200 + 60 * photons

folder = Path(tempfile.mkdtemp())
tifffile.imwrite(
    folder / "cells.ome.tif",
    stack,
    ome=True,
    metadata={"axes": "ZYX", "PhysicalSizeX": 0.1, "PhysicalSizeZ": 0.3},
)

# %%
# The same as ``zspot denoise cells.ome.tif alone.ome.tif --effort fast``, without and with
# ``--neighbours 2``:

results = {"noisy": stack}
for name, neighbours in {"each plane alone": 0, "2 neighbours": 2}.items():
    target = folder / f"{name}.ome.tif"
    zspot.denoise_file(folder / "cells.ome.tif", target, effort="fast", neighbours=neighbours)
    results[name] = tifffile.imread(target)

# %%
# The middle plane, and below it a cut through the five planes along the white line. Each plane is
# drawn six pixels high.

figure, axes = plt.subplots(
    2, 4, figsize=(12, 4.2), layout="constrained", height_ratios=(128, 30), sharex=True
)
limits = {"vmin": 200, "vmax": np.quantile(truth, 0.998), "cmap": "gray"}
span = truth.max() - truth.min()
shown = {
    f"{name}, {peak_signal_noise_ratio(truth[2], image[2], data_range=span):.1f} dB": image
    for name, image in results.items()
}
shown["truth"] = truth
cut = 58
for (top, bottom), (name, image) in zip(axes.T, shown.items(), strict=True):
    top.set_title(name)
    top.imshow(image[2], interpolation="nearest", **limits)
    top.axhline(cut, color="white", linewidth=0.7)
    bottom.imshow(np.repeat(image[:, cut], 6, axis=0), interpolation="nearest", **limits)
    top.set_axis_off()
    bottom.set_axis_off()
plt.show()

# %%
# In Python an array is enough: ``zspot.denoise(stack, axes="ZYX", neighbours=2)``. :doc:`Many files
# and stacks </batch>` says what neighbours gain on other stacks, and where they gain nothing.
