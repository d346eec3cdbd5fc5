"""Folders that one run at a time may write."""

from pathlib import Path
from typing import Any

from zspot.core.errors import FileError


def lock(path: Path, busy: str) -> Any:
    """Hold a lock file until `release`.

    FileError: with the words `busy`, if another process holds it.
    """
    try:
        from filelock import FileLock, Timeout
    except ImportError:
        raise FileError(
            f'{path.parent}: folders and stores need filelock; run: pip install "zspot[batch]"'
        ) from None
    held = FileLock(path, timeout=0)
    try:
        held.acquire()
    except Timeout:
        raise FileError(busy) from None
    return held
