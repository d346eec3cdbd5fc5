"""TIFF, BigTIFF, ImageJ hyperstacks and OME-TIFF, read with tifffile."""

from zspot.io.tiff.stack import open_stack
from zspot.io.tiff.whole import read, refusal, write

__all__ = ["open_stack", "read", "refusal", "write"]
