"""What is known about a denoised image."""

import base64
import html
import io
import os
import platform
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import torch
from PIL import Image

from zspot._version import __version__
from zspot.api.pictures import compared, removed
from zspot.api.preparation import Preparation
from zspot.api.requests import Request, check_device, check_rounding
from zspot.api.trust import Trust, assess_images
from zspot.core.axes import channel_axis, iter_planes, without_colours
from zspot.core.errors import ImageError, OptionError
from zspot.core.plane import Plane
from zspot.engine import Denoised
from zspot.engine.shared_fit import Fitted, Start, fitted_to
from zspot.filters.detail import blend, removed_detail
from zspot.io import ImageFile, write
from zspot.recipe import Recipe

_JUDGED = 1024  # pixels; of larger images the middle is judged


def versions() -> dict[str, str]:
    """Return the versions that decide a result: zspot, torch, numpy and Python."""
    return {
        "zspot": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """A denoised image and how it came about."""

    image: np.ndarray  #: shape, dtype and intensity scale of the input
    #: Standard deviation of each pixel over the averaged predictions, in the image's units and
    #: shape; None where only one prediction was made. It shows where the method wavers; it is not
    #: the error against the truth.
    uncertainty: np.ndarray | None
    method: str  #: its name
    #: what ran, complete but for the weights of `after`; None for methods that are not recipes,
    #: for bins of few photons, or where nothing ran
    recipe: Recipe | None
    reason: str  #: why that was run
    losses: tuple[float, ...]  #: the fit's loss at each step, in standardised intensities
    timings: dict[str, float]  #: seconds of each stage and in `total`
    seed: int  #: as it was passed
    device: str  #: on which it ran
    #: of zspot, torch, numpy and Python
    versions: dict[str, str] = field(default_factory=versions)
    #: the input itself, not a copy: changing it changes what `blend` returns
    source: np.ndarray | None = None
    channel_axis: int | None = None  #: as it was passed
    #: True where the image carries picture; the rest was left as it is. None: everywhere.
    valid: np.ndarray | None = None
    #: what `run` can start from with a neighbouring plane, see `zspot.engine.shared_fit`; None
    #: where nothing can be shared
    fitted: Fitted | None = None
    axes: str | None = None  #: letters of the axes of a stack, as they were passed
    #: of `reason`: what was left out, repaired, left as it was, or done in parts to fit into memory
    told: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, ready: Preparation, plane: Plane, done: Denoised, request: Request, start: Start | None
    ) -> "Result":
        """Return what is known of a denoised plane, whose fit began at `start`."""
        mean, deviation = done.mean.cpu().numpy(), done.deviation
        if request.dtype is None:
            check_rounding(plane, mean)
        spread = None
        if deviation is not None:
            spread = ready.undone(plane.restore_deviation(deviation.cpu().numpy()), deviation=True)
        shape, axis = ready.source.shape, ready.channel_axis
        begun = "" if start is None else start.reason
        told = (*done.told, *ready.told, *request.chosen.told)
        new = [note for note in told if note not in done.reason]
        said = (done.reason, *new, request.chosen.reason, begun)
        return cls(
            ready.undone(plane.restore(mean)), spread, recipe=done.recipe,
            reason="; ".join(filter(None, said)), losses=done.losses,
            timings={**done.timings, "total": time.perf_counter() - request.started},
            fitted=fitted_to(plane, done, start, request.asked, shape, axis), told=told,
            **_asked(ready, request),
        )  # fmt: skip

    @classmethod
    def unchanged(cls, ready: Preparation, request: Request, reason: str) -> "Result":
        """Return the image as it is, for a reason; the fit to start from is handed on."""
        return cls(
            ready.source.copy(), None, recipe=None, reason="; ".join((reason, *ready.told)),
            losses=(), timings={"total": time.perf_counter() - request.started},
            fitted=None if request.after is None else request.after.fitted,
            told=(reason, *ready.told), **_asked(ready, request),
        )  # fmt: skip

    @cached_property
    def middle(self) -> "Result":
        """The plane in the middle of a stack; of one image the result itself."""
        if self.axes is None:
            return self
        places = list(iter_planes(self.image.shape, self.axes))
        place = places[len(places) // 2]
        spread = None if self.uncertainty is None else self.uncertainty[place]
        source = None if self.source is None else self.source[place]
        plane: Any = {"image": self.image[place], "uncertainty": spread, "source": source}
        if self.valid is not None:
            plane["valid"] = self.valid[without_colours(place, self.axes)]
        return replace(self, **plane, channel_axis=channel_axis(self.axes), axes=None)

    @cached_property
    def trust(self) -> Trust:
        """The verdict of `zspot.assess`, on the middle megapixel; `trust.summary` is a sentence."""
        if self.axes is not None:
            return self.middle.trust
        axis = self.channel_axis
        first = [max(0, (n - _JUDGED) // 2) for n in self.image.shape]
        middle = [slice(at, at + _JUDGED) for at in first]
        grey = tuple(cut for at, cut in enumerate(middle) if axis is None or at != axis % 3)
        mask = None if self.valid is None else self.valid[grey]
        noisy, denoised = (one[tuple(middle)] for one in (self._input(), self.image))
        return assess_images(noisy, denoised, channel_axis=axis, mask=mask)

    @property
    def summary(self) -> str:
        """A sentence on the noise and what became of it; why there is none where nothing ran."""
        return f"{self.reason}." if self.source is None else self.trust.summary

    @property
    def removed(self) -> np.ndarray:
        """What was removed, input - image, as floats; 0 where pixels are not numbers."""
        return removed(self._input(), self.image)

    def plot(self) -> Image.Image:
        """Return before, after and what was removed, of a stack's middle plane, as a picture."""
        one = self.middle
        return compared(one._input(), one.image, one.channel_axis, one.valid)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write `image` to a file, whose suffix chooses the format; see `zspot.io.write`."""
        axis = self.channel_axis
        data = self.image if axis is None else np.moveaxis(self.image, axis, -1)
        letters = self.axes or ("YX" if axis is None else "YXS")
        write(path, ImageFile(data, letters), overwrite=overwrite)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.image.shape))
        seconds = self.timings.get("total", 0)
        why = self.reason.split(";")[0] if self.method.startswith("auto") else ""
        lines = (
            f"{self.image.dtype} {size}, by {self.method} in {seconds:.1f} s on {self.device}",
            "" if self.source is None else self.summary,
            "; ".join(self.told),
            why if why not in self.told else "",
            "more: .image .removed .uncertainty .plot() .blend(strength) .save(path) .trust",
        )
        return "\n  ".join(filter(None, lines))

    def _repr_html_(self) -> str:
        text = f"<pre>{html.escape(repr(self))}</pre>"
        if self.source is None:
            return text
        self.plot().save(png := io.BytesIO(), "PNG")
        data = base64.b64encode(png.getvalue()).decode()
        return f'{text}<img alt="before, after, removed" src="data:image/png;base64,{data}">'

    @cached_property
    def removed_detail(self) -> np.ndarray:
        """What `blend` can put back, float64, shape and units of the image.

        Made when first asked for. The removed part, input - image, is cut into overlapping windows
        of 8 x 8 pixels and written as cosines; what stands out of the strength that the removed
        noise usually has at that frequency is structure. It is cut so that image + removed_detail
        lies between the image and the input everywhere.

        ImageError: if the result does not hold the input.
        """
        if self.axes is None:
            return removed_detail(self._input(), self.image, self.channel_axis)
        detail, axis = np.empty(self.image.shape), channel_axis(self.axes)
        for place in iter_planes(self.image.shape, self.axes):
            detail[place] = removed_detail(self._input()[place], self.image[place], axis)
        return detail

    def blend(self, strength: float = 1.0, keep_detail: float = 0.0) -> np.ndarray:
        """Return less than the full result, without running anything again.

        `strength` in [0, 1]: 0 returns the input exactly; with `keep_detail` 0, 1 returns `image`
        exactly. In between every pixel moves from the one to the other and never turns back.
        `keep_detail` in [0, 1]: share of `removed_detail` (edges and texture found in what was
        removed) to put back. Pixels stay between input and image. Returns ndarray: A new array of
        the shape, dtype and intensity scale of the input: input + strength * (image - input +
        keep_detail * removed_detail). OptionError: if a value is outside [0, 1]. ImageError: if the
        result does not hold the input.
        """
        for name, value in (("strength", strength), ("keep_detail", keep_detail)):
            check_share(f"{name}={value!r}", value)
        detail = self.removed_detail if keep_detail > 0 and strength > 0 else None
        return blend(self._input(), self.image, detail, strength, keep_detail)

    def _input(self) -> np.ndarray:
        if self.source is None:
            raise ImageError("this result does not hold its input: nothing to blend with")
        return self.source


def _asked(ready: Preparation, request: Request) -> dict[str, Any]:
    """Return what is known of a result before the work."""
    return {
        "method": request.chosen.name,
        "seed": int(request.seed),
        "device": str(check_device(request.device)),
        "source": ready.source,
        "channel_axis": request.channel_axis,
        "valid": ready.valid,
    }


def check_share(said: str, value: float) -> None:
    """Raise OptionError if a value, as it was `said`, is outside [0, 1]."""
    if not (isinstance(value, Real) and 0 <= value <= 1):  # NaN is not either
        raise OptionError(f"{said}: must be from 0 to 1")
