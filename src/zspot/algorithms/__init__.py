"""The methods, one file each; `METHODS` is the whole list, nothing is discovered.

The folder is not called `methods` because `zspot.methods()` is the function that lists them.
"""

from __future__ import annotations

from zspot.algorithms import auto, bsn_ins
from zspot.algorithms.method import EFFORTS, Method

METHODS: dict[str, Method] = {
    "auto": auto.METHOD,
    "bsn-ins": bsn_ins.METHOD,
}

__all__ = ["EFFORTS", "METHODS", "Method"]
