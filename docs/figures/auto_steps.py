"""What `auto` makes of a noisy picture, step by step."""

import numpy as np
import skimage.data
from pictures import around_grey, noisy_copy, shared_noise, side_by_side

import zspot
from zspot.algorithms.auto import pretrained_estimate

clean = skimage.data.coffee()[110:270, 200:360]
noise = shared_noise(clean.shape, 22)
noisy = noisy_copy(clean, noise)
first = zspot.run(noisy, pretrained_estimate("fast"), channel_axis=-1).image
result = zspot.run(noisy, channel_axis=-1).image
side_by_side(
    {
        "1. noisy": noisy,
        "2. first estimate, by the network": first,
        "3. what it removed": around_grey(noisy.astype(float) - first),
        "4. non-local estimate, the result": result,
        "for comparison: the noise added": around_grey(noise),
        "what step 4 changed, 8 times": around_grey(result.astype(np.float64) - first, 8),
    }
)
