"""`zspot denoise` with many files: lines for each, a summary, and what Ctrl-C left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from zspot.api.result import Blending
from zspot.files.folder import Outcome, Summary, denoise_many
from zspot.recipe import Recipe

Tell = Callable[..., None]


class StoppedError(Exception):
    """Ctrl-C; the message says what is done and how to go on."""


class SomeFailedError(Exception):
    """Some files could not be denoised; the message names each."""


def denoise_and_tell(
    source: Path, out: Path, method: str | Recipe, options: dict[str, Any], tell: Tell | None
) -> None:
    """Denoise many files and print what became of them.

    Parameters
    ----------
    source, out, method
        As in `zspot.files.folder.denoise_many`.
    options : dict
        Its other arguments.
    tell : callable or None
        Prints a line; None prints errors only.

    Raises
    ------
    SomeFailedError
        At the end, if a file failed.
    StoppedError
        After Ctrl-C.
    """
    done = 0

    def ended(outcome: Outcome) -> None:
        nonlocal done
        done += outcome.state == "done"
        if tell is not None and outcome.state == "done":
            tell(f"{outcome.item.target}: denoised in {outcome.seconds:.1f} s")

    try:
        summary = denoise_many(source, out, method, **options, ended=ended)
    except KeyboardInterrupt:
        raise StoppedError(
            f"cancelled: {done} files are done in {out}; the same command goes on from there"
        ) from None
    if tell is not None:
        _tell_notes(summary, tell)
        blending = Blending(options["strength"], options["keep_detail"])
        tell(_total(summary, blending.words))
    failed = [outcome.error for outcome in summary.outcomes if outcome.state == "failed"]
    if failed:
        raise SomeFailedError(failed)


def _tell_notes(summary: Summary, tell: Tell) -> None:
    """Say each note once, with how many files it is about."""
    notes: dict[str, list[str]] = {}
    for outcome in summary.outcomes:
        for note in outcome.notes:
            notes.setdefault(note, []).append(outcome.item.name)
    for note, names in notes.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        tell(f"note: {names[0]}{more}: {note}", error=True)


def _total(summary: Summary, blending: str) -> str:
    parts = [f"{summary.count('done')} denoised"]
    if summary.count("skipped"):
        parts.append(f"{summary.count('skipped')} were done already")
    if summary.count("failed"):
        parts.append(f"{summary.count('failed')} failed")
    if summary.others:
        parts.append(f"{summary.others} other files left out")
    if blending:
        parts.append(blending)
    return ", ".join(parts)
