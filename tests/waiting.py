"""Waiting without haste: the machines that test are busy, and no test is about time."""

from __future__ import annotations

import time
from collections.abc import Callable

CEILING = 600.0  # seconds; what has not happened by then never will


def _sleep() -> None:
    time.sleep(0.05)


def until(condition: Callable[[], object], meanwhile: Callable[[], object] = _sleep) -> None:
    """Wait for a condition, doing something in the meantime."""
    end = time.monotonic() + CEILING
    while not condition():
        meanwhile()
        assert time.monotonic() < end, "it never happened"
