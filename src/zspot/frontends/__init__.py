"""Command line, web page and napari plugin."""

import os
import sys


def share_cores() -> None:
    """Let threads that wait for each other sleep soon; to be called before torch is loaded.

    By default they spin for long, and on a busy computer take the cores from those that work. Not
    to spin at all (OMP_WAIT_POLICY=passive) is slower on an idle one. It counts for GNU's OpenMP
    alone; what the user has set stays.
    """
    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
