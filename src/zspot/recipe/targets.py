"""Targets: the images that a step starts from and what the network learns to predict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Protocol, Self

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from zspot.core.ranges import POSITIVE, Part, Range, require


class Session(Protocol):
    """What a target may ask of the fit that it serves."""

    guide: Tensor | None  # what `Target.guide` returned at the step before
    second: Tensor | None  # the second noisy image (1, C, H, W), if there is one

    def estimate(self) -> Tensor:
        """Return what the network makes of the image as it is, (1, C, H, W), without gradient."""
        ...

    def predict(self) -> Tensor:
        """Return a prediction of the image from a freshly drawn part of it, without gradient."""
        ...


class Target(Part):
    """What the network learns to predict."""

    family = "target"

    copies_noise: ClassVar[bool] = False  # a network that sees a pixel learns to copy its noise
    needs_second: ClassVar[bool] = False  # learns from a second noisy image of the same scene
    upright: ClassVar[bool] = False  # looks at the image as it stands, not at turned views of it
    halves: ClassVar[bool] = False  # predicts one half from the other; the whole can be compared

    @property
    def grid(self) -> int:
        """Rows and columns at which crops start are multiples of this."""
        return 1

    def guide(self, step: int, session: Session) -> Tensor | None:
        """Return what else `pair` needs from this step on, (1, C or 1, H, W), or None."""
        return session.guide

    def pair(self, y: Tensor, guide: Tensor | None, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return (images to mask and feed to the network, images to predict), of one shape.

        `y` (N, C, H, W) are noisy crops; `guide` (N, C or 1, H, W) the same of what that returned.
        """
        return y, y

    def whole(
        self, network: nn.Module, noisy: Tensor, seen: Tensor, visible: Tensor, dropping: Generator
    ) -> Tensor:
        """Return what the network makes of the whole image, in the shape of a step."""
        return network(seen, dropping, visible)

    def in_units(self, ratio: float, moved: Sequence[float]) -> Self:
        """Return the same for other intensities x', x = x' / ratio + moved of each channel."""
        return self

    def shortened(self, share: float) -> Self:
        """Return the target for a fit of this share of the steps."""
        return self


@dataclass(frozen=True)
class Noisy(Target):
    """Learn to predict the noisy image itself."""

    kind = "noisy"
    copies_noise = True


@dataclass(frozen=True)
class Recorrupted(Target):
    """Learn to predict y - w / tau from y + tau * w, with w drawn like the noise.

    For white Gaussian noise of this variance the two are independent given the clean image, which
    the squared error then learns (Pang et al., Recorrupted-to-Recorrupted, CVPR 2021).
    """

    kind = "recorrupted"
    #: Per channel, in standardised intensities: the noise variance is `variance` + `slope` times
    #: the signal, but at least `floor`. The signal is the network's first estimate.
    variance: tuple[float, ...]
    slope: tuple[float, ...]  #: likewise
    floor: tuple[float, ...]  #: likewise
    tau: Annotated[float, POSITIVE] = 0.5  #: balance between the two images' noise

    def __post_init__(self) -> None:
        super().__post_init__()
        same = len(self.variance) == len(self.slope) == len(self.floor) > 0
        require(same, "target.variance, slope and floor need one value for each channel")
        require(min(self.floor) >= 0, "target.floor: must not be negative")

    def guide(self, step: int, session: Session) -> Tensor | None:
        return session.estimate() if step == 0 else session.guide

    def pair(self, y: Tensor, guide: Tensor | None, generator: Generator) -> tuple[Tensor, Tensor]:
        assert guide is not None
        w = torch.empty_like(y).normal_(generator=generator) * self.deviation(guide)
        return y + self.tau * w, y - w / self.tau

    def deviation(self, signal: Tensor) -> Tensor:
        """Return the noise's standard deviation at a signal (N, C, H, W)."""
        numbers = (self.variance, self.slope, self.floor)
        variance, slope, floor = (signal.new_tensor(n)[:, None, None] for n in numbers)
        return torch.maximum(variance + slope * signal, floor).sqrt()

    def in_units(self, ratio: float, moved: Sequence[float]) -> "Recorrupted":
        lines = zip(self.variance, self.slope, moved, strict=True)
        variance = tuple(ratio**2 * (start + slope * shift) for start, slope, shift in lines)
        slopes = tuple(ratio * value for value in self.slope)
        floor = tuple(ratio**2 * value for value in self.floor)
        return replace(self, variance=variance, slope=slopes, floor=floor)


