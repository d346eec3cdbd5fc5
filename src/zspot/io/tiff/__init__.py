"""TIFF, BigTIFF, ImageJ hyperstacks and OME-TIFF, read with tifffile."""

from zspot.io.tiff.image import open_stack, read, refusal, write

__all__ = ["open_stack", "read", "refusal", "write"]
