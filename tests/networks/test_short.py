"""Networks that compute in 16 bits where the processor is made for that, and learn in 32."""

from unittest import mock

import pytest
import torch

from zspot.networks import base
from zspot.recipe import UNet


@pytest.mark.parametrize("dilation", [1, 2])
def test_a_unet_in_sixteen_bits_differs_little_and_its_output_is_in_full_precision(dilation):
    network = UNet(width=16, dilation=dilation).build(3, torch.Generator().manual_seed(0))
    x = torch.linspace(-1.5, 1.5, 96).expand(1, 3, 80, 96)
    x = x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    results = []
    for short in (True, False):
        with mock.patch.object(base, "multiplies_bfloat16", lambda *_, short=short: short):
            results.append(network(x, torch.Generator().manual_seed(2)))
            network.zero_grad()
            results[-1].square().mean().backward()
        grads = [value.grad for value in network.parameters()]
        assert all(g is not None and g.dtype == torch.float32 for g in grads)
    short, full = (one.detach() for one in results)
    assert 0 < float((short - full).std()) < 0.02 * float(full.std())
    assert short.dtype == torch.float32
    assert not torch.equal(short, short.bfloat16().float())
