"""Denoising again in less memory, then on the CPU, where memory ran out after all."""

from __future__ import annotations

from collections.abc import Callable

import torch

from zspot.core.errors import MemoryLimitError, OptionError
from zspot.engine.budget import half_of_free, in_words, parse_size, resident
from zspot.engine.runner import Denoised

_SHARES = (1, 2, 4)  # the limit is divided by these, one after the other


def limit_of(max_memory: int | str | None) -> int:
    """Return the bytes the process may take: as given, or what it holds and half of what is free.

    Raises
    ------
    OptionError
        If it is no size of memory.
    """
    if max_memory is None:
        return resident() + half_of_free()
    try:
        return parse_size(str(max_memory))
    except ValueError as error:
        raise OptionError(f"max_memory={max_memory!r}: {error}") from None


def denoise_within(
    denoise: Callable[[torch.device, int], Denoised], device: torch.device, memory: int
) -> Denoised:
    """Call `denoise(device, memory)`; where memory runs out, again with less, then on the CPU.

    Parameters
    ----------
    denoise : callable
    device : torch.device
        Where to begin.
    memory : int
        Bytes to begin with.

    Returns
    -------
    Denoised
        Its reason says what ran out of memory and what was done.

    Raises
    ------
    MemoryLimitError
        If memory is too small or ran out everywhere.
    """
    places = [(device, _of(device, memory) // share) for share in _SHARES]
    if device.type != "cpu":
        places.append((torch.device("cpu"), memory))
    told: list[str] = []
    for where, limit in places:
        try:
            done = denoise(where, limit)
        except MemoryLimitError:
            if not told:
                raise  # nothing ran out: it is the limit that is too small
        except (RuntimeError, MemoryError) as error:
            if not _ran_out(error):
                raise
            told.append(f"out of memory on {where} with {in_words(limit)}")
        else:
            if told:
                told.append(f"run again on {where} with {in_words(limit)}")
            return done.explained(*told)
    raise MemoryLimitError(
        f"{', '.join(told)}: close other programs, cut the image, or choose method auto"
    )


def _of(device: torch.device, memory: int) -> int:
    """Return what may be taken on a device: on a GPU no more than is free there."""
    if device.type != "cuda":
        return memory
    return min(memory, resident() + int(torch.cuda.mem_get_info(device)[0]))


def _ran_out(error: BaseException) -> bool:
    # The CPU's allocator raises a plain RuntimeError.
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        "can't allocate memory" in str(error)
    )
