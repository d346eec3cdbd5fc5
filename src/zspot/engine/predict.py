"""Make the final image from predictions of a fitted network."""

from itertools import product

import torch
from torch import Tensor

from zspot.core.progress import Clock
from zspot.core.rng import bernoulli
from zspot.engine.augment import DIHEDRAL, augmented, restored
from zspot.engine.averaging import Mean
from zspot.engine.forward import in_phases
from zspot.engine.parts import Session
from zspot.noise.whitening import Measured
from zspot.recipe import Predict


def passes(spec: Predict) -> int:
    """Return how often `predict` shows an image to the network."""
    return spec.passes * (DIHEDRAL if spec.turns else 1) * len(spec.strides)


@torch.no_grad()
def predict(session: Session, clock: Clock) -> tuple[Tensor, Tensor | None]:
    """Return the mean of predictions and their deviation, each (C, H, W)."""
    spec = session.recipe.predict
    mean = Mean(session.image)
    noise = [Measured.of(image[0]) if spec.whiten else None for image in session.images]
    for _, (image, own) in product(range(spec.passes), zip(session.images, noise, strict=True)):
        white = image if own is None else image + own.complement(image, session.masking)
        seen, visible = session.seen(white)
        for turn, stride in product(range(DIHEDRAL if spec.turns else 1), spec.strides):
            turned = augmented(seen, turn), augmented(visible, turn)
            output = in_phases(session.whole, session.dropping, *turned, stride)
            mean.add(restored(output, turn))
            clock.tick("predict")
    if spec.refine:
        mean = _refined(session, mean.value, clock)
    return mean.value[0], None if spec.whiten else mean.deviation()


def _refined(session: Session, first: Tensor, clock: Clock) -> Mean:
    """Average predictions of the first result with some of its pixels as they were."""
    image, spec = session.image, session.recipe.predict
    mean = Mean(image)
    for _ in range(spec.refine):
        back = bernoulli(image.shape, spec.refine_share, session.masking)
        mean.add(session.whole(torch.where(back, image, first), session.dropping))
        clock.tick("predict")
    return mean
