"""The pretrained network computes as its processor does best, and learns in full precision."""

import pytest
import torch

from zspot.networks import pretrained
from zspot.recipe import Prior, UNet


@pytest.mark.parametrize("size", [(33, 2), (64, 4), (100, 7), (300, 16), (2, 33), (40, 40)])
def test_thin_images_are_as_in_full_precision(size):
    """In sixteen bits, where the processor has them, planes of one pixel's width came out wrong."""
    network = Prior().build(3, torch.Generator().manual_seed(0))
    unet = UNet(width=16).build(3, torch.Generator().manual_seed(0))
    x = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for made, full in ((network, network.prior), (unet, unet.network)):
            spoilt = [
                torch.full((count,), float("nan")) for count in (256, 4096, 60000) for _ in "ab"
            ]
            del spoilt  # what new memory holds
            short, exact = made(x), full(x)
            assert float((short - exact).square().mean().sqrt()) < 0.05


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
            monkeypatch.setattr(pretrained, "multiplies_bfloat16", lambda *_, short=short: short)
            results.append(network(noisy))
        difference = float((results[0] - results[1]).detach().square().mean().sqrt())
        assert difference < 0.02 * level
        assert (difference == 0) == (level == 0.02)
    monkeypatch.setattr(pretrained, "multiplies_bfloat16", lambda *_: True)
    network(noisy + 0.5).square().mean().backward()
    learned = [value.grad for value in network.parameters()]
    assert all(g is not None and g.dtype == torch.float32 and g.isfinite().all() for g in learned)
