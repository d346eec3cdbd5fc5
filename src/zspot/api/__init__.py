"""`denoise` and `run` on arrays, their results and how far to trust them."""

from zspot.api.denoising import (
    DEFAULT_METHOD,
    MIN_PIXELS,
    check_device,
    choose,
    denoise,
    run,
    versions,
)
from zspot.api.result import Result
from zspot.core.errors import OptionError

__all__ = [
    "DEFAULT_METHOD", "MIN_PIXELS", "OptionError", "Result", "check_device", "choose", "denoise",
    "run", "versions",
]  # fmt: skip
