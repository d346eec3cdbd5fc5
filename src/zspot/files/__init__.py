"""Files, stacks, stores and folders, plane by plane."""

from zspot.files.file import denoise_file

__all__ = ["denoise_file"]
