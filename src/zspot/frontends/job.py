"""Work in a thread of its own, with progress and a cancel that stops it."""

import atexit
import queue
import threading
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError as Cancelled
from concurrent.futures import Future
from contextlib import suppress
from typing import Generic, TypeVar

from zspot.core.progress import Progress, Report

T = TypeVar("T")
_PATIENCE = 10.0  # seconds from a cancel to the next report


class Job(Generic[T]):
    """One piece of work, which takes a callback for `Progress` and returns a result."""

    def __init__(self, work: Callable[[Report], T]) -> None:
        self._work = work
        self._stop = threading.Event()
        self._news: queue.SimpleQueue[Progress | None] = queue.SimpleQueue()
        self._outcome: Future[T] = Future()

    @property
    def works(self) -> bool:
        """Whether the work has begun and not ended."""
        return self._outcome.running()

    def cancel(self) -> None:
        """Stop the work at its next report; before it was started, it never starts."""
        self._stop.set()
        self._outcome.cancel()

    def run(self) -> Generator[Progress, None, T]:
        """Work and yield the newest progress; return what came of it or raise what it raised."""
        if not self._outcome.set_running_or_notify_cancel():
            raise Cancelled
        thread = threading.Thread(target=self._thread, daemon=True, name="zspot-job")
        atexit.register(self._end)
        thread.start()
        try:
            while (news := self._newest()) is not None:
                yield news
        finally:
            self.cancel()  # where the iterator was left early; no effect on work that is done
            thread.join()
            atexit.unregister(self._end)
        return self._outcome.result()

    def wait(self, seconds: float) -> bool:
        """Wait until the work ended, not longer than `seconds`; return whether a cancel did it."""
        with suppress(Cancelled, TimeoutError):
            return isinstance(self._outcome.exception(seconds), Cancelled)
        return self._outcome.cancelled()  # before it began

    def _end(self) -> None:
        """Let the work stop before Python does: torch may not be cut off in the middle."""
        self.cancel()
        self.wait(_PATIENCE)

    def _newest(self) -> Progress | None:
        news = self._news.get()
        while news is not None and not self._news.empty():
            news = self._news.get()
        return news

    def _report(self, progress: Progress) -> None:
        if self._stop.is_set():
            raise Cancelled
        self._news.put(progress)

    def _thread(self) -> None:
        try:
            self._outcome.set_result(self._work(self._report))
        except BaseException as error:
            self._outcome.set_exception(error)
        self._news.put(None)
