"""Everything that README, docs and help tell to type is typed here, on tiny images.

A block that cannot be run says so in the Markdown, in a comment right before it:
`<!-- not run: why -->`. Its `zspot` lines are still parsed, so that no option in it is dead.
Blocks and lines that take long run in the slow tests.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
import typer
from markdown_it import MarkdownIt
from markdown_it.token import Token

from zspot import io
from zspot.algorithms import METHODS
from zspot.frontends import cli
from zspot.inputs import is_many

ROOT = Path(__file__).parents[1]
MADE_BY_THE_BUILD = {"_build", "api", "auto_gallery"}
PAGES = [
    ROOT / "README.md",
    *sorted(
        page
        for page in (ROOT / "docs").rglob("*.md")
        if not MADE_BY_THE_BUILD & {*page.relative_to(ROOT / "docs").parts}
    ),
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
NOT_RUN = re.compile(r"<!--\s*not run:\s*(\S.*?)\s*-->", re.DOTALL)
SHELL = {"", "bash", "sh", "shell", "console"}
PROGRAMS = ("zspot", "pip", "make", "napari", "python", "dask")


@dataclass(frozen=True)
class Block:
    """A code block: its language, text, first line and why it is not run, if it is not."""

    language: str
    text: str
    line: int
    not_run: str

    @property
    def lines(self) -> list[list[str]]:
        """The commands of a shell block, split into words without comments."""
        whole = self.text.replace("\\\n", " ")
        return [words for row in whole.splitlines() if (words := shlex.split(row, comments=True))]

    @property
    def is_shell(self) -> bool:
        """Whether it holds commands, not output or a drawing."""
        starts = self.text.split()
        return self.language in SHELL and bool(starts) and starts[0] in PROGRAMS


def tokens(page: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))


def blocks(page: Path) -> list[Block]:
    found, before = [], ""
    for token in tokens(page):
        if token.type in ("fence", "code_block"):
            mark = NOT_RUN.search(before)
            language = token.info.strip()
            line = token.map[0] + 1 if token.map else 0
            found.append(Block(language, token.content, line, mark[1] if mark else ""))
        if token.type not in ("list_item_open", "ordered_list_open", "bullet_list_open"):
            before = token.content if token.type == "html_block" else ""
    return found


def words_of(page: Path) -> Iterator[list[str]]:
    """Yield every command of a page that zspot is given, in blocks and inside sentences."""
    for block in blocks(page):
        if block.is_shell:
            yield from (words for words in block.lines if words[0] == "zspot")
    for token in tokens(page):
        for inner in token.children or []:
            text = inner.content
            # Capital words stand for something, dots for anything.
            if inner.type == "code_inline" and text.startswith("zspot ") and "..." not in text:
                words = shlex.split(text)
                if not any(word.isupper() for word in words):
                    yield words


def takes_long(words: list[str], folder: Path) -> bool:
    """Whether a command starts processes or teaches a network."""
    if words[1] != "denoise":
        return False
    return "--method" in words or is_many(folder / words[2])


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with every file that the examples name, 24 x 24 pixels each."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    colour = rng.normal(120, 20, (24, 24, 3)).clip(0, 255).astype(np.uint8)
    stack = rng.normal(1000, 100, (2, 24, 24)).astype(np.uint16)

    def save(name: str, values: np.ndarray, axes: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        io.write(path, io.ImageFile(values, axes))

    for name in ("noisy.png", "other.png", "first.png", "photo.jpg", "night/0.png", "night/1.png"):
        save(name, colour, "YXS")
    for name in ("cells.tif", "stack.tif"):
        tifffile.imwrite(tmp_path / name, stack, photometric="minisblack")
    tifffile.imwrite(tmp_path / "cells.ome.tif", stack, ome=True, metadata={"axes": "CYX"})
    zarr = pytest.importorskip("zarr", reason="the extra zarr is not installed")
    zarr.save(str(tmp_path / "plate.ome.zarr"), stack)
    return tmp_path


@pytest.fixture
def given() -> Iterator[dict[str, object]]:
    """The arrays that Python examples begin with; what they register is taken back."""
    import skimage.data

    before = dict(METHODS)
    photo = skimage.data.chelsea()[100:140, 150:190]
    rng = np.random.default_rng(0)
    noisy = (photo + rng.normal(0, 12, photo.shape)).clip(0, 255).astype(np.uint8)
    plane = (100 + 20 * rng.poisson(photo[..., 0] / 8)).astype(np.uint16)
    yield {"noisy": noisy, "photo": noisy, "plane": plane, "stack": np.stack([plane, plane])}
    METHODS.clear()
    METHODS.update(before)


def run_shell(words: list[str], folder: Path, capsys) -> None:
    """Run one command through the command line's own entry; what it makes is made anew."""
    made = [words[3]] if words[1] == "denoise" else []
    made += [words[i + 1] for i, word in enumerate(words) if word in ("--save-recipe", "--plot")]
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
        text = "".join(file.read_text() for file in (ROOT / "benchmarks").glob("*.py"))
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
        code = compile("\n" * block.line + block.text, str(page), "exec")
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
        assert cli._run([*words[1:], "--help"]) == 0, f"{name}: {shlex.join(words)}"
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
    found = [
        line for c in cli.app.registered_commands for line in str(c.epilog or "").split("\n\n")
    ]
    return [shlex.split(line) for line in found if line.startswith("zspot")]


