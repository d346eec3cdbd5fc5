"""Nearly clean pictures, of which `auto` takes nothing or next to nothing away."""

import numpy as np
import skimage.data
from pictures import around_grey, side_by_side

import zspot

pictures = {}
for name, clean in {
    "fur": skimage.data.chelsea()[100:228, 150:278],
    "gravel": skimage.data.gravel()[200:328, 200:328],
}.items():
    channel_axis = -1 if clean.ndim == 3 else None
    result = zspot.run(clean, channel_axis=channel_axis, effort="fast")
    print(f"{name}: {result.reason}")
    pictures[f"{name}, no noise added"] = clean
    pictures[f"{name}: removed, 8 times"] = around_grey(clean.astype(np.float64) - result.image, 8)
side_by_side(pictures, 4)
