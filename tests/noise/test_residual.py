"""Whether what was removed is noise or picture."""

from __future__ import annotations

import pytest
import torch

from zspot.noise.residual import channel_correlation, coherence, detail_correlation


def test_removed_texture_is_told_from_removed_noise():
    """What follows the detail of the picture is texture, whatever its strength."""
    g = torch.Generator().manual_seed(0)
    plain = torch.zeros(1, 128, 128)
    plain[:, :, 64:] = torch.randn(1, 128, 64, generator=g)  # detail on the right
    noise = 0.3 * torch.randn(plain.shape, generator=g)
    careful = detail_correlation(plain + noise, plain, plain)
    greedy = detail_correlation(plain + noise, 0.5 * plain, plain)
    assert abs(careful) < 0.2
    assert greedy > 0.5
    flat = torch.zeros(3, 40, 7)
    assert detail_correlation(flat, flat, flat) == 0.0


def test_picture_has_a_direction_and_channels_that_agree_and_noise_has_not():
    g = torch.Generator().manual_seed(0)
    noise = torch.randn(3, 96, 96, generator=g)
    stripes = torch.linspace(0, 40, 96).sin().expand(3, 96, 96)
    assert coherence(noise) < 0.1 < 0.9 < coherence(stripes)
    assert coherence(stripes.mT.contiguous()) > 0.9
    assert abs(channel_correlation(noise)) < 0.05
    assert channel_correlation(noise[:1].expand(3, -1, -1)) == pytest.approx(1)
    for empty in (torch.zeros(3, 1, 1), torch.zeros(1, 2, 9)):
        assert coherence(empty) == channel_correlation(empty) == 0