@dataclass(frozen=True)
class Shuffled(Target):
    """Learn to predict the noisy image with its pixels shuffled locally where it is flat (MASH)."""

    kind = "shuffled"
    copies_noise = True
    upright = True
    #: steps after which the flat tiles are looked for; before that nothing is shuffled
    after: Annotated[int, Range(1, 10**7)] = 50
    passes: Annotated[int, Range(1, 10**4)] = 10  #: predictions averaged to look for them
    #: side in pixels of the tiles within which pixels are permuted
    tile: Annotated[int, Range(2, 64)] = 4
    #: the deviation in 2x2 windows of that mean, relative to its maximum, must stay below this all
    #: over a tile for it to be flat
    threshold: Annotated[float, Range(0, 1, "(]")] = 0.5

    @property
    def grid(self) -> int:
        return self.tile

    def guide(self, step: int, session: Session) -> Tensor | None:
        """Return 1 in the flat tiles of the mean of a few predictions; None until then."""
        if step != self.after:
            return session.guide
        mean = torch.stack([session.predict() for _ in range(self.passes)]).mean(0)
        return flat_tiles(self, mean)

    def pair(self, y: Tensor, guide: Tensor | None, generator: Generator) -> tuple[Tensor, Tensor]:
        if guide is None:
            return y, y
        return y, torch.where(guide > 0, shuffle_tiles(y, self.tile, generator), y)

    def shortened(self, share: float) -> "Shuffled":
        return replace(self, after=math.ceil(share * self.after))


@dataclass(frozen=True)
class Halves(Target):
    """Learn to predict the mean of one diagonal of 2x2 blocks from that of the other (ZS-N2N)."""

    kind = "halves"
    halves = True

    def pair(self, y: Tensor, guide: Tensor | None, generator: Generator) -> tuple[Tensor, Tensor]:
        first, second = diagonal_halves(y)
        return torch.cat([first, second]), torch.cat([second, first])

    def whole(
        self, network: nn.Module, noisy: Tensor, seen: Tensor, visible: Tensor, dropping: Generator
    ) -> Tensor:
        return torch.cat(diagonal_halves(network(noisy, dropping)))


@dataclass(frozen=True)
class Second(Target):
    """Learn to predict a second noisy image of the same scene, and the first from it."""

    kind = "second"
    needs_second = True

    def guide(self, step: int, session: Session) -> Tensor | None:
        return session.second

    def pair(self, y: Tensor, guide: Tensor | None, generator: Generator) -> tuple[Tensor, Tensor]:
        assert guide is not None
        return torch.cat([y, guide]), torch.cat([guide, y])


TARGETS = {part.kind: part for part in (Noisy, Recorrupted, Shuffled, Halves, Second)}


def diagonal_halves(y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means of the two diagonals of each 2x2 block: half-size images, rounded up."""
    y = F.pad(y, (0, y.shape[3] % 2, 0, y.shape[2] % 2), mode="replicate")
    falling = (y[..., ::2, ::2] + y[..., 1::2, 1::2]) / 2
    rising = (y[..., ::2, 1::2] + y[..., 1::2, ::2]) / 2
    return falling, rising


def shuffle_tiles(y: Tensor, tile: int, generator: Generator) -> Tensor:
    """Permute the pixels within each whole tile x tile tile at random, all channels alike."""
    n, c, h, w = y.shape
    rows, cols = h // tile, w // tile
    out = y.clone()
    whole = out[..., : rows * tile, : cols * tile]
    # Not by torch's pixel shuffle, which refuses an image smaller than a tile.
    tiles = whole.reshape(n, c, rows, tile, cols, tile).transpose(3, 4).flatten(4)
    keys = torch.rand(n, 1, rows, cols, tile**2, generator=generator, device=y.device)
    mixed = tiles.gather(4, keys.argsort(4).expand_as(tiles)).unflatten(4, (tile, tile))
    whole.copy_(mixed.transpose(3, 4).reshape(whole.shape))
    return out


def flat_tiles(spec: Shuffled, estimate: Tensor) -> Tensor:
    """Return 1 in the tiles in which an estimate (1, C, H, W) hardly varies, else 0."""
    height, width = estimate.shape[2:]
    mean = F.avg_pool2d(estimate, 2, 1, ceil_mode=True)
    variance = (F.avg_pool2d(estimate.square(), 2, 1) - mean.square()).clamp(min=0)
    deviation = F.pad(variance.mean(1, keepdim=True).sqrt(), (0, 1, 0, 1), mode="replicate")
    relative = deviation / deviation.max().clamp(min=torch.finfo(deviation.dtype).tiny)
    largest = F.max_pool2d(relative, spec.tile, ceil_mode=True)
    flat = (largest < spec.threshold).to(estimate.dtype)
    return F.interpolate(flat, scale_factor=spec.tile, mode="nearest")[..., :height, :width]
