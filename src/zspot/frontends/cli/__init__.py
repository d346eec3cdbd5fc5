"""The command line. What it imports, and what they do, is little until Ctrl-C is one line."""

from __future__ import annotations

import os
import sys

from zspot.frontends import share_cores
from zspot.frontends.cli import stopping
from zspot.frontends.cli.stopping import INTERRUPTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from zspot.frontends.cli.program import app, run

__all__ = ["INTERRUPTED", "app", "main", "run"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code that `run` returns."""
    # The process that clears semaphores away after a sudden end would tell of it on stderr.
    sys.warnoptions.append("ignore:resource_tracker")
    with stopping.heeded():
        share_cores()
        code = __getattr__("run")(arguments)
        if stopping.code:  # libraries that were stopped in the middle may not end in peace
            sys.stdout.flush()
            os._exit(code)
    sys.exit(code)


def __getattr__(name: str) -> Any:
    if name not in ("app", "run"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from zspot.frontends.cli import program

    return getattr(program, name)
