"""The learning rate as it changes over a fit."""

from __future__ import annotations

import math
from collections.abc import Callable

from zspot import specs

_WARMUP = 0.2  # share of a one-cycle schedule spent warming up
_START = 0.04  # learning rate it starts from, relative to the peak


def rate_schedule(spec: specs.Fit) -> Callable[[int], float]:
    """Return the learning rate factor as a function of the step number."""

    def cosine(progress: float) -> float:
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    def one_cycle(step: int) -> float:
        warm = max(1, round(_WARMUP * spec.steps))
        if step < warm:
            return _START + (1 - _START) * step / warm
        return cosine((step - warm) / max(1, spec.steps - warm))

    shapes: dict[str, Callable[[int], float]] = {
        "cosine": lambda step: cosine(step / max(1, spec.steps)),
        "one-cycle": one_cycle,
        "constant": lambda step: 1.0,
    }
    return shapes[spec.schedule]
