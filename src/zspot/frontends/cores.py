"""How the programs among the front ends share the cores with what else runs."""

from __future__ import annotations

import os
import sys


def share_cores() -> None:
    """Let threads that wait sleep: by default they spin, and on a busy computer steal the cores.

    It counts only before torch is loaded; whoever set it already keeps what was set.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
