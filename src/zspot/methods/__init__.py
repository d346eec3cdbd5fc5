"""The methods, one file each; `METHODS` is the whole list, nothing is discovered."""

from __future__ import annotations

from zspot.methods import bsn_ins
from zspot.methods.method import EFFORTS, Method

METHODS: dict[str, Method] = {
    "bsn-ins": bsn_ins.METHOD,
}

__all__ = ["EFFORTS", "METHODS", "Method"]
