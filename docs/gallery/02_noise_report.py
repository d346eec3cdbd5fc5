"""
What the noise is like
======================

`zspot.analyze_noise` measures the noise of an image from the image alone. Two of its answers decide
which method fits: do neighbouring pixels share their noise, and are bright parts noisier?
"""

import matplotlib.pyplot as plt
import numpy as np
import skimage.data

import zspot
from zspot.noise.words import explain

clean = skimage.data.camera()[60:316, 120:376].astype(float)
rng = np.random.default_rng(1)

# %%
# Three kinds of noise on one picture. White: every pixel by itself. Counted light: photons
# arrive at random, so bright parts are noisier. Correlated: neighbours share it, as after a
# camera computed the colours.

white = clean + 15 * rng.normal(size=clean.shape)
counted = rng.poisson(clean / 255 * 120) / 120 * 255
grain = rng.normal(size=(258, 258))
rows = grain[:-2] / 2 + grain[1:-1] + grain[2:] / 2
shared = rows[:, :-2] / 2 + rows[:, 1:-1] + rows[:, 2:] / 2
correlated = clean + 15 * shared / shared.std()

images = {"white": white, "counted light": counted, "correlated": correlated}
reports = {name: zspot.analyze_noise(image) for name, image in images.items()}
for name, report in reports.items():
    print(f"{name}:", *explain(report), sep="\n  ")

# %%
# The level function (variance against brightness) is flat for white noise and rises for counted
# light. The autocorrelation says how much noise a pixel shares with the pixels around it. White
# noise has a single dark red centre. The weak colours around it are texture that counts as noise.

figure, axes = plt.subplots(3, 3, figsize=(9, 8.5), layout="constrained")
for (picture, curve, square), (name, report) in zip(axes, reports.items(), strict=True):
    picture.imshow(images[name][90:186, 90:186], cmap="gray", vmin=0, vmax=255)
    picture.set_title(name)
    picture.set_axis_off()
    curve.errorbar(report.intensity[0], report.variance[0], report.variance_uncertainty[0], fmt="o")
    curve.set(xlabel="brightness", ylabel="variance", xlim=(0, 255), ylim=(0, 600))
    lags = square.imshow(
        report.autocorrelation, vmin=-1, vmax=1, cmap="RdBu_r", extent=(-4.5, 4.5, 4.5, -4.5)
    )
    square.set_title(f"{report.lag_one:.2f} at one pixel")
figure.colorbar(lags, ax=axes[:, 2], label="correlation")
plt.show()

# %%
# `report.summary()` is the same in one line, and what `zspot noise FILE` prints.

print(reports["counted light"].summary())
