"""Masks: which pixels are hidden and which are scored."""

from __future__ import annotations

from dataclasses import dataclass

from zspot.core.ranges import between, one_of, require

EXCLUSION_SIZE = {"none": 1, "cross": 5, "square": 9}
"""Pixels that must all be hidden for the centre to be scored, by exclusion shape."""

MIN_SCORED = 0.01
"""A loss that sees fewer pixels than this share learns next to nothing."""


@dataclass(frozen=True)
class Bernoulli:
    """Random mask: each pixel stays visible with probability `keep`.

    Parameters
    ----------
    keep : float
        Probability in (0, 1) that a pixel stays visible.
    per_channel : bool
        Draw each channel's mask on its own (the paper's way) or one mask for all channels.
        One mask for all stops noise that is correlated between channels from leaking.
    exclusion : {"cross", "square", "none"}
        Hidden pixels within this 3x3 neighbourhood of a visible one are not scored.
    """

    keep: float = 0.1
    per_channel: bool = True
    exclusion: str = "cross"

    def __post_init__(self) -> None:
        require(0 < self.keep < 1, f"mask.keep = {self.keep}: must lie inside (0, 1)")
        one_of("mask.exclusion", self.exclusion, tuple(EXCLUSION_SIZE))
        require(
            self.scored_fraction >= MIN_SCORED,
            f"mask scores only {self.scored_fraction:.2%} of the pixels, too few to learn from: "
            "lower mask.keep or choose a smaller mask.exclusion",
        )

    @property
    def scored_fraction(self) -> float:
        """Expected share of scored pixels away from the border: (1 - keep)^(pixels excluded)."""
        return (1 - self.keep) ** EXCLUSION_SIZE[self.exclusion]


@dataclass(frozen=True)
class Stratified:
    """Hide one random pixel, all its channels, of each `box` x `box` cell (Noise2Void).

    Parameters
    ----------
    box : int
        Side of a cell, at most 10; one pixel in box^2 is hidden and scored.
    """

    box: int = 8

    def __post_init__(self) -> None:
        between("mask.box", self.box, 2, 10)

    @property
    def scored_fraction(self) -> float:
        """Expected share of scored pixels."""
        return 1 / self.box**2


@dataclass(frozen=True)
class Everything:
    """Hide and score every pixel: the network never sees the image, only the fill."""

    @property
    def scored_fraction(self) -> float:
        """Share of scored pixels: all."""
        return 1.0


@dataclass(frozen=True)
class NoMask:
    """Hide nothing and score everything, for targets that keep the noise out by other means."""

    @property
    def scored_fraction(self) -> float:
        """Share of scored pixels: all."""
        return 1.0


Mask = Bernoulli | Stratified | Everything | NoMask
MASKS: dict[str, type] = {
    "bernoulli": Bernoulli,
    "stratified": Stratified,
    "everything": Everything,
    "none": NoMask,
}
