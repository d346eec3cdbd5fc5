"""Estimators of `zspot.filters.nonlocal_bayes`, on groups of k patches (B, G, k, D) in G parts."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor

from zspot.filters.patch_noise import PatchNoise

FLAT = 0.05  # excess variance, in units of the noise, below which a group counts as flat
_LEAST_FACTOR = 0.05  # of the variance at the mean level, however dark a group is
_RIDGE = 1e-3  # share of the mean diagonal that keeps a system regular


@dataclass(frozen=True, eq=False)
class Frame:
    """Units of the noise and a colour basis, in which a shift of the image shifts its estimate."""

    basis: Tensor  # (C, C), orthonormal
    centre: Tensor  # (C,)
    scale: Tensor  # ()

    @classmethod
    def of(cls, y: Tensor, noise: PatchNoise) -> "Frame":
        """Return the frame of an image (C, H, W)."""
        # Variances that follow the signal belong to the camera's channels, not to opponent ones.
        follows = noise.slope is not None
        basis = np.eye(len(y)) if follows else dct(np.eye(len(y)), axis=0, norm="ortho")
        basis = torch.from_numpy(basis).to(y)
        return cls(basis, y.mean((1, 2)), noise.channels.diagonal().mean().sqrt().to(y))

    def inward(self, image: Tensor) -> Tensor:
        """Bring an image (C, H, W) into the frame."""
        moved = (image - self.centre[:, None, None]) / self.scale
        return torch.einsum("dc,chw->dhw", self.basis, moved)

    def outward(self, image: Tensor) -> Tensor:
        """Bring an image (C, H, W) back."""
        back = torch.einsum("dc,dhw->chw", self.basis, image)
        return back.mul_(self.scale).add_(self.centre[:, None, None])


@dataclass(frozen=True, eq=False)
class GroupNoise:
    """Noise of the patches of a group, in a frame."""

    covariance: Tensor  # (G, D, D), regular
    variance: Tensor | None = None  # (G,) where the covariance is that times the identity
    relative: Tensor | None = None  # (C,) slope of the variance per unit of signal, / variance
    level: Tensor | None = None  # (C,) at which the covariance is right

    @classmethod
    def of(cls, noise: PatchNoise, frame: Frame, patch: int, split: bool) -> "GroupNoise":
        """Bring noise into a frame, for patches of a side, split into channels or not."""
        channels = frame.basis @ noise.channels.to(frame.centre) @ frame.basis.T / frame.scale**2
        # Of noise that is the same in all channels rounding leaves zero or less elsewhere.
        power = channels.diagonal().clamp_min(torch.finfo(channels.dtype).eps)
        channels = channels + torch.diag(power - channels.diagonal())
        full = PatchNoise(channels, noise.lags).covariance(patch)[None]
        if split:
            blocks = full.reshape(len(channels), patch**2, len(channels), patch**2)
            full = blocks.diagonal(dim1=0, dim2=2).movedim(-1, 0).contiguous()
        variance = full.diagonal(dim1=1, dim2=2).mean(-1)
        plain = torch.diag_embed(variance[:, None].expand(full.shape[:2]))
        is_plain = torch.allclose(full, plain, atol=1e-5)
        full = full + _RIDGE * plain
        if noise.slope is not None and noise.level is not None:
            slope, level = noise.slope.to(frame.centre), noise.level.to(frame.centre)
            relative = slope * frame.scale / noise.channels.diagonal().to(frame.centre)
            return cls(full, None, relative, (level - frame.centre) / frame.scale)
        return cls(full, variance if is_plain else None)

    def at_level(self, model: Tensor) -> Tensor:
        """Return the covariance at the mean level of each group, (B or 1, G, D, D)."""
        if self.relative is None or self.level is None:
            return self.covariance[None]
        channels = len(self.relative)
        means = model.mean(2).reshape(*model.shape[:2], channels, -1).mean(-1)
        factor = (1 + self.relative * (means - self.level)).clamp_min(_LEAST_FACTOR).sqrt()
        factor = factor.repeat_interleave(model.shape[-1] // channels, -1)
        return self.covariance * factor[..., None] * factor[..., None, :]


def ridge(group: Tensor, model: Tensor, noise: GroupNoise, raw: bool) -> tuple[Tensor, Tensor]:
    """Return least-risk combinations of each group's patches, and trust in each (B, G, k)."""
    # The clean patches' Gram matrix is that of the pilot's `model` or, `raw`, of noisy less noise.
    energy = noise.covariance.diagonal(dim1=1, dim2=2).sum(-1)[None, :, None]  # (1, G, 1)
    offset = group.mean((2, 3), keepdim=True)
    group, model = group - offset, model - offset
    # M (M'M + e I)^-1 M' is the same as I - e (MM' + e I)^-1, with a smaller system.
    share = _RIDGE if raw else 1.0
    system = model.transpose(2, 3) @ model
    system.diagonal(dim1=2, dim2=3).add_(energy * share)
    theta = (model @ _inverse(system) @ model.transpose(2, 3)).div_(share)
    theta.diagonal(dim1=2, dim2=3).add_(1 - 1 / share)
    # The noise left in a combination is the sum of its squared weights.
    trust = 1 / theta.square().sum(-1).clamp(1 / theta.shape[-1], 1)
    return theta @ group + offset, trust


def bayes(group: Tensor, model: Tensor, noise: GroupNoise, raw: bool) -> tuple[Tensor, Tensor]:
    """Return patches' posterior means under their group's Gaussian; arguments as in `ridge`."""
    centre = model.mean(2, keepdim=True)
    spread = model - centre
    trust = group.new_ones(group.shape[:3])
    degrees = max(1, spread.shape[2] - 1)
    if not raw and noise.variance is not None and spread.shape[2] < spread.shape[3]:
        # Fewer patches than pixels: a system between patches is smaller.
        gram = spread @ spread.transpose(2, 3)
        gram.diagonal(dim1=2, dim2=3).add_(degrees * noise.variance[None, :, None])
        found = (group - centre) @ spread.transpose(2, 3) @ _inverse(gram) @ spread
        return found.add_(centre), trust
    covariance = noise.at_level(model)
    system = spread.transpose(2, 3) @ spread / degrees
    if raw:
        # Where the group varies no more than noise does, its mean is the better estimate.
        power, most = (m.diagonal(dim1=2, dim2=3).sum(-1) for m in (system, covariance))
        flat = power < (1 + FLAT) * most
        system = torch.where(flat[..., None, None], covariance, system)
        system.diagonal(dim1=2, dim2=3).add_(_RIDGE * most[..., None] / system.shape[-1])
    else:
        system += covariance
    # For row vectors: I - (S + N)^-1 N is (S + N)^-1 S.
    removed = _inverse(system) @ covariance
    kept = torch.eye(system.shape[-1]).to(removed) - removed
    return (group @ kept).add_(centre @ removed), trust


def _inverse(gram: Tensor) -> Tensor:
    """Invert positive definite matrices; what is not gives numbers, not an error."""
    return torch.cholesky_inverse(torch.linalg.cholesky_ex(gram)[0])
