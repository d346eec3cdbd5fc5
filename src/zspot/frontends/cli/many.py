"""`zspot denoise` with many files: a line for each, a summary, and what Ctrl-C left."""

import os
from functools import partial
from typing import Any

import typer

from zspot.core.errors import StoppedError
from zspot.files import Outcome, Summary, denoise_many, denoise_sequence
from zspot.frontends.cli.console import FAILED, fail, progress_bar, tell
from zspot.frontends.cli.denoise import Asked


def denoise_and_tell(asked: Asked) -> None:
    """Denoise many files and print what became of them; typer.Exit if a file failed."""
    done = 0

    def ended(outcome: Outcome) -> None:
        nonlocal done
        if outcome.state == "done":
            done += 1
            if not asked.quiet:
                tell(f"{outcome.item.target}: {outcome.said} ({outcome.seconds:.1f} s)")

    start: Any = partial(denoise_many, scheduler=asked.scheduler, workers=asked.workers)
    out, threads, chosen = asked.output, asked.threads or 1, asked.chosen
    if asked.sequence:
        start, out, threads = denoise_sequence, asked.paths[-1], asked.threads or os.cpu_count()
    options = {**asked.options, "threads": threads, "ended": ended}
    try:
        with progress_bar(asked.source.name, asked.quiet) as report:
            summary = start(asked.shots, out, chosen, progress=report, **options)
    except KeyboardInterrupt:
        left = f"{done} files are done in {out}; the same command goes on from there"
        raise StoppedError(f"cancelled: {left}") from None
    if not asked.quiet:
        _tell_notes(summary)
        tell(_total(summary, asked.blending))
    failed = [outcome.error for outcome in summary.outcomes if outcome.state == "failed"]
    for error in failed:
        fail(error, FAILED)
    if failed:
        raise typer.Exit(FAILED)


def _tell_notes(summary: Summary) -> None:
    """Say each note once, with how many files it is about."""
    notes: dict[str, list[str]] = {}
    for outcome in summary.outcomes:
        for note in outcome.notes:
            notes.setdefault(note, []).append(outcome.item.name)
    for note, names in notes.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        tell(f"note: {names[0]}{more}: {note}", error=True)


def _total(summary: Summary, blending: str) -> str:
    counts = {
        "were done already": summary.count("skipped"),
        "failed": summary.count("failed"),
        "other files left out": summary.others,
    }
    parts = [f"{summary.count('done')} denoised"]
    parts += [f"{count} {words}" for words, count in counts.items() if count]
    return ", ".join(filter(None, [*parts, blending]))
