"""Standard input and output of `zspot denoise`: piped images go through a temporary folder."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zspot.core.errors import FileError, OptionError, ZspotError

PIPE = Path("-")  # standard input or output


@contextmanager
def places(source: Path, target: Path, suffix: str | None) -> Iterator[tuple[Path, Path]]:
    """Yield the files to read and to write; what is piped goes through a temporary folder."""
    from zspot.io import output_name
    from zspot.io.atomic import temporary_folder

    if target == PIPE and sys.stdout.isatty():
        raise OptionError("an image is not written to a terminal: name a file, or pipe it on")
    if PIPE not in (source, target):
        yield source, target
        return
    with temporary_folder("zspot-pipe-") as folder:
        written = target
        try:
            if source == PIPE:
                source = _received(folder / "standard-input")
            if target == PIPE:
                ending = f".{suffix.lstrip('.')}" if suffix else output_name(source).suffix
                written = folder / f"standard-output{ending}"
            yield source, written
        except ZspotError as error:
            raise type(error)(str(error).replace(f"{folder}{os.sep}", "")) from error
        if target == PIPE:
            _send(written)


def _received(path: Path) -> Path:
    """Save standard input as a file, named as its first bytes say."""
    from zspot.io.open import FORMATS, HEAD, format_of

    if sys.stdin.isatty():
        raise OptionError("standard input is a terminal: pipe an image into it, or name a file")
    head = sys.stdin.buffer.read(HEAD)
    name = format_of(head)
    if name is None:
        what = "no image of a kind that its first bytes tell (RAW is not)" if head else "empty"
        raise FileError(f"standard input is {what}; name a file")
    path = path.with_suffix(FORMATS[name].suffixes[0])
    with path.open("wb") as handle:
        handle.write(head)
        shutil.copyfileobj(sys.stdin.buffer, handle)
    return path


def _send(path: Path) -> None:
    try:
        with path.open("rb") as handle, open(sys.stdout.fileno(), "wb", closefd=False) as out:
            shutil.copyfileobj(handle, out)
    except OSError as error:
        raise FileError(f"standard output cannot be written: {error.strerror}") from error
