"""Everything that README, docs and help tell to type is typed here, on tiny images.

A block that cannot be run says so in the Markdown, in a comment right before it:
`<!-- not run: why -->`. Its `zspot` lines are still parsed, so that no option in it is dead.
Blocks and lines that take long run in the slow tests.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
import typer

from tests.docs_help import NAMES, ROOT, blocks, folder, words_of
from zspot.algorithms import METHODS
from zspot.files.discovery import is_many
from zspot.frontends import cli
from zspot.frontends.cli.program import app, run
from zspot.recipe.fills import FILLS
from zspot.recipe.masks import MASKS

__all__ = ["folder"]


def takes_long(words: list[str], folder: Path) -> bool:
    """Whether a command starts processes or teaches a network."""
    if words[1] != "denoise":
        return False
    return "--method" in words or is_many(folder / words[2])


@pytest.fixture
def given() -> Iterator[dict[str, object]]:
    """The arrays that Python examples begin with; what they register is taken back."""
    import skimage.data

    registries: list[dict] = [METHODS, MASKS, FILLS]
    before = [dict(known) for known in registries]
    photo = skimage.data.chelsea()[100:140, 150:190]
    rng = np.random.default_rng(0)
    noisy = (photo + rng.normal(0, 12, photo.shape)).clip(0, 255).astype(np.uint8)
    plane = (100 + 20 * rng.poisson(photo[..., 0] / 8)).astype(np.uint16)
    yield {"noisy": noisy, "photo": noisy, "plane": plane, "stack": np.stack([plane, plane])}
    for known, kept in zip(registries, before, strict=True):
        known.clear()
        known.update(kept)


def outputs(words: list[str]) -> list[str]:
    """What `zspot denoise` makes, by the names of its inputs where no output is named."""
    paths = list(takewhile(lambda word: word == "-" or not word.startswith("-"), words[2:]))
    if paths[-1] == "-":
        return []
    if len(paths) > 1:
        return [paths[-1]]
    path = Path(paths[0])
    return [
        f"{path.stem}-preview.png" if "--preview" in words else f"{path.stem}-denoised{path.suffix}"
    ]


def run_shell(words: list[str], folder: Path, capsys) -> None:
    """Run one command through the command line's own entry; what it makes is made anew."""
    written = ("--save-recipe", "--plot", "--compare")
    made = outputs(words) if words[1] == "denoise" else []
    made += [words[i + 1] for i, word in enumerate(words) if word in written]
    for name in made:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    with pytest.raises(SystemExit) as ended:
        cli.main(words[1:])
    said = capsys.readouterr()
    assert ended.value.code == 0, f"{shlex.join(words)}\n{said.err}"
    for name in made:
        assert (folder / name).exists(), f"{shlex.join(words)} made no {name}"


def check_line(words: list[str]) -> None:
    """Check that what another program is told exists: extras, targets, modules, options."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if words[0] == "pip":
        for extra in re.findall(r"\.\[([\w,-]+)\]", shlex.join(words)):
            assert {*extra.split(",")} <= {*project["optional-dependencies"]}, words
    elif words[0] == "make":
        assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text(), words
    elif words[:2] == ["python", "-m"] and words[2].startswith("benchmarks"):
        path = ROOT / Path(*words[2].split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), words
        text = "".join(file.read_text() for file in (ROOT / "benchmarks").rglob("*.py"))
        for option in (word.strip("[]") for word in words if word.strip("[]").startswith("--")):
            known = (option, f" {option[2:].replace('-', '_')}:")
            assert option == "--help" or any(name in text for name in known), (option, words)


def shown(text: str) -> list[str]:
    """Return what an example says it prints: comments behind print that begin with a number."""
    return re.findall(r"^print\(.*\)  # (\[?-?\d[^;:\n]*)", text, re.MULTILINE)


def run_python(page: Path, given: dict[str, object], capsys) -> None:
    """Run the blocks of a page in order, as a reader would, and check what they print."""
    for block in blocks(page):
        if block.language != "python" or block.not_run:
            continue
        text = "\n" * block.line + block.text
        code = compile(text, str(page), "exec", dont_inherit=True)
        capsys.readouterr()
        exec(code, given)
        printed = capsys.readouterr().out.splitlines()
        promised = shown(block.text)
        for said, line in zip(promised, printed if promised else [], strict=True):
            numbers = [[float(n) for n in re.findall(r"-?\d+\.\d+", text)] for text in (said, line)]
            np.testing.assert_allclose(numbers[1], numbers[0], atol=6e-6, err_msg=said)


@pytest.mark.parametrize("name", NAMES)
def test_python_blocks_run_in_order(name, folder, given, capsys):
    run_python(ROOT / name, given, capsys)


@pytest.mark.parametrize("name", NAMES)
def test_every_block_is_run_or_says_why_not(name):
    page = ROOT / name
    for block in blocks(page):
        known = block.is_shell or block.language == "python" or block.not_run
        told = block.text.lstrip().startswith(("zspot ", "$ ", "import ", "from "))
        assert known or not told or block.language == "text", f"{name}:{block.line}"


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_parsed(name, capsys):
    for words in words_of(ROOT / name):
        assert run([*words[1:], "--help"]) == 0, f"{name}: {shlex.join(words)}"
    for block in blocks(ROOT / name):
        for words in block.lines if block.is_shell else []:
            check_line(words)


def commands(name: str) -> list[list[str]]:
    shells = [block for block in blocks(ROOT / name) if block.is_shell and not block.not_run]
    lines = [words for block in shells for words in block.lines]
    return [words for words in lines if words[0] == "zspot" and words[1] != "web"]


@pytest.mark.parametrize("name", NAMES)
def test_quick_commands_run(name, folder, capsys):
    for words in commands(name):
        if not takes_long(words, folder):
            run_shell(words, folder, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if commands(name)])
def test_all_commands_run(name, folder, capsys):
    for words in commands(name):
        run_shell(words, folder, capsys)


def examples() -> list[list[str]]:
    found = [line for c in app.registered_commands for line in str(c.epilog or "").split("\n\n")]
    return [shlex.split(line) for line in found if line.startswith("zspot")]


@pytest.mark.slow
def test_examples_of_the_help_run(folder, capsys):
    assert len(examples()) >= 8
    for words in examples():
        assert run([*words[1:], "--help"]) == 0, words
        if words[1] != "web" and not takes_long(words, folder):
            run_shell(words, folder, capsys)


def test_help_of_every_command_reads_alone(capsys):
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        assert command.help, name
        for option in command.params:
            assert getattr(option, "help", ""), f"{name}: {option.name} has no help"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_for_a_shell_is_shown_and_completes(shell, monkeypatch):
    run = {"capture_output": True, "text": True, "timeout": 120}
    zspot = [sys.executable, "-c", "from zspot.frontends.cli import main; main()"]
    code = "import sys; sys.argv[0] = 'zspot'; from zspot.frontends.cli import main; main()"
    asked = {"COMP_WORDS": "zspot de", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "zspot de"}
    asked["_ZSPOT_COMPLETE"] = f"complete_{shell}"
    if shell == "fish":
        asked["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    for key, value in asked.items():
        monkeypatch.setenv(key, value)
    zspot[2] = code
    assert "denoise" in subprocess.run(zspot, check=False, **run).stdout
