"""The methods, one file each, and the catalogue that lists them without loading any.

The folder is not called `methods` because `zspot.methods()` is the function that lists them.
"""

from zspot.algorithms.catalogue import METHODS, ONE_IMAGE_METHODS
from zspot.algorithms.method import EFFORTS, Method

__all__ = ["EFFORTS", "METHODS", "ONE_IMAGE_METHODS", "Method"]
