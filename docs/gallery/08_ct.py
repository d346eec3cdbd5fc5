"""
A CT slice, in and out as DICOM
===============================

This is a real slice of a CT scan with its real noise. It is a test file that comes with `pydicom
<https://pydicom.github.io>`_. Reading and writing DICOM needs the extra ``dicom``.

A denoised image is an estimate: do not use it alone to diagnose or to measure.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pydicom
from pydicom.data import get_testdata_file

import zspot

source = Path(str(get_testdata_file("CT_small.dcm")))
target = Path(tempfile.mkdtemp()) / "clean.dcm"

# %%
# The same as ``zspot denoise CT_small.dcm clean.dcm --effort fast``. The noise of a CT image is
# coarse: the reconstruction spreads it over neighbouring pixels.

result, notes = zspot.denoise_file(source, target, effort="fast")
print(result.trust.summary)

# %%
# The new file has the tags of the old one. Its values are in the same units.

before, after = pydicom.dcmread(source), pydicom.dcmread(target)
for keyword in ("Modality", "SliceThickness", "RescaleIntercept", "PixelSpacing"):
    print(keyword, before[keyword].value, "->", after[keyword].value)

# %%
# The window for soft tissue shows the noise well. Wide streaks are still there afterwards. They are
# not random from pixel to pixel, so zspot takes them for a part of the picture.


def hounsfield(dataset):
    """Return the pixels in Hounsfield units."""
    return dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)


noisy, denoised = hounsfield(before), hounsfield(after)
figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained")
window = {"vmin": -160, "vmax": 240, "cmap": "gray", "interpolation": "nearest"}
axes[0].imshow(noisy, **window)
axes[1].imshow(denoised, **window)
shown = axes[2].imshow(noisy - denoised, cmap="gray", vmin=-60, vmax=60, interpolation="nearest")
for axis, name in zip(axes, ("noisy", "denoised", "removed"), strict=True):
    axis.set_title(name)
    axis.set_axis_off()
figure.colorbar(shown, ax=axes[2], label="Hounsfield units", shrink=0.8)
plt.show()

# %%
# The bright disc at the top is the aorta. Blood is even, so what varies inside it is noise. Its
# spread becomes smaller, and its mean stays. Both are in Hounsfield units:

aorta = np.s_[2:16, 82:98]
print(f"spread {noisy[aorta].std():.1f} -> {denoised[aorta].std():.1f}")
print(f"mean {noisy[aorta].mean():.1f} -> {denoised[aorta].mean():.1f}")

# %%
# A scan of many slices is a folder of such files, which ``zspot denoise scan scan-clean`` takes
# whole (extra ``batch``). A volume that is in memory needs the names of its axes:
# ``zspot.denoise(volume, axes="ZYX", neighbours=2)``.
