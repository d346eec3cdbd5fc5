"""The numbers by which `auto` judges an image; what they rest on is in docs/tuning.md."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """Bounds between one judgement and another.

    A pair is a slope: all of one up to the first number, all of the other from the second on.
    """

    # Correlations between neighbouring pixels, in every direction, between which noise is white.
    white: tuple[float, float] = (-0.15, 0.03)
    # Mean correlation down and across from which noise, faint or not, may be a camera's.
    white_faint: float = 0.15
    between: float = 0.15  # correlation between channels below which noise is white
    # Largest over smallest deviation of the noise between dark and bright areas up to which it is
    # of one strength.
    even: float = 1.5
    # Variance that the first estimate removes over that of the directions in which patches vary
    # least. Where it is less, texture was measured as noise; where more, the noise is not white.
    agreed: tuple[float, float] = (0.75, 1.03)
    # Share of the image's variance below which correlated noise is weak: stronger noise needs the
    # whole image to be told from the picture.
    weak: float = 0.12
    # Correlation between neighbouring pixels from which much of the noise is left at half the size.
    coarse: float = 0.5
    # Share of the image's variance below which noise may be fine texture or a picture's grain.
    faint: float = 0.005
    # Faint noise: correlation between neighbouring pixels, from texture's to a camera's.
    camera: tuple[float, float] = (0.28, 0.36)
    # Faint noise not of a camera: unevenness and structure in sum, from noise to texture.
    texture: tuple[float, float] = (0.9, 1.05)
    # Faint noise of a camera: unevenness, from noise to texture.
    broken: tuple[float, float] = (2.0, 2.6)
    # Colour: coherence and agreement of channels, in sum, of what a greater strength removes more.
    picture: tuple[float, float] = (1.0, 1.2)
    # Share of the measured variance that the first estimate removes where it knows the noise.
    removed: tuple[float, float] = (0.8, 1.1)
    # The first of these where it looks white, which it knows: texture may be measured as noise.
    removed_white: float = 0.4
    # Share of it that a better estimate removes in addition, not along detail, and in any case.
    more: tuple[float, float] = (0.035, 0.25)
    follows: float = 0.35  # correlation with detail up to which it does not
    # Difference in correlation of neighbours up to which two noises are the same.
    finer: float = 0.3
    # What learning on must remove, over what the first estimate removes: less kept noise.
    kept: float = 0.95
    # Grey: correlation with the detail of the picture up to which what was removed is noise.
    no_detail: float = 0.15


THRESHOLDS = Thresholds()
