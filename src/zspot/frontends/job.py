"""Work in a thread of its own, with progress and a cancel that stops it."""

import atexit
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from zspot.core.progress import Progress, Report

T = TypeVar("T")
_PATIENCE = 10.0  # seconds from a cancel to the next report


class Cancelled(Exception):  # noqa: N818  (it is no error)
    """Raised inside the work, by its progress callback, once somebody cancelled."""


class Job(Generic[T]):
    """One piece of work, which takes a callback for `Progress` and returns a result."""

    def __init__(self, work: Callable[[Report], T]) -> None:
        self._work = work
        self._stop = threading.Event()
        self._news: queue.SimpleQueue[Progress | None] = queue.SimpleQueue()
        self._begun = False
        self._outcome: Future[T] = Future()

    def cancel(self) -> None:
        """Stop the work at its next report; before it was started, it never starts."""
        self._stop.set()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._stop.is_set()

    def run(self) -> Iterator[Progress]:
        """Start the work and yield its newest progress until it ends; raise what it raised."""
        if self.cancelled:
            raise Cancelled
        self._begun = True
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
        self._outcome.result()  # raises what the work raised

    def _end(self) -> None:
        """Let the work stop before Python does: torch may not be cut off in the middle."""
        self.cancel()
        wait([self._outcome], _PATIENCE)

    def wait(self, seconds: float) -> bool:
        """Wait until the work ended, not longer than `seconds`; return whether a cancel did it."""
        if not self._begun:
            return True
        ended, _ = wait([self._outcome], seconds)
        return bool(ended) and isinstance(self._outcome.exception(), Cancelled)

    @property
    def works(self) -> bool:
        """Whether the work has begun and not ended."""
        return self._begun and not self._outcome.done()

    @property
    def result(self) -> T:
        """What the work returned, once `run` has ended without an error."""
        return self._outcome.result()

    def _newest(self) -> Progress | None:
        news = self._news.get()
        while news is not None and not self._news.empty():
            news = self._news.get()
        return news

    def _report(self, progress: Progress) -> None:
        if self.cancelled:
            raise Cancelled
        self._news.put(progress)

    def _thread(self) -> None:
        try:
            self._outcome.set_result(self._work(self._report))
        except BaseException as error:
            self._outcome.set_exception(error)
        self._news.put(None)
