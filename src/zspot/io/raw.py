"""Camera RAW files: read only, developed by LibRaw (extra `raw`)."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageCms

from zspot.io.checks import Limit
from zspot.io.image_file import ImageFile
from zspot.io.tiff.ifd import exif_of_tiff

# The tone curve of sRGB, as LibRaw takes it: power 1/2.4, slope 12.92 at black.
_SRGB_CURVE = (2.4, 12.92)


def read(path: Path, limit: Limit) -> ImageFile:
    """Develop a camera RAW file to 16-bit sRGB, upright as the camera noted."""
    import rawpy

    with rawpy.imread(str(path)) as sensor:
        sizes = sensor.sizes
        limit.check(path, (sizes.height, sizes.width, 3), 2)
        # Its colours are sRGB unless told otherwise.
        options: Any = {"use_camera_wb": True, "output_bps": 16, "no_auto_bright": True}
        pixels: Any = sensor.postprocess(**options, gamma=_SRGB_CURVE)
    notes = ("The RAW file is developed to 16-bit sRGB, upright; write it as .tif.",)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    metadata: dict[str, Any] = {"icc": srgb.tobytes()}
    with path.open("rb") as handle:
        metadata |= {"exif": exif} if (exif := exif_of_tiff(handle)) else {}
    return ImageFile(np.asarray(pixels), "YXS", None, "raw", metadata, path, notes)
