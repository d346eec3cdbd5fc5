"""The pretrained network computes as its processor does best, and learns in full precision."""

import pytest
import torch

from zspot.networks import pretrained
from zspot.recipe import Prior


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_change_little_and_weak_noise_nothing(channels, monkeypatch):
    """The network's products have 8 digits where the processor is made for that, if they do."""
    network = Prior().build(channels, torch.Generator().manual_seed(0))
    draw = torch.Generator().manual_seed(1)
    smooth = torch.linspace(-1.5, 1.5, 120).expand(1, channels, 96, 120)
    for level in (0.5, 0.02):
        noisy = smooth + level * torch.randn(smooth.shape, generator=draw)
        results = []
        for short in (True, False):
            monkeypatch.setattr(pretrained, "multiplies_bfloat16", lambda short=short: short)
            results.append(network(noisy))
        difference = float((results[0] - results[1]).detach().square().mean().sqrt())
        assert difference < 0.02 * level
        assert (difference == 0) == (level == 0.02)
    monkeypatch.setattr(pretrained, "multiplies_bfloat16", lambda: True)
    network(noisy + 0.5).square().mean().backward()
    learned = [value.grad for value in network.parameters()]
    assert all(g is not None and g.dtype == torch.float32 and g.isfinite().all() for g in learned)
