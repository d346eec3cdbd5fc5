"""The progress bar of a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape

from zspot.core.progress import Progress, Report
from zspot.frontends.cli.console import stderr
from zspot.frontends.words import duration, stage_in_words


@contextmanager
def progress_bar(name: str, quiet: bool) -> Iterator[Report | None]:
    """Show a bar with the time left on a terminal; nothing if quiet."""
    if quiet or not stderr.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Bar(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(escape(name), total=None, left="")

        def report(p: Progress) -> None:
            left = stage_in_words(p)
            if p.seconds_left is not None:
                left += f", {duration(p.seconds_left)} left"
            bar.update(task, completed=p.done, total=p.total, left=left)

        yield report
