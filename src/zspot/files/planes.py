"""Planes of files, one after another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zspot.api import Result
from zspot.api.requests import check_sharing
from zspot.recipe import Recipe


def series(axes: str, place: Sequence[Any]) -> int:
    """Return which planes of a file share a fit: those of one channel.

    Parameters
    ----------
    axes : str
        A letter for each axis, see `zspot.io`.
    place : sequence
        Index of a plane, an entry for each axis; what follows the axes that count planes may lack.
    """
    return place[axes.index("C")] if "C" in axes else 0


class Sharing:
    """The fits that the planes of one stack start from: that of the first plane of each channel.

    Not that of the plane before: so a plane depends on one other plane only, and the same bytes
    come out whatever was done before, in whatever run.

    Parameters
    ----------
    method : str or Recipe

    Raises
    ------
    OptionError
        If the method cannot share a fit.

    Attributes
    ----------
    alone : bool
        Whether no channel has more than one plane, so that there is nothing to share.
    """

    def __init__(self, method: str | Recipe) -> None:
        check_sharing(method)
        self._firsts: dict[int, Result] = {}
        self.alone = False

    def begin_stack(self, axes: str, shape: Sequence[int]) -> None:
        """Forget the stack before; of this one know whether any channel has two planes."""
        self._firsts.clear()
        others = (size for letter, size in zip(axes, shape, strict=True) if letter not in "CYXS")
        self.alone = math.prod(others) == 1

    def first(self, series: int) -> Result | None:
        """Return the result to start the next plane of a series from; None for the first."""
        return self._firsts.get(series)

    def take(self, series: int, result: Result) -> None:
        """Keep the fit of a plane, without its pixels, if it is the first that was fitted."""
        if not self.alone and series not in self._firsts and result.fitted is not None:
            nothing = np.empty(0)
            slim = replace(result, image=nothing, source=None, uncertainty=None, losses=())
            self._firsts[series] = slim
