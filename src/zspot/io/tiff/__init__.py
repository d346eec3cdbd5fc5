"""TIFF, BigTIFF, ImageJ hyperstacks and OME-TIFF, read with tifffile."""
