"""Version, dependencies and extras are the same wherever they are written."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.docs_help import ROOT
from zspot import __version__

yaml = pytest.importorskip("yaml", reason="the extra batch is not installed")

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECIPE = yaml.safe_load((ROOT / "packaging" / "conda" / "recipe.yaml").read_text())
CONDA = {"torch": "pytorch"}  # names that differ


def split(requirement: str) -> tuple[str, str]:
    """Return name and bound of a requirement, in either spelling."""
    name, bound = re.fullmatch(r"([\w.-]+)\s*(\S*).*", requirement).groups()
    return name.lower(), bound


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    released = re.findall(r"^## \[(\d\S*)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert __version__ == citation["version"] == released[0][0] == RECIPE["context"]["version"]
    assert str(citation["date-released"]) == released[0][1]


def test_conda_and_pip_install_the_same():
    python, *run = map(split, RECIPE["requirements"]["run"])
    asked = [split(requirement) for requirement in PROJECT["dependencies"]]
    assert run == [(CONDA.get(name, name), bound) for name, bound in asked]
    assert python == ("python", ">=${{")
    assert PROJECT["requires-python"] == f">={RECIPE['context']['python_min']}"


def test_conda_builds_what_pip_builds():
    build = RECIPE["build"]
    scripts = [f"{name} = {place}" for name, place in PROJECT["scripts"].items()]
    assert build["python"]["entry_points"] == scripts
    assert RECIPE["about"]["license"] == PROJECT["license"]
    assert (ROOT / RECIPE["about"]["license_file"]).exists()
    host = dict(map(split, RECIPE["requirements"]["host"][1:]))
    made_with = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert split(made_with[0]) in host.items()
