"""The same correlated noise taken to be 1, 3 and 8 times as strong as what was removed first."""

from dataclasses import replace

import skimage.data
from pictures import noisy_copy, shared_noise, side_by_side
from skimage.metrics import peak_signal_noise_ratio

import zspot

clean = skimage.data.chelsea()[100:228, 150:278]
noisy = noisy_copy(clean, shared_noise(clean.shape, 14))
chosen = zspot.run(noisy, channel_axis=-1, effort="fast")
pictures, own = {"noisy": noisy}, chosen.recipe.finish.removed
for words, times in (("", 1.0), ("", 3.0), ("", 8.0), ("chosen: ", own)):
    finish = replace(chosen.recipe.finish, removed=times)
    tried = zspot.run(noisy, replace(chosen.recipe, finish=finish), channel_axis=-1).image
    quality = peak_signal_noise_ratio(clean, tried)
    pictures[f"{words}{times:g} times\n{quality:.1f} dB"] = tried
side_by_side(pictures, 5)
