"""A recipe at work on one image: its network, its fill and its generators."""

import torch
from torch import Tensor, nn

from zspot.core.rng import Purpose, derive
from zspot.engine.forward import Applied, in_phases, network_input
from zspot.engine.tiling import SIDE, Tiled, Windowed
from zspot.recipe import NoMask, Recipe


class Session:
    """A recipe turned into working parts for one image; a seed decides every random number."""

    def __init__(self, recipe: Recipe, image: Tensor, seed: int, second: Tensor | None) -> None:
        cpu, device, channels = torch.device("cpu"), image.device, image.shape[1]
        self.recipe, self.image, self.second = recipe, image, second  # images: (1, C, H, W)
        self.masking = derive(seed, Purpose.MASK, device)  # of masks and targets
        self.dropping = derive(seed, Purpose.DROPOUT, device)
        self.places = derive(seed, Purpose.CROPS, cpu)  # of crops and turns
        start = derive(seed, Purpose.NETWORK, cpu)
        network = recipe.network.build(channels, start, recipe.fill.inputs(channels))
        self.network: nn.Module = network.to(device)
        self.whole: Applied = self.network  # as it is shown large images, without gradient
        if recipe.predict.window:
            self.whole = Windowed(self.network, recipe.predict.window)
        elif field := recipe.network.receptive_field:
            self.whole = Tiled(self.network, field, recipe.predict.tile or SIDE)
        self.fill = recipe.fill.start(image, derive(seed, Purpose.FILL, cpu), self.dropping)
        self.guide: Tensor | None = None  # see `Target.guide`

    @property
    def learned(self) -> nn.ModuleDict:
        """What learns: the network and what its fill learns beside it."""
        return nn.ModuleDict({"network": self.network, **self.fill.modules})

    def seen(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return a network's input for a prediction and the map of its visible pixels, or None."""
        mask = self.recipe.mask if self.recipe.predict.masked else NoMask()
        if mask.hides_nothing and not self.recipe.fill.replaces_image:
            return image, None
        hidden = mask.draw(image.shape, self.masking).hidden
        return network_input(image, hidden, self.fill.sample(image, hidden)), ~hidden

    @torch.no_grad()
    def estimate(self) -> Tensor:
        """Return what the network makes of the image as it is, without dropout."""
        return self.whole(self.image, None)

    @torch.no_grad()
    def predict(self) -> Tensor:
        """Return a prediction of the image from a freshly drawn part of it."""
        return in_phases(self.whole, self.dropping, *self.seen(self.image), self.recipe.fit.stride)