def test_examples_of_the_help_run(folder, capsys):
    assert len(examples()) >= 8
    for words in examples():
        assert cli._run([*words[1:], "--help"]) == 0, words
        if words[1] != "web" and not takes_long(words, folder):
            run_shell(words, folder, capsys)


def test_help_of_every_command_reads_alone(capsys):
    group = typer.main.get_command(cli.app)
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


def slug(heading: str) -> str:
    """Return the anchor that GitHub and the site give a heading."""
    plain = re.sub(r"[`*\[\]]|\(.*?\.md.*?\)", "", heading)
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    pairs = itertools.pairwise(tokens(page))
    return {slug(text.content) for token, text in pairs if token.type == "heading_open"}


def source(path: Path) -> Path:
    """Return what a page of the gallery is made from; any other path as it is."""
    if path.parent.name != "auto_gallery":
        return path
    gallery = path.parent.with_name("gallery")
    return gallery / ("README.txt" if path.stem == "index" else f"{path.stem}.py")


@pytest.mark.parametrize("name", NAMES)
def test_no_link_is_dead(name):
    page = ROOT / name
    for token in tokens(page):
        for inner in token.children or []:
            link = str(inner.attrs.get("href") or inner.attrs.get("src") or "")
            if not link or re.match(r"[a-z]+:", link):
                continue
            place, _, anchor = link.partition("#")
            target = source((page.parent / place).resolve()) if place else page
            assert target.exists(), f"{name}: {link} leads nowhere"
            if anchor and target.suffix == ".md":
                assert anchor in anchors(target), f"{name}: {link} has no such heading"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_page_includes_is_there(name):
    page = ROOT / name
    for block in blocks(page):
        found = re.match(r"\{(include|literalinclude|measured)\}\s+(\S+)", block.language)
        if found is None:
            continue
        folder = ROOT / "docs" / "results" if found[1] == "measured" else page.parent
        text = (folder / found[2]).read_text(encoding="utf-8")
        for option in ("start-after", "end-before"):
            mark = re.search(rf':{option}: "(.*)"', block.text)
            if mark:
                assert mark[1] in text, f"{name}: {found[2]} has no {mark[1]!r}"
                text = text.partition(mark[1])[2] if option == "start-after" else text


@pytest.fixture(scope="module")
def extended(tmp_path_factory) -> Path:
    """A copy of the project to which docs/adding.md was done: one file, one line."""
    copy = tmp_path_factory.mktemp("copy")
    for part in ("src", "tests", "benchmarks", "pyproject.toml"):
        origin = ROOT / part
        ignore = shutil.ignore_patterns("__pycache__", "test_[!c]*", "test_cli.py")
        if origin.is_dir():
            shutil.copytree(origin, copy / part, ignore=ignore)
        else:
            shutil.copy(origin, copy / part)
    algorithms = copy / "src" / "zspot" / "algorithms"
    shutil.copy(ROOT / "docs" / "examples" / "noise2self.py", algorithms)
    page = (ROOT / "docs" / "adding.md").read_text()
    line = re.search(r'^\s*("noise2self": .*,)$', page, re.MULTILINE)
    assert line is not None
    registry = algorithms / "__init__.py"
    text = registry.read_text().replace("    n2v,\n", "    n2v,\n    noise2self,\n")
    registry.write_text(text.replace('    "n2n":', f'    {line[1]}\n    "n2n":'))
    return copy


def in_copy(copy: Path, *arguments: str, cwd: Path) -> str:
    paths = os.pathsep.join([str(copy / "src"), str(copy)])
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_method_is_one_file_and_one_line(extended, folder):
    assert "Batson" in in_copy(extended, "-m", "zspot", "methods", cwd=folder)


@pytest.mark.slow
def test_the_added_method_denoises_and_keeps_the_contracts(extended, folder):
    options = ["--method", "noise2self", "--effort", "fast"]
    in_copy(extended, "-m", "zspot", "denoise", "noisy.png", "clean.png", *options, cwd=folder)
    assert not np.array_equal(io.read("clean.png").data, io.read("noisy.png").data)
    chosen = ["tests/test_contracts.py", "-k", "noise2self"]
    said = in_copy(extended, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, cwd=extended)
    assert "passed" in said


def test_stored_tables_are_those_of_the_stored_rows(tmp_path):
    pd = pytest.importorskip("pandas", reason="the extra bench is not installed")
    from benchmarks.tables import write_tables

    stored = ROOT / "docs" / "results" / "quick"
    rows = pd.read_csv(stored / "rows.csv", keep_default_na=False, na_values=[""])
    rows = rows.fillna({"noise": "", "effort": ""})
    write_tables(rows, tmp_path, reference="auto", clock="cpu")
    for table in stored.glob("table-*.md"):
        assert (tmp_path / table.name).read_text() == table.read_text(), table.name


@pytest.mark.slow
def test_the_site_builds_without_warnings(tmp_path):
    """With the gallery, whose scripts run."""
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("_build"))
    for name in ("README.md", "benchmarks"):
        (tmp_path / name).symlink_to(ROOT / name)
    command = ["-m", "sphinx", "-b", "html", "-W", "--keep-going", "docs", "site"]
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "auto_gallery" / "images").parent.is_dir()
