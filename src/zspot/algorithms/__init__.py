"""The methods, one file each, and the catalogue that lists them without loading any."""

from zspot.algorithms.catalogue import METHODS, ONE_IMAGE_METHODS
from zspot.algorithms.method import EFFORTS, Method

__all__ = ["EFFORTS", "METHODS", "ONE_IMAGE_METHODS", "Method"]
