"""How the programs among the front ends share the cores with what else runs."""

from __future__ import annotations

import os
import sys


def share_cores() -> None:
    """Let threads that wait for each other sleep soon.

    By default they spin for long, and on a busy computer take the cores from those that work. Not
    to spin at all (OMP_WAIT_POLICY=passive) takes twice as long on an idle one. It counts only
    before torch is loaded, and for GNU's OpenMP; what the user has set stays.
    """
    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
