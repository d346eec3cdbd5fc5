"""What is asked of a run over the planes of files, as one value."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zspot.api import DEFAULT_METHOD, Result, check_device, choose
from zspot.api.requests import (
    Common,
    check_dtype,
    check_neighbours,
    check_seed,
    check_sharing,
    check_sigma,
)
from zspot.api.result import check_share
from zspot.core.axes import check_letters
from zspot.core.errors import OptionError, shown
from zspot.core.memory import limit_of
from zspot.core.ranges import AT_ONCE
from zspot.recipe import Recipe


class Keywords(Common, total=False):
    """What `zspot.denoise_file` takes by keyword for every plane."""

    axes: str | None
    neighbours: int | str
    share_fit: bool
    strength: float
    keep_detail: float
    mask: Path | None


class ManyKeywords(Keywords, total=False):
    """What `zspot.denoise_many` takes by keyword for every file."""

    threads: int


@dataclass(frozen=True)
class Options:
    """What is asked of every plane, as in `zspot.denoise_file`."""

    method: str | Recipe = DEFAULT_METHOD
    effort: str = "balanced"
    seed: int = 0
    device: str = "auto"
    axes: str | None = None
    threads: int = 1  #: of the CPU, for each file of many
    share_fit: bool = False
    max_memory: int | str | None = None
    strength: float = 1.0
    keep_detail: float = 0.0
    nodata: float | None = None
    mask: Path | None = None
    keep_outliers: bool = False
    dtype: str | None = None
    sigma: float | None = None
    neighbours: int | str = 0

    def checked(self, *, here: bool = True) -> "Options":
        """Refuse what is wrong before a file is read; `here`: this machine must have the device."""
        choose(self.method, self.effort)
        check_seed(self.seed)
        check_share(f"--strength {self.strength}", self.strength)
        check_share(f"--keep-detail {self.keep_detail}", self.keep_detail)
        if not 1 <= self.threads <= AT_ONCE:
            raise OptionError(f"threads={shown(self.threads)}: must be from 1 to {AT_ONCE}")
        limit_of(self.max_memory)
        if self.axes is not None:
            check_letters(self.axes)
        check_neighbours(self.neighbours, shared=self.share_fit)
        check_dtype(self.dtype)
        check_sigma(self.sigma, self.method, self.share_fit or self.neighbours != 0)
        check_device(self.device, here=here)
        if self.share_fit:
            check_sharing(self.method)
        return self

    def common(self, nodata: float | None) -> Common:
        """Return what `zspot.run` takes too; `nodata` is what the file itself says."""
        values: Any = {name: getattr(self, name) for name in Common.__annotations__}
        return values if self.nodata is not None else values | {"nodata": nodata}

    def to_job(self) -> dict[str, Any]:
        """Return what makes a rerun redo a file if it is another: values of JSON, for a journal."""
        # Not `max_memory`; what earlier versions did not know only where it is not the default.
        recipe = self.method if isinstance(self.method, Recipe) else None
        known = ("seed", "device", "axes", "threads", "share_fit")
        names = ("nodata", "keep_outliers", "dtype", "sigma", "neighbours")
        later = {name: getattr(self, name) for name in names}
        later["mask"] = None if self.mask is None else str(self.mask)
        return {
            "method": self.method if recipe is None else recipe.method,
            "effort": self.effort if recipe is None else None,
            "recipe": None if recipe is None else recipe.to_dict(),
            **{name: getattr(self, name) for name in known},
            **self._less,
            **{name: value for name, value in later.items() if value != getattr(Options, name)},
        }

    def blend(self, result: Result) -> np.ndarray:
        """Return what is wanted of a result."""
        return result.blend(self.strength, self.keep_detail) if self._less else result.image

    @property
    def blending(self) -> str:
        """What is wanted of each result, in words; empty for the full result."""
        return f"strength {self.strength:g}, keep detail {self.keep_detail:g}" if self._less else ""

    @property
    def _less(self) -> dict[str, float]:
        values = {"strength": float(self.strength), "keep_detail": float(self.keep_detail)}
        return {name: value for name, value in values.items() if value != getattr(Options, name)}
