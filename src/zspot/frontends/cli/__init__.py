"""The command line. What it imports, and what they do, is little until Ctrl-C is one line."""

import os
import sys
from collections.abc import Sequence

from zspot.frontends import share_cores
from zspot.frontends.cli import stopping


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # The process that clears semaphores away after a sudden end would tell of it on stderr.
    sys.warnoptions.append("ignore:resource_tracker")
    with stopping.heeded():
        share_cores()
        from zspot.frontends.cli.program import run

        code = run(arguments)
        if stopping.code:  # libraries that were stopped in the middle may not end in peace
            sys.stdout.flush()
            os._exit(code)
    sys.exit(code)
