"""Work on the parts of an image at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Job = TypeVar("Job")
Done = TypeVar("Done")


def side_by_side(
    work: Callable[[Job], Done],
    jobs: Sequence[Job],
    device: torch.device,
    take: Callable[[int, Done], None],
) -> None:
    """Give `take` each job's number and what `work` makes of it, in order.

    On a CPU by as many threads as torch has, each with one: small matrices gain nothing from more,
    and any number gives the same bytes.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1:
        for number, job in enumerate(jobs):
            take(number, work(job))
        return
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        for number, done in enumerate(pool.map(work, jobs)):
            take(number, done)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # the libraries below know one number for all threads
