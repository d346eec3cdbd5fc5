"""The numbers by which `auto` judges an image; what they rest on is in docs/tuning.md.

A pair is a slope: all of one judgement up to the first number, all of the other from the second on.
"""

# Correlations between neighbouring pixels, in every direction, between which noise is white.
WHITE = (-0.15, 0.03)
# Mean correlation down and across from which noise, faint or not, may be a camera's.
WHITE_FAINT = 0.15
BETWEEN = 0.15  # correlation between channels below which noise is white
# Largest over smallest deviation of noise between dark and bright areas up to which it is even.
EVEN = 1.5
# Variance removed first over that of least patch directions: less is texture, more is not white.
AGREED = (0.75, 1.03)
# Share of the image's variance below which correlated noise is weak.
WEAK = 0.12
# Correlation between neighbouring pixels from which much of the noise is left at half the size.
COARSE = 0.5
# Share of the image's variance below which noise may be fine texture or a picture's grain.
FAINT = 0.005
# Faint noise: correlation between neighbouring pixels, from texture's to a camera's.
CAMERA = (0.28, 0.36)
# Faint noise not of a camera: unevenness and structure in sum, from noise to texture.
TEXTURE = (0.9, 1.05)
BROKEN = (2.0, 2.6)  # faint noise of a camera: unevenness, from noise to texture
# Share of the measured variance that the first estimate removes where it knows the noise.
REMOVED = (0.8, 1.1)
# The first of these where it looks white, which it knows: texture may be measured as noise.
REMOVED_WHITE = 0.4
# What a better estimate removes in addition is noise if it is less uneven than it is large, as a
# share of that variance, and less coherent than this.
DIRECTED = 0.25
# Or, where the first estimate removed more than texture, if it is correlated with detail up to
FOLLOWS = 0.35  # and one of three holds: the report's noise is coarser than what was removed by
COARSER = 0.15  # at most, or that noise is more of the image's variance than
MOST = 0.3  # or what is removed in addition is more coherent than
ALL_DIRECTED = 0.5
KEPT = 0.9  # what learning on must remove, over what the first estimate removes: less kept noise
# Log strength: an offset and a factor of each of `strength.measures`; `training.strength` fits it.
STRENGTH = {
    "grey": (0.777, -0.07, -0.165, 0.251, 1.548, -1.442, -1.785, -7.16, 8.011, 0.0),
    "colour": (-0.043, -0.321, 0.017, 0.235, 3.577, -2.137, -3.003, 0.569, 0.896, 0.521),
    "strong colour": (2.877, -0.172, -0.045, 0.36, -0.935, 1.4, -1.295, -8.738, 4.33, -0.249),
}
