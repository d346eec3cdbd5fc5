"""Fills: what the network sees in place of hidden pixels; `start` gives what fills one image."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, ClassVar

import torch
from torch import Generator, Tensor, nn

from zspot.core.ranges import POSITIVE, OneOf, Part, Range, require
from zspot.filters.patches import cross_scale_image, reflect_index
from zspot.networks.siren import PHASES, Siren
from zspot.recipe.losses import masked_mse
from zspot.recipe.masks import MaskMaps

Windows = Sequence[tuple[slice, slice]]  # which parts of the image the images of a step are

WHOLE: Windows = ((slice(None), slice(None)),)
_DRAWS = 3  # of a neighbour, before a hidden pixel without a visible one gets the mean


class RunningFill:
    """A fill at work on one image; one that learns nothing is what `draw` makes of a sample."""

    modules: Mapping[str, nn.Module] = MappingProxyType({})  # what the fill has learned, by name

    def __init__(self, draw: Callable[[Tensor, Tensor, Windows], Tensor]) -> None:
        self._draw = draw

    def sample(self, y: Tensor, hidden: Tensor, windows: Windows = WHOLE) -> Tensor:
        """Return what hidden pixels of `y` become, from visible ones alone, or a code."""
        return self._draw(y, hidden, windows)

    def learn(
        self, step: int, y: Tensor, maps: MaskMaps, output: Tensor, windows: Windows = WHOLE
    ) -> None:
        """Follow the network after its step number `step`; `output` carries no gradient."""


class Fill(Part):
    """What the network sees in place of hidden pixels."""

    family = "fill"

    replaces_image: ClassVar[bool] = False  # takes the place of the whole image, all hidden
    upright: ClassVar[bool] = False  # describes the image as it stands, and no turned views of it

    def start(self, y: Tensor, init: Generator, draws: Generator) -> RunningFill:
        """Return the fill at work on `y` (1, C, H, W); `init` is on the CPU."""
        raise NotImplementedError

    def inputs(self, image_channels: int) -> int:
        """Return how many channels the network sees."""
        return image_channels

    def numbers_per_pixel(self, batch: int) -> float:
        """Return the numbers per pixel that learning this fill holds in a fit step."""
        return 0.0


@dataclass(frozen=True)
class Inr(Fill):
    """Fill hidden pixels with sub-pixel samples of an implicit neural representation (SIREN)."""

    kind = "inr"
    upright = True
    features: Annotated[int, Range(1, 4096)] = 32  #: width of the MLP
    layers: Annotated[int, Range(2, 64)] = 6  #: its linear layers
    w0: Annotated[float, POSITIVE] = 30.0  #: frequency factor of the sine activations
    gamma: bool = True  #: lift coordinates p to (p, sin 2^k pi p, cos 2^k pi p), k below `bands`
    bands: Annotated[int, Range(1, 24)] = 10
    dropout: tuple[float, ...] = (0.35, 0.45, 0.55, 0.65, 0.75)  #: after each sine layer
    trained: bool = True  #: False leaves the INR as initialised, as the published demo does
    lr: Annotated[float, POSITIVE] = 1e-5  #: learning rate of Adam
    every: Annotated[int, Range(1, 10**9)] = 5  #: steps of the network for one of the INR
    fit_weight: float = 1.0  #: of the loss on visible pixels
    consistency_weight: float = 1.0  #: of the sub-pixel consistency loss
    mixed: bool = False  #: mix the colours of the phases, as the demo's plain reshape does

    def __post_init__(self) -> None:
        super().__post_init__()
        given, sines = len(self.dropout), self.layers - 1
        what = f"fill.dropout has {given} values: give one for each of the {sines} sine layers"
        require(given == sines, f"{what} (0 for none)")
        for p in self.dropout:
            require(0 <= p < 1, f"fill.dropout = {p}: must lie in [0, 1)")

    def start(self, y: Tensor, init: Generator, draws: Generator) -> RunningFill:
        return InrFill(self, y, init, draws)

    def numbers_per_pixel(self, batch: int) -> float:
        return 2.5 * self.features * self.layers / max(1, batch)


@dataclass(frozen=True)
class Constant(Fill):
    """Fill hidden pixels with one constant per channel."""

    kind = "constant"
    #: The channel's mean, or its lowest value: black, the zero of a photograph. Shifting all
    #: intensities still shifts the result.
    value: Annotated[str, OneOf(("mean", "zero"))] = "mean"

    def start(self, y: Tensor, init: Generator, draws: Generator) -> RunningFill:
        lowest = y.amin((2, 3), keepdim=True)
        value = torch.zeros_like(lowest) if self.value == "mean" else lowest
        return RunningFill(lambda *_: value)


@dataclass(frozen=True)
class Neighbour(Fill):
    """Fill a hidden pixel with a random visible one near it (Noise2Void)."""

    kind = "neighbour"
    radius: Annotated[int, Range(1, 64)] = 5  #: largest distance in rows and in columns

    def start(self, y: Tensor, init: Generator, draws: Generator) -> RunningFill:
        return RunningFill(lambda y, hidden, _: _neighbours(y, hidden, self.radius, draws))


@dataclass(frozen=True)
class Code(Fill):
    """Fixed uniform noise of `channels` channels in place of the whole image (deep image prior)."""

    kind = "code"
    replaces_image = True
    upright = True
    channels: Annotated[int, Range(1, 512)] = 32
    amplitude: Annotated[float, Range(0, 100)] = 0.1  #: the code is uniform between 0 and this
    #: standard deviation of fresh Gaussian noise added to the code at each step
    jitter: Annotated[float, Range(0, 100)] = 1 / 30

    def start(self, y: Tensor, init: Generator, draws: Generator) -> RunningFill:
        shape = (1, self.channels, *y.shape[2:])
        code = (self.amplitude * torch.rand(shape, generator=init)).to(y.device)
        drawn = torch.empty_like(code)
        return RunningFill(lambda *_: code + self.jitter * drawn.normal_(generator=draws))

    def inputs(self, image_channels: int) -> int:
        return self.channels


@dataclass(frozen=True)
class Refill(Fill):
    """Fill hidden pixels from similar patches of the image at half its size (refilling)."""

    kind = "refill"
    upright = True
    patch: Annotated[int, Range(2, 32)] = 8  #: side of the patches, pixels
    stride: Annotated[int, Range(1, 32)] = 2  #: step between them, pixels

    def __post_init__(self) -> None:
        super().__post_init__()
        allowed = f"must lie between 1 and {self.patch} (fill.patch)"
        require(self.stride <= self.patch, f"fill.stride = {self.stride}: {allowed}")

    def start(self, y: Tensor, init: Generator, draws: Generator) -> RunningFill:
        image = cross_scale_image(y, self.patch, self.stride)
        return RunningFill(lambda y, _, windows: torch.cat([image[..., r, c] for r, c in windows]))


FILLS = {part.kind: part for part in (Inr, Constant, Neighbour, Code, Refill)}


def _neighbours(y: Tensor, hidden: Tensor, radius: int, draws: Generator) -> Tensor:
    """Return a random visible pixel near each, at one place for all channels, or the mean."""
    filling = torch.zeros_like(y)
    missing = torch.ones_like(hidden)
    for _ in range(_DRAWS):
        source = _places(y, radius, draws)
        values, covered = (t.flatten(2).gather(2, source).view_as(t) for t in (y, hidden))
        filling = torch.where(missing & ~covered, values, filling)
        missing &= covered
    return filling


def _places(y: Tensor, radius: int, draws: Generator) -> Tensor:
    """Draw a place within reach of every pixel but its own, as flat indices (N, C, H W)."""
    n, c, h, w = y.shape
    side = 2 * radius + 1
    # All offsets of the square but the one in the middle.
    index = torch.randint(side * side - 1, (n, 1, h, w), generator=draws, device=y.device)
    index += index >= side * side // 2
    rows = torch.arange(h, device=y.device)[:, None] + index // side - radius
    cols = torch.arange(w, device=y.device) + index % side - radius
    return (reflect_index(rows, h) * w + reflect_index(cols, w)).flatten(2).expand(n, c, h * w)


class InrFill(RunningFill):
    """Random phases of an INR that is fitted to visible pixels and to the network's output."""

    def __init__(self, spec: Inr, y: Tensor, init: Generator, draws: Generator) -> None:
        self.spec = spec
        bands = spec.bands if spec.gamma else 0
        self.inr = Siren(y.shape[1], init, spec.features, spec.w0, bands, spec.dropout).to(y.device)
        self.modules = {"fill": self.inr}
        self._size = (y.shape[2], y.shape[3])
        self._draws = draws
        # Phase numbers come from the CPU: reading one from a GPU would stall it at every step.
        self._phases = torch.Generator().manual_seed(init.initial_seed())
        self._adam = torch.optim.Adam(self.inr.parameters(), lr=spec.lr) if spec.trained else None

    def _phase(self, index: int, windows: Windows) -> Tensor:
        def phase(i: int) -> Tensor:
            return torch.cat([self.inr.phase(self._size, i, self._draws, w) for w in windows])

        if not self.spec.mixed:
            return phase(index)
        # (N, C, phase, H, W), cut across
        return torch.stack([*map(phase, range(PHASES))], 2).flatten(1, 2).chunk(PHASES, 1)[index]

    def _random_phase(self, windows: Windows) -> Tensor:
        return self._phase(int(torch.randint(PHASES, (1,), generator=self._phases)), windows)

    @torch.no_grad()
    def sample(self, y: Tensor, hidden: Tensor, windows: Windows = WHOLE) -> Tensor:
        return self._random_phase(windows)

    def learn(
        self, step: int, y: Tensor, maps: MaskMaps, output: Tensor, windows: Windows = WHOLE
    ) -> None:
        """Every `every`-th step: fit visible pixels, follow the network on scored ones."""
        if self._adam is None or step % self.spec.every:
            return
        base, other = self._phase(0, windows), self._random_phase(windows)
        loss = self.spec.fit_weight * masked_mse(base, y, ~maps.hidden)
        loss = loss + self.spec.consistency_weight * masked_mse(other, output, maps.scored)
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        self._adam.step()
