"""Planes that help each other may not cost picture that a plane alone has."""

import pytest
import torch

from zspot.filters.neighbours import averaged, no_loss


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


@pytest.mark.parametrize(("stays", "planes"), [(0.0, 5.0), (0.5, 5 / 3), (0.9, 5 / 4.6)])
def test_noise_that_repeats_from_plane_to_plane_is_no_help(stays, planes):
    draws = torch.Generator().manual_seed(1)
    picture = torch.rand(1, 8, 8, generator=draws).repeat_interleave(16, 1).repeat_interleave(16, 2)
    fixed, *new = (0.3 * torch.randn(1, 128, 128, generator=draws) for _ in range(6))
    estimates = [picture + 0.02 * torch.randn(1, 128, 128, generator=draws) for _ in new]
    stack = [picture + stays**0.5 * fixed + (1 - stays) ** 0.5 * one for one in new]
    valid = torch.ones(128, 128, dtype=torch.bool)
    others = [(stack[i], estimates[i], valid) for i in range(1, 5)]
    made = averaged(stack[0], estimates[0], others)
    assert made.repeated == pytest.approx(stays, abs=0.03)
    assert made.planes == pytest.approx(planes, rel=0.06)
