"""Ctrl-C and SIGTERM: one line and the exit code that shells know, at any moment."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

CANCELLED = "cancelled: nothing was written"
INTERRUPTED = 128 + signal.SIGINT

working = False  # whether anything may be open that is to be cleared away
code = 0  # what the program ends with, once it was asked to stop


@contextlib.contextmanager
def heeded() -> Iterator[None]:
    """Answer signals in a block, but those that are ignored: the parent process asked for that."""
    global working, code
    names = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) != signal.SIG_IGN]
    before = {name: signal.signal(name, _stop) for name in names}
    hook, sys.unraisablehook = sys.unraisablehook, _unraisable
    try:
        yield
    finally:
        sys.unraisablehook, working, code = hook, False, 0
        for name, old in before.items():
            signal.signal(name, old)


def _stop(number: int, _: object) -> None:
    """End at once where nothing is open, or at the second signal; else clear away first."""
    global code
    if code or not working:
        os.write(2, f"zspot: {CANCELLED}\n".encode())
        os._exit(128 + number)
    code = 128 + number
    raise KeyboardInterrupt


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """End at once where KeyboardInterrupt hit a finaliser, from which Python cannot raise it."""
    if code and issubclass(unraisable.exc_type, KeyboardInterrupt):
        _stop(code - 128, None)
    sys.__unraisablehook__(unraisable)
