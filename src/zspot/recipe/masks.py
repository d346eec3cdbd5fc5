"""Masks: which pixels are hidden from the network and which are scored by the loss."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from zspot.core.ranges import OneOf, Part, Range, require
from zspot.core.rng import bernoulli
from zspot.noise.whitening import Measured

# Pixels that must all be hidden for the centre to be scored, by exclusion shape.
EXCLUSION_SIZE = {"none": 1, "cross": 5, "square": 9}
SMALL = 192 * 192  # pixels; of fewer a network learns the noise, and little is known of that
MIN_SCORED = 0.01  # a loss that sees fewer pixels than this share learns next to nothing


class MaskMaps(NamedTuple):
    """Boolean maps (N, C, H, W) of the pixels hidden from the network, and scored by the loss."""

    hidden: Tensor
    scored: Tensor  # only hidden ones, except where nothing is hidden at all


class Mask(Part):
    """Which pixels are hidden and which are scored."""

    family = "mask"
    hides_nothing: ClassVar[bool] = False
    hides_everything: ClassVar[bool] = False

    def suited(self, plane: Tensor) -> tuple["Mask", str]:
        """Return the mask to use for a standardised plane (C, H, W), and why in words."""
        return self, ""

    def draw(self, shape: torch.Size, generator: Generator) -> MaskMaps:
        """Draw a fresh mask for images of shape (N, C, H, W), on the generator's device."""
        # By default nothing is random: every pixel is scored, and all or none are hidden.
        scored = torch.ones(shape, dtype=torch.bool, device=generator.device)
        return MaskMaps(scored if self.hides_everything else ~scored, scored)


@dataclass(frozen=True)
class Bernoulli(Mask):
    """Random mask: each pixel stays visible with probability `keep`."""

    kind = "bernoulli"
    #: probability in (0, 1) that a pixel stays visible
    keep: Annotated[float, Range(0, 1, "()")] = 0.1
    #: Draw each channel's mask on its own (the paper's way) or one mask for all channels. One mask
    #: for all stops noise that is correlated between channels from leaking.
    per_channel: bool = True
    #: hidden pixels within this 3x3 neighbourhood of a visible one are not scored
    exclusion: Annotated[str, OneOf(tuple(EXCLUSION_SIZE))] = "cross"
    #: Keep probability, with nothing excluded, where the noise is measured to be white: it does not
    #: leak from neighbours, and what is hidden costs detail. Not where the image is smaller than
    #: 192 x 192 pixels, whose noise would be learned. 0: as for any other noise
    keep_white: Annotated[float, Range(0, 1, "()", zero=True)] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        few = f"mask scores only {self.scored_fraction:.2%} of the pixels, too few to learn from"
        advice = "lower mask.keep or choose a smaller mask.exclusion"
        require(self.scored_fraction >= MIN_SCORED, f"{few}: {advice}")

    @property
    def scored_fraction(self) -> float:
        """Expected share of scored pixels away from the border."""
        return (1 - self.keep) ** EXCLUSION_SIZE[self.exclusion]

    def suited(self, plane: Tensor) -> tuple["Mask", str]:
        if self.keep_white == 0:
            return self, ""
        mask, found = replace(self, keep_white=0.0), "the noise is correlated"
        if Measured.of(plane).is_white:
            small = plane[0].numel() < SMALL
            found = "the noise is white" + " and the image small" * small
            if not small:
                mask = replace(mask, keep=self.keep_white, exclusion="none")
        return mask, f"{found}, so {mask.keep:.0%} of the pixels stay visible"

    def draw(self, shape: torch.Size, generator: Generator) -> MaskMaps:
        n, c, h, w = shape
        visible = bernoulli((n, c if self.per_channel else 1, h, w), self.keep, generator)
        near = exclude(visible, self.exclusion)
        return MaskMaps(hidden=(~visible).expand(shape), scored=(~near).expand(shape))


@dataclass(frozen=True)
class Stratified(Mask):
    """Hide one random pixel, all its channels, of each `box` x `box` cell (Noise2Void)."""

    kind = "stratified"
    #: side of a cell, at most 10; one pixel in box^2 is hidden and scored
    box: Annotated[int, Range(2, 10)] = 8

    def draw(self, shape: torch.Size, generator: Generator) -> MaskMaps:
        n, _, h, w = shape
        box, device = self.box, generator.device
        rows, cols = -(-h // box), -(-w // box)
        cells = (n, 1, rows, 1, cols, 1)
        chosen = torch.randint(box * box, cells, generator=generator, device=device)
        inside = torch.arange(box * box, device=device).view(box, 1, box)
        hidden = (chosen == inside).reshape(n, 1, rows * box, cols * box)[..., :h, :w].expand(shape)
        return MaskMaps(hidden, hidden)


@dataclass(frozen=True)
class Everything(Mask):
    """Hide and score every pixel: the network never sees the image, only the fill."""

    kind = "everything"
    hides_everything = True


@dataclass(frozen=True)
class NoMask(Mask):
    """Hide nothing and score everything, for targets that keep the noise out by other means."""

    kind = "none"
    hides_nothing = True


MASKS = {part.kind: part for part in (Bernoulli, Stratified, Everything, NoMask)}


def exclude(visible: Tensor, shape: str) -> Tensor:
    """Dilate a boolean map (..., H, W) by a 3x3 cross, a 3x3 square or nothing."""
    if shape == "none":
        return visible
    wide = F.pad(visible, (1, 1, 1, 1))
    down = wide[..., :-2, :] | wide[..., 1:-1, :] | wide[..., 2:, :]
    across = down if shape == "square" else wide[..., 1:-1, :]
    return down[..., 1:-1] | across[..., :-2] | across[..., 2:]
