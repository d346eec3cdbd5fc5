"""`denoise` and `run` on arrays, their results and how far to trust them."""

from zspot.api.denoising import MIN_PIXELS, denoise, run
from zspot.api.requests import DEFAULT_METHOD, check_device, choose
from zspot.api.result import Result, versions
from zspot.core.errors import OptionError

__all__ = [
    "DEFAULT_METHOD", "MIN_PIXELS", "OptionError", "Result", "check_device", "choose", "denoise",
    "run", "versions",
]  # fmt: skip
