"""How torch works here: on parts of an image at the same time, whatever its caller has set."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def as_usual(device: torch.device) -> Iterator[None]:
    """Let networks learn in float32, although the caller has switched that off or over."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    mixed = torch.autocast("cuda" if device.type == "cuda" else "cpu", enabled=False)
    try:
        with torch.inference_mode(False), torch.enable_grad(), mixed:
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def side_by_side(device: torch.device) -> Iterator[Callable[..., Iterator[Any]]]:
    """Give a `map` that on a CPU works on as many jobs at once as torch has threads, in order."""
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1:
        yield map
        return
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # the libraries below know one number for all threads
