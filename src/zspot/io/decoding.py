"""Turning whatever a decoder raises into the one error that `zspot.io` promises."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from zspot.core.errors import FileError
from zspot.io.atomic import os_reason


@contextlib.contextmanager
def one_kind_of_error(path: Path) -> Iterator[None]:
    """Raise a `FileError` of one line about `path` for any failure to read it."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise FileError(_unreadable(path, error)) from error
    except MemoryError as error:
        raise FileError(f"{path} needs more memory than there is; cut it into parts") from error
    except Exception as error:
        # Decoders raise whatever they like on damaged files; the promise is one kind of error.
        raise FileError(_damaged(path, error)) from error


def _unreadable(path: Path, error: OSError) -> str:
    if error.errno is not None:
        return f"{path} cannot be read: {os_reason(error)}"
    return _damaged(path, error)


def _damaged(path: Path, error: Exception) -> str:
    # Pillow and tifffile use OSError and ValueError for damaged content as well.
    return f"{path} cannot be decoded ({first_line(error)}); it is damaged, copy it again"


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, not too long."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
