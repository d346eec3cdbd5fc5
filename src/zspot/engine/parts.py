"""A recipe at work on one image: its network, its fill and its generators."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from zspot.core.rng import Purpose, derive
from zspot.engine.forward import Applied, in_phases, network_input
from zspot.engine.tiling import SIDE, Tiled, Windowed
from zspot.recipe import NoMask, Recipe
from zspot.recipe.fills import RunningFill


@dataclass
class Session:
    """A recipe turned into working parts for one image.

    Attributes
    ----------
    recipe : Recipe
    image : float tensor (1, C, H, W)
    second : float tensor (1, C, H, W) or None
    network : nn.Module
    whole : callable
        The network for whole images, without gradient.
    fill : RunningFill
    masking, dropping, places : Generator
        Of masks and targets, of dropout, and of crops and turns.
    guide : float tensor or None
        What the target needs beside the image, see `Target.guide`.
    """

    recipe: Recipe
    image: Tensor
    second: Tensor | None
    network: nn.Module
    whole: Applied
    fill: RunningFill
    masking: Generator
    dropping: Generator
    places: Generator
    guide: Tensor | None = None

    @classmethod
    def begin(
        cls, recipe: Recipe, image: Tensor, seed: int, second: Tensor | None = None
    ) -> Session:
        """Make the parts; a seed decides every random number."""
        cpu, device = torch.device("cpu"), image.device
        channels = image.shape[1]
        inputs = recipe.fill.inputs(channels)
        network = recipe.network.build(channels, derive(seed, Purpose.NETWORK, cpu), inputs)
        network = network.to(device)
        dropping = derive(seed, Purpose.DROPOUT, device)
        fill = recipe.fill.start(image, derive(seed, Purpose.FILL, cpu), dropping)
        return cls(
            recipe,
            image,
            second,
            network,
            _for_whole_images(recipe, network),
            fill,
            masking=derive(seed, Purpose.MASK, device),
            dropping=dropping,
            places=derive(seed, Purpose.CROPS, cpu),
        )

    @property
    def images(self) -> list[Tensor]:
        """The one noisy image, or both."""
        return [self.image] if self.second is None else [self.image, self.second]

    def seen(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return a network's input for a prediction and the map of its visible pixels."""
        mask = self.recipe.mask if self.recipe.predict.masked else NoMask()
        hidden = mask.draw(image.shape, self.masking).hidden
        return network_input(image, hidden, self.fill.sample(image, hidden)), ~hidden

    @torch.no_grad()
    def estimate(self) -> Tensor:
        """Return what the network makes of the image as it is, without dropout."""
        return self.whole(self.image, None)

    @torch.no_grad()
    def predict(self) -> Tensor:
        """Return a prediction of the image from a freshly drawn part of it."""
        stride = self.recipe.fit.stride
        return in_phases(self.whole, self.dropping, *self.seen(self.image), stride)


def _for_whole_images(recipe: Recipe, network: nn.Module) -> Applied:
    if recipe.predict.window:
        return Windowed(network, recipe.predict.window)
    field = recipe.network.receptive_field
    return Tiled(network, field, recipe.predict.tile or SIDE) if field else network
