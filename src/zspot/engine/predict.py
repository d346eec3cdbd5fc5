"""Means of what a network puts out, while it learns and of its predictions: the final image."""

from itertools import product

import torch
from torch import Tensor

from zspot.core.progress import Clock
from zspot.core.rng import bernoulli
from zspot.engine.forward import augmented, in_phases, restored
from zspot.engine.parts import Session
from zspot.noise.whitening import Measured

_FOLLOW = 0.1  # how fast the measure of variance follows; Wang et al. use the same


class RunningMean:
    """Exponential mean of outputs, the last or that of least variance (see `Fit.patience`)."""

    def __init__(self, decay: float, patience: int) -> None:
        self._decay, self._patience = decay, patience
        self._mean = self._followed = self._best = torch.zeros(())
        self._variance = 0.0
        self._least = float("inf")
        self._step = self._best_step = 0

    def add(self, output: Tensor) -> bool:
        """Take an output and say whether to stop."""
        step, self._step = self._step, self._step + 1
        if step == 0:
            self._mean = self._followed = output.clone()
            return False
        self._mean = self._decay * self._mean + (1 - self._decay) * output
        if self._patience == 0:
            return False
        change = output - self._followed
        power = float(change.square().mean())
        self._variance = (1 - _FOLLOW) * (self._variance + _FOLLOW * power)
        self._followed = self._followed + _FOLLOW * change
        # Early on both are settling, and the variance is small because little has been seen.
        if step > self._patience and self._variance < self._least:
            self._least, self._best, self._best_step = self._variance, self._mean, step
        return self._least < float("inf") and step - self._best_step >= self._patience

    @property
    def result(self) -> Tensor:
        """The mean where the variance was least, or the last one."""
        return self._best if self._least < float("inf") else self._mean


class Mean:
    """Running mean and spread of predictions, by Welford's update: sums of squares lose digits."""

    def __init__(self, like: Tensor) -> None:
        self.value = torch.zeros_like(like)
        self._squares = torch.zeros_like(like)
        self._count = 0

    def add(self, output: Tensor) -> None:
        """Take one prediction."""
        change = output - self.value
        self._count += 1
        self.value.add_(change, alpha=1 / self._count)
        self._squares.addcmul_(change, output - self.value)

    def deviation(self) -> Tensor | None:
        """Return the standard deviation (C, H, W) over the predictions; None of a single one."""
        return (self._squares / (self._count - 1)).sqrt()[0] if self._count > 1 else None


@torch.no_grad()
def predict(session: Session, clock: Clock) -> tuple[Tensor, Tensor | None]:
    """Return the mean of predictions and their deviation, each (C, H, W)."""
    spec = session.recipe.predict
    mean = Mean(session.image)
    images = [image for image in (session.image, session.second) if image is not None]
    pairs = [(image, Measured.of(image[0]) if spec.whiten else None) for image in images]
    for _, (image, noise) in product(range(spec.passes), pairs):
        white = image if noise is None else image + noise.complement(image, session.masking)
        seen, visible = session.seen(white)
        for turn, stride in spec.shown:
            there = None if visible is None else augmented(visible, turn)
            turned = augmented(seen, turn)
            output = in_phases(session.whole, session.dropping, turned, there, stride)
            mean.add(restored(output, turn))
            clock.tick("predict")
    if spec.refine:  # the result becomes the mean of predictions of itself
        image, first, mean = session.image, mean.value, Mean(session.image)
        for _ in range(spec.refine):
            back = bernoulli(image.shape, spec.refine_share, session.masking)
            mean.add(session.whole(torch.where(back, image, first), session.dropping))
            clock.tick("predict")
    return mean.value[0], None if spec.whiten else mean.deviation()
