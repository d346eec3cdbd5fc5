"""Image files: read with everything about them, write back with other pixel values.

`read` gives an `ImageFile`; `ImageFile.replace` puts new pixels into it; `write` writes the same
kind of file with the same metadata. `open_stack` does both plane by plane. Every failure is a
`FileError` of one line.
"""

from ._core import MAX_PIXELS, FileError, ImageFile, printable
from ._files import SUFFIXES, check_target, is_store, open_stack, output_name, read, write
from ._stack import Stack

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "FileError",
    "ImageFile",
    "Stack",
    "check_target",
    "is_store",
    "open_stack",
    "output_name",
    "printable",
    "read",
    "write",
]
