"""What is asked of a run over the planes of files, as one value."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zspot.api import Result
from zspot.api.requests import Common, Settings
from zspot.api.result import check_share
from zspot.core.axes import check_letters
from zspot.core.errors import OptionError, shown
from zspot.core.ranges import AT_ONCE
from zspot.files.journal import fingerprint
from zspot.recipe import Recipe


class Keywords(Common, total=False):
    """What `zspot.denoise_file` takes by keyword for every plane."""

    share_fit: bool
    strength: float
    keep_detail: float
    mask: Path | None


class ManyKeywords(Keywords, total=False):
    """What `zspot.denoise_many` takes by keyword for every file."""

    threads: int


@dataclass(frozen=True)
class Options(Settings):
    """What is asked of every plane, as in `zspot.denoise_file`."""

    share_fit: bool = False
    strength: float = 1.0
    keep_detail: float = 0.0
    threads: int = 1  #: of the CPU, for each file of many

    def checked(self, *, here: bool = True) -> "Options":
        """Refuse what is wrong before a file is read; `here`: this machine must have the device."""
        self.check(shared=self.share_fit, here=here)
        check_share(f"--strength {self.strength}", self.strength)
        check_share(f"--keep-detail {self.keep_detail}", self.keep_detail)
        if not 1 <= self.threads <= AT_ONCE:
            raise OptionError(f"threads={shown(self.threads)}: must be from 1 to {AT_ONCE}")
        if self.axes is not None:
            check_letters(self.axes)
        return self

    def to_job(self) -> dict[str, Any]:
        """Return what makes a rerun redo a file if it is another: values of JSON, for a journal."""
        recipe = self.method if isinstance(self.method, Recipe) else None
        own = {name: value for name, value in vars(self).items() if name != "max_memory"}
        own["mask"] = None if self.mask is None else f"{self.mask} {fingerprint(Path(self.mask))}"
        first = ("seed", "device", "axes", "threads", "share_fit")
        own = {n: v for n, v in own.items() if n in first or v != getattr(Options, n)} | self._less
        own["method"] = self.method if recipe is None else recipe.method
        own["effort"] = self.effort if recipe is None else None
        return {**own, "recipe": None if recipe is None else recipe.to_dict()}

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
