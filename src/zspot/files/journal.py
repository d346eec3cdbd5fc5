"""What a folder run has done: a fsynced line of JSON for each change of state; the last counts."""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zspot.core.errors import FileError, os_reason
from zspot.io.atomic import atomic_write, check_plain, lock

NAME = "zspot-journal.jsonl"
_LOCK = ".zspot-lock"


@dataclass(frozen=True)
class Entry:
    """The state of one file."""

    source: str  # input, relative to the folder it was found in
    target: str  # output, relative to the folder of the journal
    state: str  # {"started", "done", "failed"}
    input: str  # fingerprint of the input
    output: str = ""  # of the output as zspot last wrote it; empty if it never did
    job: Mapping[str, Any] = field(default_factory=dict)  # see `Options.to_job`
    versions: Mapping[str, str] = field(default_factory=dict)  # see `zspot.api.versions`
    error: str = ""  # one line; empty unless failed
    seconds: float = 0.0

    def fits(self, fingerprint: str, job: Mapping[str, Any], version: str) -> bool:
        """Say whether this is a finished run of the same input, job and version of zspot."""
        same = (self.input, dict(self.job), self.versions.get("zspot"))
        return self.state == "done" and same == (fingerprint, dict(job), version)


_KINDS = dict.fromkeys(("source", "target", "state", "input", "output", "error"), str)
_KINDS |= {"job": dict, "versions": dict, "seconds": (int, float)}  # type: ignore[dict-item]


class Journal(contextlib.AbstractContextManager["Journal"]):
    """The journal of an output folder, which is made if need be, held by one run at a time."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{folder} cannot be made: {os_reason(error)}") from error
        busy = f"{folder} is the output folder of another run; wait for its end"
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(lock(folder / _LOCK, busy))
                self._entries = _load(self.path)
                with atomic_write(self.path, overwrite=True) as handle:  # one line for each file
                    handle.writelines(map(_line, self._entries.values()))
                self._length = self.path.stat().st_size
                self._handle = held.enter_context(self.path.open("ab", buffering=0))
            except OSError as error:
                raise FileError(f"{folder} cannot be written: {os_reason(error)}") from error
            self._held = held.pop_all()

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def last(self, source: str) -> Entry | None:
        """Return the last entry of an input, if there is one."""
        return self._entries.get(source)

    def add(self, entry: Entry) -> None:
        """Append an entry; it is on the disk when this returns."""
        line = _line(entry)
        try:
            if self._handle.write(line) != len(line):
                raise OSError(errno.ENOSPC, "")  # part of a line is what fitted on the disk
            os.fsync(self._handle.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle.fileno(), self._length)
            raise FileError(f"{self.path} cannot be written: {os_reason(error)}") from error
        self._length += len(line)
        self._entries[entry.source] = entry


def fingerprint(path: Path) -> str:
    """Tell whether a file (its SHA-256) or folder (names, sizes and times) has changed."""
    if path.is_dir():
        digest = hashlib.sha256()
        files = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
        for file in sorted(files, key=str):
            stat = file.stat()
            line = f"{file.relative_to(path)}\0{stat.st_size}\0{stat.st_mtime_ns}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
        return "tree:" + digest.hexdigest()
    with path.open("rb", buffering=0) as handle:
        return "sha256:" + hashlib.file_digest(handle, "sha256").hexdigest()


def _line(entry: Entry) -> bytes:
    # ASCII only: names that are not UTF-8 become escapes, which come back as they were.
    return json.dumps(asdict(entry), sort_keys=True).encode("ascii") + b"\n"


def _load(path: Path) -> dict[str, Entry]:
    try:
        check_plain(path)
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FileError(f"{path} cannot be read: {os_reason(error)}") from error
    entries = {}
    lines = content.split(b"\n")
    for number, line in enumerate(lines[:-1], 1):  # after the last line end: nothing, or a torn one
        try:
            entry = Entry(**json.loads(line))
            if not all(isinstance(getattr(entry, n), kind) for n, kind in _KINDS.items()):
                raise TypeError
        except (ValueError, TypeError, RecursionError):
            where = f"{path} is damaged in line {number}"
            raise FileError(f"{where}; move it away to start over") from None
        entries[entry.source] = entry
    return entries
