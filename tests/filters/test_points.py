"""Light of stars and particles that denoising takes is given back to them."""

import numpy as np
import pytest
import torch

import zspot
from zspot.filters.points import restore_points

NOISE = 8.0


def field(height: float, width: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` x `count` points on a background of 30, and how far each pixel is from one."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:224, :224]
    clean, distance = np.full((224, 224), 30.0), np.full((224, 224), np.inf)
    for row, column in np.ndindex(count, count):
        place = (np.array([row, column]) + 0.5) * 224 / count + rng.uniform(-4, 4, 2)
        square = (y - place[0]) ** 2 + (x - place[1]) ** 2
        clean += height * NOISE * np.exp(-square / 2 / width**2)
        distance = np.minimum(distance, np.sqrt(square))
    return clean, distance


@pytest.mark.parametrize(("height", "width", "count"), [(10, 1.4, 7), (20, 2.2, 7), (14, 1.3, 1)])
def test_points_keep_their_light(height, width, count):
    clean, distance = field(height, width, count)
    noisy = clean + np.random.default_rng(4).normal(0, NOISE, clean.shape)
    near = distance < 3 * width
    image = zspot.denoise(noisy, effort="fast")
    assert (image - 30)[near].sum() == pytest.approx((clean - 30)[near].sum(), rel=0.03)
    assert np.square(image - clean).mean() < 0.05 * NOISE**2


def test_only_points_are_given_light():
    noise = torch.randn(2, 96, 130, generator=torch.Generator().manual_seed(0))
    line = torch.zeros(2, 96, 130)
    line[:, 40:43] = 30  # a line is no point, nor is an edge
    line[:, 60:] = 30
    assert torch.equal(restore_points(line, line + noise), line)
    spot = torch.zeros(2, 96, 130)
    spot[1, 20, 50] = 40.0
    given = restore_points(torch.zeros_like(spot), spot + noise)
    assert not given[0].any()
    assert given[1, 12:28, 42:58].sum() == pytest.approx(40, rel=0.35)  # of one pixel, in noise
