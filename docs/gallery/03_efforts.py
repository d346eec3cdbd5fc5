"""
Efforts
=======

`fast`, `balanced` and `best` trade time against quality. Which effort is worth its time depends on
the image. This one is a part of zspot's sample image of a cat, with noise like a phone's.
"""

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
from skimage.metrics import peak_signal_noise_ratio

import zspot
from zspot.frontends import SAMPLES

part = np.s_[50:146, 60:156]
noisy = zspot.io.read(SAMPLES["Cat, camera noise"]).data[part]
clean = skimage.data.chelsea()[40:232, 110:302][part]

# %%
# `zspot.run` returns more than the image: what it did and why, and how long it took.

results = {
    effort: zspot.run(noisy, effort=effort, channel_axis=-1)
    for effort in ("fast", "balanced", "best")
}
print(results["balanced"].reason)


def quality(image):
    """PSNR against the clean picture, in dB."""
    return peak_signal_noise_ratio(clean, image)


# %%
# Seconds are those of the machine that built this page.

figure, axes = plt.subplots(1, 4, figsize=(12, 3.7), layout="constrained")
axes[0].set_title(f"noisy\n{quality(noisy):.2f} dB")
axes[0].imshow(noisy, interpolation="nearest")
for axis, (effort, result) in zip(axes[1:], results.items(), strict=True):
    seconds = result.timings["total"]
    axis.set_title(f"{effort}\n{quality(result.image):.2f} dB, {seconds:.1f} s")
    axis.imshow(result.image, interpolation="nearest")
for axis in axes:
    axis.set_axis_off()
plt.show()
