"""Image files: read with everything about them, write back with other pixel values.

`read` gives an `ImageFile`; `ImageFile.replace` puts new pixels into it; `write` writes the same
kind of file with the same metadata. `open_stack` does both plane by plane. Every failure is a
`FileError` of one line.
"""

from zspot.core.errors import FileError, printable
from zspot.io.checks import MAX_PIXELS
from zspot.io.image_file import ImageFile, Stack
from zspot.io.open import SUFFIXES, check_target, is_store, open_stack, output_name, read, write

__all__ = [
    "MAX_PIXELS", "SUFFIXES", "FileError", "ImageFile", "Stack", "check_target", "is_store",
    "open_stack", "output_name", "printable", "read", "write",
]  # fmt: skip
