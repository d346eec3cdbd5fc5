"""Command line, web page and napari plugin."""

import os
import sys
from pathlib import Path

# Images to try, made by `benchmarks.samples`.
SAMPLES = {
    "Cat, camera noise": Path(__file__).with_name("samples") / "cat-noisy.png",
    "Cell, 16-bit microscope": Path(__file__).with_name("samples") / "cell-noisy.tif",
    "Stack of four planes": Path(__file__).with_name("samples") / "dots-noisy.tif",
}


def share_cores() -> None:
    """Let OpenMP's waiting threads sleep soon, not take cores; to be called before torch loads."""
    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
