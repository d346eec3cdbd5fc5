"""The images to try are those that the committed script makes."""

import numpy as np
import pytest

from zspot.frontends import SAMPLES
from zspot.io import read


def test_the_images_to_try_are_what_the_script_makes():
    pytest.importorskip("skimage")
    from benchmarks.samples import MADE

    for path, (axes, make) in zip(SAMPLES.values(), MADE.items(), strict=True):
        image = read(path)
        assert len(image.axes) == len(axes)
        made = make()
        assert image.data.dtype == made.dtype
        assert np.allclose(image.data, made, rtol=1e-6)
