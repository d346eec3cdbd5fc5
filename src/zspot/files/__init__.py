"""Files, stacks, stores and folders, plane by plane."""

from zspot.files.file import denoise_file
from zspot.files.folder import Outcome, Summary, denoise_many
from zspot.files.frames import denoise_burst, denoise_sequence
from zspot.files.options import Options
from zspot.files.planes import PlaneRunner

__all__ = [
    "Options", "Outcome", "PlaneRunner", "Summary", "denoise_burst", "denoise_file",
    "denoise_many", "denoise_sequence",
]  # fmt: skip
