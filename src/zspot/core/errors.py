"""Every error that a user can meet."""


class ZspotError(Exception):
    """What zspot refuses; the message says in one line what is wrong and what to do."""


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

    def __init__(self, message: object):
        super().__init__(" ".join(printable(str(message)).split()))


class ClusterError(ZspotError, RuntimeError):
    """There is no cluster to work on."""


class MissingExtraError(ZspotError, ImportError):
    """An optional package is missing; the message says how to install it."""


class StoppedError(ZspotError):
    """Many files were stopped by Ctrl-C; the message says what is done and how to go on."""


def printable(text: str) -> str:
    """Return text for any terminal: what file names may hold beside text as backslash escapes."""
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c.isspace() else f"\\x{ord(c):02x}" for c in shown)
