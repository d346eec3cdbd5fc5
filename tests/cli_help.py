"""A folder with a noisy image, and the command line run inside this process."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest

from tests.images import tiny
from zspot.frontends import cli
from zspot.recipe import Recipe, UNet

TINY = tiny(Recipe("bsn-ins", network=UNet(4))).to_toml()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    iio.imwrite(tmp_path / "noisy.png", rng.integers(0, 255, (30, 40, 3), dtype=np.uint8))
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path


def zspot_cli(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err
