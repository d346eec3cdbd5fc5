"""Fast random bits from an explicit generator; the global generator is never touched."""

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum

import torch
from torch import Generator, Tensor

_WORD = 4  # one int64 holds four 16-bit draws: ten times faster on a CPU
_LEVELS = 1 << 16
_GLOBAL = threading.RLock()  # torch has one global generator for all threads, as dask's are

# What a generator of a run is for; the number decides its bytes.
Purpose = IntEnum("Purpose", ["NETWORK", "FILL", "MASK", "DROPOUT", "CROPS"], start=0)


def bernoulli(shape: Sequence[int], p: float, generator: Generator) -> Tensor:
    """Draw booleans, True with probability `p` to within 1/131072; faster than torch's."""
    count = math.prod(shape)
    words = torch.empty(-(-count // _WORD), dtype=torch.int64, device=generator.device)
    words.random_(-(2**63), None, generator=generator)
    threshold = round(p * _LEVELS) - _LEVELS // 2
    if threshold >= _LEVELS // 2:  # p rounds to 1: the threshold is outside int16
        return torch.ones(shape, dtype=torch.bool, device=generator.device)
    return (words.view(torch.int16)[:count] < threshold).view(shape)


def dropout(x: Tensor, p: float, generator: Generator | None) -> Tensor:
    """Zero each element with probability `p` and rescale the rest; identity without generator."""
    if generator is None or p == 0:
        return x
    channels_last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    shape = x.permute(0, 2, 3, 1).shape if channels_last else x.shape
    kept = bernoulli(shape, 1 - p, generator).to(x.dtype).mul_(1 / (1 - p))
    return x * (kept.permute(0, 3, 1, 2) if channels_last else kept)


def derive(seed: int, purpose: int, device: torch.device) -> Generator:
    """Return a generator for one purpose of a run, independent of the run's other generators."""
    generator = torch.Generator(device=device)
    # Offsets far apart keep neighbouring seeds of different purposes from coinciding.
    return generator.manual_seed((seed + purpose * 0x9E3779B97F4A7C15) % 2**63)


@contextmanager
def seeded(generator: Generator) -> Iterator[None]:
    """Let torch's layers draw their weights from `generator`, and give the global state back."""
    seed = int(torch.randint(2**31, (1,), generator=generator))
    with _GLOBAL, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
