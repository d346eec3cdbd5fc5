"""Work on the parts of an image at the same time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Job = TypeVar("Job")
Done = TypeVar("Done")


def side_by_side(
    work: Callable[[Job], Done], jobs: Sequence[Job], device: torch.device
) -> Iterator[Done]:
    """Yield what `work` makes of each job, in order; on a CPU by as many threads as torch has.

    Each has one: small matrices gain nothing from more, and any number gives the same bytes.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1:
        yield from map(work, jobs)
        return
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield from pool.map(work, jobs)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # the libraries below know one number for all threads
