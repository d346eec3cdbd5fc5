"""The numbers by which `auto` judges an image; what they rest on is in docs/tuning."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """Bounds between one judgement and another.

    A pair is a slope: all of one up to the first number, all of the other from the second on.

    Attributes
    ----------
    white : float
        Correlation between neighbouring pixels below which noise is white.
    even : float
        Largest over smallest deviation of the noise between dark and bright areas up to which it
        is of one strength.
    agreed : float
        Share of the variance of white noise that the pretrained estimate must remove to learn on:
        where it removes less, texture was measured as noise, and it would learn to remove that.
    weak : float
        Share of the image's variance below which correlated noise is weak: stronger noise needs
        the whole image to be told from the picture, and its local median is no surer a centre
        than its mean.
    faint : float
        Share of the image's variance below which noise may be fine texture or a picture's grain.
    camera : pair of float
        Faint noise: correlation between neighbouring pixels, from texture's to a camera's.
    texture : pair of float
        Faint noise not of a camera: unevenness and structure in sum, from noise to texture.
    broken : pair of float
        Faint noise of a camera: unevenness, from noise to texture.
    picture : pair of float
        Colour: coherence, and correlation of channels beyond the noise's, in sum, of what a greater
        strength removes in addition; from noise to picture.
    no_detail : float
        Grey: correlation with the detail of the picture up to which what was removed is noise.
    """

    white: float = 0.15
    even: float = 1.5
    agreed: float = 0.75
    weak: float = 0.12
    faint: float = 0.005
    camera: tuple[float, float] = (0.28, 0.36)
    texture: tuple[float, float] = (0.9, 1.05)
    broken: tuple[float, float] = (2.0, 2.6)
    picture: tuple[float, float] = (1.0, 1.2)
    no_detail: float = 0.15


THRESHOLDS = Thresholds()
