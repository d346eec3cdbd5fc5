"""Ctrl-C and SIGTERM: one line and the exit code that shells know, at any moment."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CANCELLED = "cancelled: nothing was written"
INTERRUPTED = 128 + signal.SIGINT

working = False  # whether anything may be open that is to be cleared away
code = 0  # what the program ends with, once it was asked to stop
_hook = sys.unraisablehook


def heed() -> dict[signal.Signals, Any]:
    """Answer signals from now on, but those that are ignored: the parent process asked for that.

    Returns what `give_back` takes.
    """
    global _hook
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    heeded = {name: old for name, old in before.items() if old != signal.SIG_IGN}
    try:
        for name in heeded:
            signal.signal(name, _stop)
    except ValueError:  # only the main thread may
        return {}
    _hook, sys.unraisablehook = sys.unraisablehook, _again
    return heeded


def give_back(before: dict[signal.Signals, Any]) -> int:
    """Answer signals as before; return the code to end with, if that was asked for."""
    global working, code
    for name, old in before.items():
        signal.signal(name, old)
    if before:
        sys.unraisablehook = _hook
    asked, working, code = code, False, 0
    return asked


def _stop(number: int, _: Any) -> None:
    """End at once where nothing is open, or at the second signal; else clear away first."""
    global code
    if code or not working:
        os.write(2, f"zspot: {CANCELLED}\n".encode())
        os._exit(128 + number)
    code = 128 + number
    raise KeyboardInterrupt


def _again(unraisable: Any) -> None:
    """Take up a KeyboardInterrupt that hit where Python cannot raise, such as in a finaliser."""
    global code
    if code and issubclass(unraisable.exc_type, KeyboardInterrupt):
        number, code = code - 128, 0
        signal.raise_signal(number)
    else:
        _hook(unraisable)
