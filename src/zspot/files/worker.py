"""What a worker does with one file, and the progress that it tells."""

import time
from pathlib import Path
from typing import Any

import torch

from zspot.api import versions
from zspot.core.errors import FileError, error_in_words, one_line
from zspot.core.progress import Progress, Report
from zspot.files.discovery import Item
from zspot.files.file import denoise_with
from zspot.files.journal import fingerprint
from zspot.files.options import Options

_REPORT_SECONDS = 0.5  # between two words of a worker on how far a file is


class Meter:
    """Progress over all files from what the workers tell, and the time left."""

    def __init__(self, items: tuple[Item, ...], report: Report | None) -> None:
        self._sizes = [item.size for item in items]
        self._shares: dict[int, float] = {}
        self._ended: set[int] = set()
        self._skipped = 0
        self._report = report
        self._started = time.perf_counter()

    def hear(self, event: tuple[float, Any]) -> None:
        """Take a worker's word on how far a file is."""
        number, share = event[1]
        if number not in self._ended:
            self._shares[number] = share
            self._tell()

    def end(self, number: int, *, worked: bool) -> None:
        """Count a file as ended."""
        self._ended.add(number)
        self._shares[number] = 1.0
        if not worked:
            self._skipped += self._sizes[number]
        self._tell()

    def _tell(self) -> None:
        if self._report is None:
            return
        total = sum(self._sizes)
        done = sum(self._sizes[number] * share for number, share in list(self._shares.items()))
        worked = done - self._skipped
        elapsed = time.perf_counter() - self._started
        left = elapsed / worked * (total - done) if worked > 0 else None
        stage = f"{len(self._ended)} of {len(self._sizes)} files"
        self._report(Progress(stage, done, total, left))


def work(number: int, item: Item, options: Options, tag: str) -> tuple[str, dict[str, Any]]:
    """Denoise one file on a worker; every failure of the file is a result, not an exception."""
    torch.set_num_threads(options.threads)
    started = time.perf_counter()
    try:
        before = _stamp(item.source)
        # overwriting: whose target it is was decided before
        report = _teller(tag, number)
        _, notes = denoise_with(options, item.source, item.target, True, report)
        if _stamp(item.source) != before:
            raise FileError(f"{item.source} changed while it was read; run again")
        output = fingerprint(item.target)
    except Exception as error:
        return "failed", {"error": told(item, error)}
    seconds = time.perf_counter() - started
    return "done", {"output": output, "versions": versions(), "seconds": seconds, "notes": notes}


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def told(item: Item, error: Exception) -> str:
    """Say in one line what is wrong with a file."""
    text, name = error_in_words(error), one_line(item.source)
    return text if name in text else f"{name}: {text}"


def _teller(tag: str, number: int) -> Report | None:
    """Tell the client how far a file is; stop once nobody waits for it any more."""
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:  # called outside of a cluster
        return None
    key, last = f"{tag}-{number}", 0.0

    def report(p: Progress) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last < _REPORT_SECONDS:
            return
        last = now
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise FileError("cancelled: nobody waits for this file any more")
        worker.log_event(tag, (number, p.done / p.total))

    return report
