"""The catalogue lists the methods without loading them, and says what each is."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import zspot
from zspot.algorithms import EFFORTS, METHODS, ONE_IMAGE_METHODS
from zspot.recipe import Recipe


def test_listing_loads_no_torch():
    code = (
        "import sys, zspot, zspot.algorithms\n"
        "from zspot.algorithms import EFFORTS, METHODS, Method\n"
        "assert all(m.summary and m.citation for m in zspot.methods().values())\n"
        "loaded = {'torch', 'zspot.recipe', 'zspot.engine'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", METHODS)
def test_each_entry_makes_what_it_names(name):
    method = zspot.methods()[name]
    assert method.name == name
    for effort in EFFORTS:
        made = method.make(effort)
        assert made.method == name if isinstance(made, Recipe) else callable(made)
        again = pickle.loads(pickle.dumps(made))
        assert getattr(again, "args", again) == getattr(made, "args", made)
    if isinstance(made, Recipe):
        assert made.target.needs_second == method.needs_second


def test_what_a_method_needs():
    assert set(METHODS) - set(ONE_IMAGE_METHODS) == {"n2n"}
    assert [name for name, method in METHODS.items() if method.extra] == ["bm3d"]
    assert not METHODS["auto-scratch"].pretrained
