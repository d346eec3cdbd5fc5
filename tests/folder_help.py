"""What the tests of folders and clusters share."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from zspot.files.journal import NAME
from zspot.recipe import Fit, Predict, Recipe, UNet

RECIPE = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(2), predict=Predict(2))
LONG = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(20), predict=Predict(2))


def states(summary) -> dict[str, str]:
    return {outcome.item.name: outcome.state for outcome in summary.outcomes}


def tree(path: Path) -> dict[str, bytes]:
    files = (p for p in path.rglob("*") if p.is_file() and p.name != NAME)
    return {str(p.relative_to(path)): p.read_bytes() for p in files}


def command(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "zspot", "denoise", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def wait_for(condition, process) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
