"""Rows of a CSV that are safe as soon as they are appended, and are not measured twice."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Rows:
    """A CSV with fixed columns whose first few name what was measured.

    Parameters
    ----------
    path : pathlib.Path
        Made with its header if it is not there. A last line that was cut off by a crash is dropped.
    fields : tuple of str
    keys : int
        How many of the first columns tell one measurement from another.
    """

    def __init__(self, path: Path, fields: tuple[str, ...], keys: int) -> None:
        self.path, self.fields, self.keys = path, fields, keys
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or not path.stat().st_size:
            self._write("w", [dict(zip(fields, fields, strict=True))])
        whole = path.read_bytes()
        if not whole.endswith(b"\n"):
            os.truncate(path, whole.rfind(b"\n") + 1)
        with path.open(newline="") as stream:
            reader = csv.DictReader(stream)
            if tuple(reader.fieldnames or ()) != fields:
                raise SystemExit(f"{path} has other columns than {', '.join(fields)}: move it away")
            self.all = list(reader)
        self._done = {tuple(row[f] for f in fields[:keys]) for row in self.all}

    def has(self, *key: Any) -> bool:
        """Whether this was measured before."""
        return tuple(map(str, key)) in self._done

    def append(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add rows in one write and wait until the disk has them."""
        rows = [{k: str(v) for k, v in row.items()} for row in rows]
        self._write("a", rows)
        self.all += rows
        self._done |= {tuple(row[f] for f in self.fields[: self.keys]) for row in rows}

    def _write(self, mode: str, rows: list[dict[str, str]]) -> None:
        text = io.StringIO(newline="")
        csv.DictWriter(text, self.fields, lineterminator="\n").writerows(rows)
        with self.path.open(mode, newline="") as stream:
            stream.write(text.getvalue())
            stream.flush()
            os.fsync(stream.fileno())
