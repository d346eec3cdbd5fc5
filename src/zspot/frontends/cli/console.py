"""Lines on the terminal, and what the commands have in common."""

from contextlib import AbstractContextManager, nullcontext

import typer
from rich.console import Console
from rich.markup import escape

from zspot.core.errors import one_line, printable
from zspot.core.progress import Progress, Report, bar, duration

FAILED = 1
BAD_USE = 2
_BEGUN, _LONG = 0.02, 60.0  # share after which the time left is sure; seconds worth a word

stderr = Console(stderr=True)
stdout = Console(soft_wrap=True)


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


def progress_bar(name: str, quiet: bool) -> AbstractContextManager[Report | None]:
    """Show a bar with the time left; without a terminal say it once where it is long."""
    if quiet:
        return nullcontext()
    return bar(name, stderr) if stderr.is_terminal else nullcontext(_said_once(name))


def _said_once(name: str) -> Report:
    told: list[float] = []

    def report(p: Progress) -> None:
        known = p.seconds_left is not None and p.done > _BEGUN * p.total
        if known and not told:
            told.append(p.seconds_left or 0)
            if told[0] > _LONG:
                tell(f"{name}: about {duration(told[0])} left", error=True)

    return report
