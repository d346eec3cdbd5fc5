"""Lines on the terminal, and what the commands have in common."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from zspot.core.errors import one_line, printable
from zspot.core.progress import Progress, Report, bar, duration

FAILED = 1
BAD_USE = 2
_LONG = 60  # seconds, from which it is said before a run how long it takes

stderr = Console(stderr=True)
stdout = Console(soft_wrap=True)


def value(shown: str | None, words: str, default: Any = None, **more: Any) -> Any:
    """Return an option with a value, `shown` as that in the help."""
    return typer.Option(default, metavar=shown, help=words, **more)


def switch(words: str, *names: str, **more: Any) -> Any:
    """Return an option without a value, which is off."""
    return typer.Option(False, *names, help=words, **more)


def tell(line: str, *, error: bool = False) -> None:
    """Print a line whatever is in it, such as names that are not UTF-8."""
    (stderr if error else stdout).print(escape(printable(line)), highlight=False)


def fail(message: str, code: int) -> int:
    """Print an error as one line and return the exit code."""
    typer.echo(f"zspot: {one_line(message)}", err=True)
    return code


def examples(*commands: str) -> str:
    """Return an epilog with a line for each command; typer breaks lines at empty ones."""
    return "\n\n".join(["Examples:", *commands])


@contextmanager
def progress_bar(name: str, quiet: bool) -> Iterator[Report | None]:
    """Say first how long a long run takes; show a bar with the time left on a terminal."""
    if quiet:
        yield None
        return
    asked = False
    with bar(name, stderr) if stderr.is_terminal else nullcontext(lambda _: None) as move:

        def report(news: Progress) -> None:
            nonlocal asked
            if not asked and (news.seconds_left or 0) > _LONG:
                tell(f"note: about {duration(news.seconds_left or 0)} on one core", error=True)
            asked = True
            move(news)

        yield report
