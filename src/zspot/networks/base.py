"""What the engine must know of a network, and how all networks are called."""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Generator, nn

from zspot.core.ranges import Part, require


@dataclass(frozen=True)
class ReceptiveField:
    """How a network's output depends on its input.

    Attributes
    ----------
    reach : int
        No output pixel depends on an input pixel farther away than this, along either axis.
    unit : int
        Tiles must start at multiples of this: the network pools or splits pixels in such blocks.
    """

    reach: int
    unit: int


class Network(Part):
    """A network: its numbers, what it costs and how it is made.

    The module is called as `module(x, generator, visible)`: the images (N, C, H, W), the
    generator of its dropout (None is without) and the map of the pixels that were not hidden.
    Those that have no use for the last two take them as `*_`.
    """

    family = "network"

    blind: ClassVar[bool] = False
    """No output pixel depends on the same pixel of the input."""

    takes_codes: ClassVar[bool] = False  # its input may have other channels than its output

    def build(self, channels: int, generator: Generator, inputs: int | None = None) -> Any:
        """Return the module for images of `channels` channels; weights drawn from `generator`.

        `channels`: channels of the output. `generator`: on the CPU. `inputs`: channels of the
        input, where they are others: of a code. RecipeError: if the network cannot take a code.
        """
        able = self.takes_codes or inputs in (None, channels)
        require(able, "fill code needs network hourglass: choose another fill")
        return self.module(channels, generator, inputs or channels)

    def module(self, channels: int, generator: Generator, inputs: int) -> nn.Module:
        """Return the module; `build` has checked that it takes `inputs` channels."""
        raise NotImplementedError

    @property
    def receptive_field(self) -> ReceptiveField | None:
        """How far the output depends on the input; None: on all of it."""
        return None

    def bytes_per_pixel(self, channels: int) -> tuple[float, float]:
        """Return the bytes per pixel that a fit step and a prediction take (`benchmarks`)."""
        raise NotImplementedError
