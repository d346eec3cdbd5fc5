"""Every error that a user can meet, and any other as one line."""

import errno
import re
import reprlib
import shlex
import sys
import traceback
from importlib import metadata
from pathlib import Path
from typing import Any

_LONG, _VALUE = 300, 80  # characters of a word, such as a path, and of a value that is repeated
_REASONS = {
    errno.ENOSPC: "the disk is full; make room and try again",
    errno.EDQUOT: "the disk quota is used up; make room and try again",
    errno.EFBIG: "the file is too large for this file system",
    errno.EACCES: "no permission; choose another folder or change its permissions",
    errno.EPERM: "no permission; choose another folder or change its permissions",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOENT: "no such file or folder; check the name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EISDIR: "this is a folder; name a file",
}


class ZspotError(Exception):
    """What zspot refuses; the message says in one line what is wrong and what to do."""

    def __init__(self, message: object = ""):
        super().__init__(one_line(message))


class ImageError(ZspotError, ValueError):
    """An array that cannot be denoised."""


class OptionError(ZspotError, ValueError):
    """An option that does not exist or cannot be used here."""


class RecipeError(ZspotError, ValueError):
    """A recipe that cannot be run; the message says which value and what is allowed."""


class TheoryError(ZspotError, ValueError):
    """A parameter outside the range the theory is about; the message names it and the range."""


class MemoryLimitError(OptionError):
    """More memory is needed than there may be; the message says how much."""


class FileError(ZspotError):
    """A file that cannot be read or written."""


class ClusterError(ZspotError, RuntimeError):
    """There is no cluster to work on."""


class MissingExtraError(ZspotError, ImportError):
    """An optional package is missing; the message says how to install it."""


class StoppedError(ZspotError):
    """Many files were stopped by Ctrl-C; the message says what is done and how to go on."""


def printable(text: str) -> str:
    """Return text for any terminal: what file names may hold beside text as backslash escapes."""
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown)


def one_line(text: object) -> str:
    """Return text as one printable line, with the middle of overlong words left out."""
    words = map(printable, str(text).split())
    return " ".join(w if len(w) <= _LONG else f"{w[:200]}...{w[-40:]}" for w in words)


def shown(value: Any) -> str:
    """Return a value that a user gave, written as in Python, its middle left out if it is long."""
    brief = reprlib.Repr()
    brief.maxstring = brief.maxlong = brief.maxother = _VALUE
    try:
        text = brief.repr(value)
    except ValueError:  # Python does not write integers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 20]}...{text[-17:]}"


def plainly(value: float, digits: int) -> str:
    """Return a number of so many digits, without an exponent where it can be."""
    return f"{float(f'{value:.{digits}g}'):.9g}"


def install(extra: str) -> str:
    """Return the command that adds what an extra needs to this Python, wherever zspot is from."""
    marked = re.compile(rf"(.*?); extra == ['\"]{extra}['\"]")
    try:
        found = [marked.match(line) for line in metadata.requires("zspot") or ()]
    except metadata.PackageNotFoundError:
        found = []
    needed = " ".join(f'"{match[1]}"' for match in found if match) or f'"zspot[{extra}]"'
    return f"run: {shlex.quote(sys.executable)} -m pip install {needed}"


def os_reason(error: OSError) -> str:
    """Say in words why the system refused, and what to do."""
    text = error.strerror or str(error) or "the system does not say why"
    return _REASONS.get(error.errno or 0, text)


def error_in_words(error: BaseException) -> str:
    """Say in one line what went wrong, and where if zspot did not foresee it."""
    text = one_line(error)
    if isinstance(error, ZspotError):
        return text
    if isinstance(error, MemoryError):
        return f"not enough memory{f': {text}' if text else ''}"
    if isinstance(error, OSError) and error.errno is not None:
        where = "" if error.filename is None else f"{error.filename}: "
        return one_line(f"{where}{os_reason(error)}")
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"unexpected failure{where}: {text or 'no reason was given'}"
