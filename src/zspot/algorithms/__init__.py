"""The methods, one file each; `METHODS` is the whole list, nothing is discovered.

The folder is not called `methods` because `zspot.methods()` is the function that lists them.
"""

from __future__ import annotations

from zspot.algorithms import (
    ap_bsn,
    auto,
    auto_scratch,
    bm3d,
    bsn_ins,
    dip,
    mash,
    n2n,
    n2v,
    refill,
    score_dvi,
    self2self,
    zs_n2n,
)
from zspot.algorithms.method import EFFORTS, Method

METHODS: dict[str, Method] = {
    "auto": auto.METHOD,
    "auto-scratch": auto_scratch.METHOD,
    "bsn-ins": bsn_ins.METHOD,
    "mash": mash.METHOD,
    "self2self": self2self.METHOD,
    "n2v": n2v.METHOD,
    "n2n": n2n.METHOD,
    "dip": dip.METHOD,
    "ap-bsn": ap_bsn.METHOD,
    "score-dvi": score_dvi.METHOD,
    "zs-n2n": zs_n2n.METHOD,
    "refill": refill.METHOD,
    "bm3d": bm3d.METHOD,
}

__all__ = ["EFFORTS", "METHODS", "Method"]
