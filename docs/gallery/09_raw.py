"""
A RAW photograph
================

A RAW file holds what the sensor counted: one colour for each pixel, in a mosaic. zspot develops it
with the white balance of the camera and denoises the developed picture. This needs the extra
``raw``.

**The RAW file is simulated**, because no real one comes with zspot or the packages that it uses. A
photograph of scikit-image becomes the mosaic of a sensor in the dark, written as a small DNG.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
import tifffile
from skimage.metrics import peak_signal_noise_ratio

import zspot
from zspot.io import read

photo = skimage.data.coffee()[60:252, 200:392] / 255
light = 0.35 * np.where(photo > 0.04045, ((photo + 0.055) / 1.055) ** 2.4, photo / 12.92)

# The colours lie like this: red and green in even rows, green and blue in odd ones.
mosaic = light[..., 1].copy()
mosaic[::2, ::2] = light[::2, ::2, 0]
mosaic[1::2, 1::2] = light[1::2, 1::2, 2]


def write_dng(path, values):
    """Write a mosaic of values in [0, 1] as a DNG with the few tags that a RAW converter needs."""
    one = [10000, 10000]
    to_camera = [3.2410, -1.5374, -0.4986, -0.9692, 1.8760, 0.0416, 0.0556, -0.2040, 1.0570]
    matrix = [part for value in to_camera for part in (round(10000 * value), 10000)]
    tags = [
        (33421, "H", 2, (2, 2), True),  # the pattern of colours repeats every 2 x 2 pixels,
        (33422, "B", 4, bytes((0, 1, 1, 2)), True),  # and is red, green, green, blue
        (50706, "B", 4, bytes((1, 4, 0, 0)), True),  # version of DNG
        (50708, "s", 0, "simulated camera", True),
        (50717, "I", 1, 65535, True),  # the value that is white
        (50721, 10, 9, matrix, True),  # the colours of the camera are those of sRGB
        (50728, 5, 3, one * 3, True),  # white balance: none
        (50778, "H", 1, 21, True),  # of daylight
    ]
    tifffile.imwrite(
        path,
        np.rint(65535 * np.clip(values, 0, 1)).astype(np.uint16),
        photometric="cfa",
        metadata=None,
        software=False,
        extratags=tags,
    )


# %%
# The sensor counts up to 400 photons a pixel and adds the noise of its electronics.

rng = np.random.default_rng(6)
counted = rng.poisson(400 * mosaic) / 400 + rng.normal(0, 0.004, mosaic.shape)
folder = Path(tempfile.mkdtemp())
write_dng(folder / "photo.dng", counted)
write_dng(folder / "clean.dng", mosaic)

# %%
# The same as ``zspot denoise photo.dng photo.tif --effort fast``. RAW files cannot be written, so
# the result is a TIFF. The notes say what happened to the file.

result, notes = zspot.denoise_file(folder / "photo.dng", folder / "photo.tif", effort="fast")
print(*notes, result.trust.summary, sep="\n")

# %%
# Developing a mosaic fills in two colours of every pixel from its neighbours. So neighbours share
# their noise, which looks like coloured blotches. The widest of them are still there afterwards.

noisy, clean = read(folder / "photo.dng").data, read(folder / "clean.dng").data
denoised = tifffile.imread(folder / "photo.tif")
print(noisy.dtype, noisy.shape, "->", denoised.dtype, denoised.shape)

figure, axes = plt.subplots(2, 3, figsize=(10, 7), layout="constrained")
shown = {
    f"developed, {peak_signal_noise_ratio(clean, noisy):.1f} dB": noisy,
    f"denoised, {peak_signal_noise_ratio(clean, denoised):.1f} dB": denoised,
    "without noise, for comparison": clean,
}
for column, (name, image) in zip(axes.T, shown.items(), strict=True):
    bright = np.clip(image / np.quantile(clean, 0.995), 0, 1)
    for axis, part in zip(column, (bright, bright[4:84, 8:88]), strict=True):
        axis.imshow(part, interpolation="nearest")
        axis.set_axis_off()
    column[0].set_title(name)
plt.show()
