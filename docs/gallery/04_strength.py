"""
Strength and detail, after the run
==================================

You can take back a part of a result without running anything again. `strength` moves every pixel
between the input and the full result. `keep_detail` puts back edges and texture that were removed.
"""

import matplotlib.pyplot as plt
import numpy as np
import skimage.data

import zspot

clean = skimage.data.chelsea()[90:186, 150:246]
rng = np.random.default_rng(2)
noisy = np.clip(np.rint(clean + 12 * rng.normal(size=clean.shape)), 0, 255).astype(np.uint8)
result = zspot.run(noisy, channel_axis=-1, effort="fast")

# %%
# Denoisers easily mistake fur for noise. Look at what was removed to see whether that happened: its
# strength should not follow the detail of the picture.

trust = zspot.assess(result)
print(trust.sentence)
print(f"follows detail: {trust.structure:.2f}")

# %%
# A little noise often looks sharper than none. Whether you want that is for you to decide.

settings = [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (1.0, 0.5), (1.0, 1.0)]
figure, axes = plt.subplots(2, 3, figsize=(9, 6.4), layout="constrained")
for axis, (strength, keep) in zip(axes.flat, settings, strict=False):
    image = result.blend(strength, keep_detail=keep)
    axis.imshow(image, interpolation="nearest")
    axis.set_title(f"strength {strength:g}, keep_detail {keep:g}")
axes.flat[5].imshow(clean, interpolation="nearest")
axes.flat[5].set_title("clean, for comparison")
for axis in axes.flat:
    axis.set_axis_off()
plt.show()
