"""The methods, one file each, and the catalogue that lists them without loading any."""

from zspot.algorithms.catalogue import EFFORTS, METHODS, ONE_IMAGE_METHODS, Method

__all__ = ["EFFORTS", "METHODS", "ONE_IMAGE_METHODS", "Method"]
