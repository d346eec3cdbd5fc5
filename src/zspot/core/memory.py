"""How much memory this process holds and may take, and sizes in words."""

import ctypes
import os
import re
from functools import cache

import psutil

from zspot.core.errors import OptionError, shown

LIBRARIES = 150e6  # bytes that libraries load at their first use, from the first run on


def resident() -> int:
    """Return the bytes that this process holds now."""
    if os.name == "posix":  # what was freed is given back first, which glibc would keep for later
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
    return int(psutil.Process().memory_info().rss)


_at_first = cache(resident)  # what was held at the first call


def held() -> float:
    """Return the bytes that the process holds beside the work, libraries still to load included."""
    return max(_at_first() + LIBRARIES, resident())


def half_of_free() -> int:
    """Return half of the bytes that are free on this machine."""
    return int(psutil.virtual_memory().available) // 2


def limit_of(max_memory: int | str | None) -> int:
    """Return the bytes the process may take: as given, or what it holds and half of the free."""
    if max_memory is None:
        return resident() + half_of_free()
    try:
        return parse_size(str(max_memory))
    except ValueError as error:
        raise OptionError(f"max_memory={shown(max_memory)}: {error}") from None


def parse_size(text: str) -> int:
    """Return the bytes that "2GB", "500 MB", "1.5GiB" or "2000000000" name, else a ValueError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", text.lower())
    if not found or not 0 < float(found[1]) < 1e15:
        raise ValueError(f"{shown(text)} is no size of memory: write it as 2GB or 500MB")
    power = " kmgt".index(found[2] or " ")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


def in_words(size: float) -> str:
    """Return bytes as "2.0 GB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
