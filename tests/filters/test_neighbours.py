"""Planes that help each other may not cost picture that a plane alone has."""

import torch

from zspot.filters.neighbours import no_loss


def test_help_counts_where_it_loses_nothing_and_nowhere_else():
    draws = torch.Generator().manual_seed(0)
    picture = torch.zeros(1, 128, 128)
    picture[:, :, 64:] = (torch.rand(1, 128, 64, generator=draws) < 0.5).float()
    noisy = picture + 0.3 * torch.randn(1, 128, 128, generator=draws)
    alone = picture + 0.1 * torch.randn(1, 128, 128, generator=draws)
    better = picture + 0.05 * torch.randn(1, 128, 128, generator=draws)
    blurred = better.clone()
    blurred[:, :, 64:] = 0.5
    assert no_loss(noisy, alone, better).min() == 1
    share = no_loss(noisy, alone, blurred)
    assert share[:, :40].min() == 1
    assert share[:, 84:].max() == 0
