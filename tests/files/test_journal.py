"""The journal of a folder: torn, shared, full, or of something else."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zspot.core.errors import FileError
from zspot.files.journal import NAME, Entry, Journal, fingerprint

names = st.text(min_size=1, max_size=8)
entries = st.lists(
    st.builds(
        Entry,
        source=names,
        target=names,
        state=st.sampled_from(["started", "done", "failed"]),
        input=st.text(),
        error=st.text(),
    ),
    max_size=6,
)


@given(entries, st.integers(0, 4000))
def test_a_journal_cut_anywhere_holds_what_was_whole(tmp_path_factory, made, cut):
    folder = tmp_path_factory.mktemp("journal")
    with Journal(folder) as journal:
        for entry in made:
            journal.add(entry)
    path = folder / NAME
    content = path.read_bytes()[:cut]
    path.write_bytes(content)
    whole = content.count(b"\n")
    expected = {entry.source: entry for entry in made[:whole]}
    for _ in range(2):
        with Journal(folder) as journal:
            for entry in made:
                assert journal.last(entry.source) == expected.get(entry.source)


def test_a_journal_is_for_one_run_at_a_time_and_a_damaged_one_is_named(tmp_path):
    with Journal(tmp_path), pytest.raises(FileError, match="another run"):
        Journal(tmp_path)
    (tmp_path / NAME).write_text("nonsense\n{}\n")
    with pytest.raises(FileError, match="damaged in line 1"):
        Journal(tmp_path)
    assert (tmp_path / NAME).read_text() == "nonsense\n{}\n"


def _fill(journal: Journal, entry: Entry) -> None:
    for number in range(1000):
        journal.add(replace(entry, source=str(number)))


def test_a_full_disk_stops_the_journal_with_a_line(small_disk):
    entry = Entry("a", "a", "done", "x" * 1000)
    with Journal(small_disk) as journal:
        journal.add(entry)
        (small_disk / "filler").write_bytes(bytes(1000))
        with pytest.raises(FileError, match="full"):
            _fill(journal, entry)
    subprocess.run(["mount", "-o", "remount,size=900k", small_disk], check=True)
    with Journal(small_disk) as journal:
        assert journal.last("a") == entry
        journal.add(replace(entry, source="b"))
    with Journal(small_disk) as journal:
        assert journal.last("b") is not None


@given(st.binary(max_size=2000))
def test_a_fingerprint_tells_files_apart(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("marks")
    (folder / "a").write_bytes(content)
    (folder / "b").write_bytes(content + b"x")
    assert fingerprint(folder / "a") != fingerprint(folder / "b")
    before = fingerprint(folder)
    (folder / "b").write_bytes(content)
    assert fingerprint(folder / "a") == fingerprint(folder / "b")
    assert fingerprint(folder) != before


@pytest.mark.parametrize(
    "line",
    [
        '{"source": ["a"], "target": "a", "state": "done", "input": "x"}',
        '{"source": "a", "target": {}, "state": "done", "input": "x"}',
        '{"source": "a", "target": "a", "state": "done", "input": "x", "job": [1]}',
        '{"source": "a", "target": "a", "state": "done", "input": "x", "seconds": "1"}',
        "[" * 10**5,
        "9" * 5000,
        "null",
    ],
    ids=str.__len__,
)
def test_a_journal_of_other_things_is_a_line(tmp_path, line):
    (tmp_path / NAME).write_text(f"{line}\n")
    with pytest.raises(FileError, match="damaged in line 1"):
        Journal(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_journal_that_is_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / NAME)
    with pytest.raises(FileError, match="pipe, socket or device"):
        Journal(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


HOLDING = """
import sys, time
from pathlib import Path
from zspot.core.errors import FileError
from zspot.files.journal import Journal

folder, held = Path(sys.argv[1]), Path(sys.argv[2])
done = 0
while done < 60:
    try:
        with Journal(folder):
            held.open("x").close()  # fails if another holds it
            held.unlink()
            done += 1
    except FileError:
        pass
"""


def test_a_journal_excludes_others_under_stress(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    command = [sys.executable, "-c", HOLDING, folder, tmp_path / "held"]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
    said = [run.communicate()[1] for run in runs]
    assert said == [b""] * 4
    assert [p.name for p in folder.iterdir()] == [NAME]
