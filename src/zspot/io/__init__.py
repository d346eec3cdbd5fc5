"""Image files: read with everything about them, write back with other pixel values.

`read` gives an `ImageFile`; `ImageFile.replace` puts new pixels into it; `write` writes the same
kind of file with the same metadata. Every failure is a `FileError` of one line.
"""

from ._core import MAX_PIXELS, FileError, ImageFile
from ._files import check_target, read, write

__all__ = ["MAX_PIXELS", "FileError", "ImageFile", "check_target", "read", "write"]
