"""Zarr folders, OME-Zarr v2 and v3 among them: their images, read and written block by block."""

from zspot.io.ome_zarr.layout import Picture, copy_all_but_pixels, pictures
from zspot.io.ome_zarr.level import Level

__all__ = ["Level", "Picture", "copy_all_but_pixels", "pictures"]
