"""Average a noisy plane with those beside it in a stack, where they show the same."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zspot.filters.local import LocalMean
from zspot.filters.motion import box_mean, difference, motion, moved

_SIDE, _NOISE_SIDE = 9, 17  # of squares that are compared, in which noise is measured, pixels
_BROAD = 8.0  # deviation of the window whose mean always is that of the plane itself, pixels
# By how much of the noise's variance two estimates differ where flat, more where busy, half at.
_FLAT, _BUSY, _HALF = 0.035, 0.6, 0.6
_STEEP = 3.0  # how fast a larger difference loses its weight
_AROUND, _ALONE, _SURE = 33, 0.4, 0.3  # squares; weight in them that counts nothing, ramp to all
_FEW, _ENOUGH = 0.25, 0.25  # the same for the weight of a whole plane
_LOST, _DOUBT = 1.35, 0.1  # power of what is removed with help, to that without: lost picture
_SAME, _LARGEST = 0.05, 2.5  # contrast: changes that are none, and that are another picture
_REPEATED = 0.1  # share of the noise that repeats in other planes, below which none does
_STUCK, _LOOSE = 0.65, 0.3  # noise that stays where a picture moves: from which share, ramp


class Averaged(NamedTuple):
    """A plane among its neighbours."""

    plane: Tensor  # (C, H, W), with noise of one strength everywhere
    share: Tensor  # (H, W), 0 where no neighbour helps, 1 where all do
    planes: float  # whose mean, were all their noise new, would have as little, on average
    repeated: float  # share of the noise that is the same in other planes


def averaged(
    noisy: Tensor, estimate: Tensor, others: Sequence[tuple[Tensor, Tensor, Tensor]]
) -> Averaged:
    """Average a plane (C, H, W) with others: each noisy, its estimate, where it holds a picture."""
    level = difference(noisy, estimate, _NOISE_SIDE).clamp(min=1e-12)
    variance = box_mean(estimate.square(), _SIDE) - box_mean(estimate, _SIDE).square()
    busy = variance.mean(0).clamp(min=0) / level  # how much goes on in the picture
    allowed = level * (_FLAT + _BUSY * (busy / (busy + _HALF)))
    broad = LocalMean(noisy, _BROAD)
    total, weight, square = noisy.clone(), torch.ones_like(level), torch.ones_like(level)
    own, power = noisy - broad(noisy), level.new_zeros(2)  # of what planes differ by, of the noise
    for there, guess, valid in others:
        fine = [(one - broad(one)).square().mean() for one in (estimate, guess)]
        ratio = float((fine[0] / fine[1].clamp(min=1e-12)).sqrt())
        gain = ratio if abs(ratio - 1) > _SAME and 1 / _LARGEST < ratio < _LARGEST else 1.0
        there, guess = gain * there, gain * guess
        flow = motion(estimate, guess + broad(estimate - guess), allowed)
        stays = _in_common(noisy - estimate, there - guess, flow.square().sum(0) > 0.25)
        change = (own - moved(there - broad(there), flow, "nearest")).square().mean(0)
        there, guess = moved(there, flow, "bicubic"), moved(guess, flow, "bicubic")
        guess = guess + broad(estimate - guess)
        fits = ((_STUCK - stays) / _LOOSE).clamp(0, 1) * _weight(estimate, guess, allowed) / gain**2
        fits = torch.where(moved(valid[None].to(flow.dtype), flow)[0] == 1, fits, 0.0)
        total += fits * (there + broad(noisy - there))
        weight += fits
        square += fits.square()
        power += torch.stack([(fits * change).sum() / (1 + gain**2), (fits * level).sum()])
    count, most = weight.square() / square, 1 + len(others)
    # Where fewer were averaged more noise is left: the rest is weakened to the same.
    plane = estimate + (total / weight - estimate) * (count / most).sqrt()
    repeated, planes = 1 - float(power[0] / power[1].clamp(min=1e-12)), float(count.mean())
    repeated = repeated if repeated > _REPEATED else 0.0
    share, planes = (count - 1) / max(1, most - 1), planes / (1 + (planes - 1) * repeated)
    return Averaged(plane, share.clamp(0, 1), planes, repeated)


def no_loss(noisy: Tensor, alone: Tensor, helped: Tensor) -> Tensor:
    """Say from 0 to 1 where a result with help (C, H, W) lost nothing that one without has."""
    before, after = (difference(noisy, one, _AROUND) for one in (alone, helped))
    return ((_LOST - after / before.clamp(min=1e-12)) / _DOUBT).clamp(0, 1)


def _in_common(a: Tensor, b: Tensor, where: Tensor) -> Tensor:
    """Return the share of the noise (C, H, W) that two planes have in common in a part (H, W)."""
    return 2 * (where * a * b).sum() / (where * (a**2 + b**2)).sum().clamp(min=1e-12)


def _weight(estimate: Tensor, guess: Tensor, allowed: Tensor) -> Tensor:
    """Return the weight (H, W) of a plane by how its estimate differs; none to lone matches."""
    excess = difference(estimate, guess, _SIDE) / allowed - 1
    weight = torch.exp(-_STEEP * excess.clamp(min=0))
    weight = weight * ((box_mean(weight[None], _AROUND)[0] - _ALONE) / _SURE).clamp(0, 1)
    return weight * ((weight.mean() - _FEW) / _ENOUGH).clamp(0, 1)
