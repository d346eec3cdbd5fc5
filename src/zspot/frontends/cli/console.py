"""Lines on the terminal, and what the commands have in common."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from zspot.core.errors import one_line, printable
from zspot.core.progress import Progress, Report
from zspot.frontends.words import duration, stage_in_words

FAILED = 1
BAD_USE = 2

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


@contextmanager
def progress_bar(name: str, quiet: bool) -> Iterator[Report | None]:
    """Show a bar with the time left on a terminal; nothing if quiet."""
    if quiet or not stderr.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, TaskProgressColumn
    from rich.progress import Progress as Bar

    columns = "{task.description}", BarColumn(), TaskProgressColumn(), "{task.fields[left]}"
    with Bar(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(escape(name), total=None, left="")

        def report(p: Progress) -> None:
            left = stage_in_words(p)
            if p.seconds_left is not None:
                left += f", {duration(p.seconds_left)} left"
            bar.update(task, completed=p.done, total=p.total, left=left)

        yield report
