"""Fit a network to one image."""

import torch
from torch import Tensor, nn

from zspot.core.progress import Clock
from zspot.engine.forward import DIHEDRAL, augmented, crops, in_phases, network_input
from zspot.engine.parts import Session
from zspot.engine.predict import RunningMean
from zspot.recipe.fills import WHOLE, Windows
from zspot.recipe.losses import masked_mean


def fit(session: Session, clock: Clock) -> tuple[tuple[float, ...], RunningMean | None]:
    """Let the session's network learn; return each step's loss and, if asked, a running mean."""
    recipe, spec = session.recipe, session.recipe.fit
    adam = torch.optim.Adam(session.network.parameters(), lr=spec.lr, fused=True)
    rates = torch.optim.lr_scheduler.LambdaLR(adam, spec.rate)
    losses = torch.zeros(spec.steps, device=session.image.device)  # read once: no stall per step
    running = RunningMean(spec.average, spec.patience) if spec.average else None
    for step in range(spec.steps):
        session.guide = recipe.target.guide(step, session)
        losses[step], output = _step(session, adam, step)
        rates.step()
        clock.tick("fit")
        if running is not None and running.add(output):
            clock.tick("fit", spec.steps - step - 1)
            losses = losses[: step + 1]
            break
    return tuple(losses.tolist()), running


def _step(session: Session, adam: torch.optim.Adam, step: int) -> tuple[Tensor, Tensor]:
    """Learn from one view of the image; return the loss and the network's output."""
    recipe, fill = session.recipe, session.fill
    noisy, guide, windows = _views(session)
    base, target = recipe.target.pair(noisy, guide, session.masking)
    maps = recipe.mask.draw(base.shape, session.masking)
    visible = ~maps.hidden
    seen = network_input(base, maps.hidden, fill.sample(base, maps.hidden, windows))
    output = in_phases(session.network, session.dropping, seen, visible, recipe.fit.stride)
    loss = masked_mean(output, target, maps.scored, recipe.loss)
    if recipe.consistency:
        whole = recipe.target.whole(session.network, noisy, seen, visible, session.dropping)
        everywhere = torch.ones_like(maps.scored)
        loss = loss + recipe.consistency * masked_mean(whole, output, everywhere, recipe.loss)
    adam.zero_grad(set_to_none=True)
    loss.backward()
    if recipe.fit.clip:
        nn.utils.clip_grad_norm_(session.network.parameters(), recipe.fit.clip)
    adam.step()
    fill.learn(step, base, maps, output.detach(), windows)
    return loss.detach(), output.detach()


def _views(session: Session) -> tuple[Tensor, Tensor | None, Windows]:
    """Return random crops and turns of the image, the same of its guide, and where they are."""
    spec, places = session.recipe.fit, session.places
    turn = int(torch.randint(DIHEDRAL, (1,), generator=places)) if spec.turns else 0
    shape, grid = session.image.shape[2:], session.recipe.target.grid
    windows = crops(shape, spec.crop, spec.batch, places, grid) if spec.crop else WHOLE

    def view(whole: Tensor) -> Tensor:
        return augmented(torch.cat([whole[..., rows, cols] for rows, cols in windows]), turn)

    guide = session.guide
    return view(session.image), None if guide is None else view(guide), windows
