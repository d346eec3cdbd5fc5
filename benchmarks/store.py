"""Rows of results: one for each image, method and effort, in an SQLite file.

SQLite keeps whole rows through a kill at any moment and a loss of power: a row is one transaction,
on the disk before the next image starts. The denoised images lie beside it as PNG files of 16 bits,
clipped to [0, 1], named by their hash. A CSV file of the rows is read too, so that a few can be
kept with the project.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np

from benchmarks.errors import BenchmarkError
from benchmarks.evaluation import CONVENTIONS, columns
from zspot.io.atomic import atomic_write

if TYPE_CHECKING:
    import pandas as pd  # loaded where it is used: processes that make rows do without

KEY = {
    "set": "TEXT", "noise": "TEXT", "noise_seed": "INTEGER", "image": "TEXT", "crop": "INTEGER",
    "method": "TEXT", "effort": "TEXT", "seed": "INTEGER",
}  # fmt: skip
"""What a row is of; `crop` 0 is the whole image."""

QUALITY = {column: "REAL" for name in CONVENTIONS for column in columns(name)}
FACTS = {
    "seconds": "REAL",  # of the method, without reading and measuring
    "cpu_seconds": "REAL",  # of all threads: what a busy machine does not lengthen much
    "peak_mib": "REAL",  # most resident memory of the process meanwhile; empty but on Linux
    "height": "INTEGER", "width": "INTEGER", "channels": "INTEGER",
    "recipe": "TEXT",  # hash, see the table of recipes; empty where the method is none
    "reason": "TEXT", "input": "TEXT", "output": "TEXT",  # hashes
    "device": "TEXT", "hardware": "TEXT", "threads": "INTEGER",
    "load": "REAL",  # of the machine when the image was started: other work slows it down
    "git_commit": "TEXT", "versions": "TEXT", "started": "TEXT", "error": "TEXT",
}  # fmt: skip
COLUMNS = {**KEY, **QUALITY, **FACTS}
_FILE = "rows.sqlite"
_LEVELS = 65535
_STALE = 600  # seconds


class Store:
    """The rows and outputs of a folder, made where they are missing.

    Raises
    ------
    BenchmarkError
        If the file is not such a store or has other columns.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "outputs").mkdir(parents=True, exist_ok=True)
        _sweep(folder / "outputs")
        self._db = sqlite3.connect(folder / _FILE, timeout=60, isolation_level=None)
        try:
            self._open()
        except sqlite3.Error as error:
            self._db.close()
            raise BenchmarkError(f"{folder / _FILE}: {error}; choose another --out") from None

    def _open(self) -> None:
        fields = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
        key = ", ".join(f'"{name}"' for name in KEY)
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(f"CREATE TABLE IF NOT EXISTS rows ({fields}, UNIQUE ({key}))")
        self._db.execute("CREATE TABLE IF NOT EXISTS recipes (hash TEXT PRIMARY KEY, toml TEXT)")
        there = [row[1] for row in self._db.execute("PRAGMA table_info(rows)")]
        if there != list(COLUMNS):
            raise sqlite3.DatabaseError("has the columns of another version of the benchmarks")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, row: dict[str, Any], image: np.ndarray | None, recipe: str | None) -> None:
        """Keep one row, its image and its recipe; a row of the same key is replaced."""
        row = dict(row)
        if image is not None:
            row["output"] = save_image(image, self.folder / "outputs")
        names = ", ".join(f'"{name}"' for name in COLUMNS)
        marks = ", ".join("?" * len(COLUMNS))
        self._db.execute("BEGIN IMMEDIATE")
        if recipe is not None:
            row["recipe"] = digest(recipe.encode())
            self._db.execute("INSERT OR IGNORE INTO recipes VALUES (?, ?)", (row["recipe"], recipe))
        values = [row.get(name) for name in COLUMNS]
        self._db.execute(f"INSERT OR REPLACE INTO rows ({names}) VALUES ({marks})", values)
        self._db.execute("COMMIT")

    def done(self, *, errors: bool = True) -> set[tuple]:
        """Return the keys of the rows that exist, those of failed images too unless told."""
        which = "" if errors else " WHERE error IS NULL"
        names = ", ".join(f'"{name}"' for name in KEY)
        return set(self._db.execute(f"SELECT {names} FROM rows{which}"))

    def rows(self) -> pd.DataFrame:
        """Return every row."""
        import pandas as pd

        return pd.read_sql_query("SELECT * FROM rows", self._db)


def _sweep(folder: Path) -> None:
    """Remove files that a killed run left half-written; another run's are younger than this."""
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _STALE:
                path.unlink()


def read_rows(path: Path) -> pd.DataFrame:
    """Read the rows of a store's folder or of a CSV file made from one.

    Raises
    ------
    BenchmarkError
        If there are none.
    """
    import pandas as pd

    if path.suffix == ".csv":
        try:
            rows = pd.read_csv(
                path, dtype={c: str for c, kind in COLUMNS.items() if kind == "TEXT"}
            )
            missing = [column for column in COLUMNS if column not in rows]
        except (OSError, ValueError) as error:
            raise BenchmarkError(f"{path} cannot be read: {error}") from None
        if missing:
            raise BenchmarkError(f"{path} lacks the columns {', '.join(missing)}")
        rows[["noise", "effort"]] = rows[["noise", "effort"]].fillna("")
    else:
        if not (path / _FILE).exists():
            raise BenchmarkError(f"{path} has no {_FILE}: run `python -m benchmarks run` first")
        store = Store(path)
        rows = store.rows()
        store.close()
    if rows.empty:
        raise BenchmarkError(f"{path} holds no rows: run `python -m benchmarks run` first")
    return rows.sort_values(list(KEY), ignore_index=True)


def digest(data: bytes) -> str:
    """Return the first 20 hexadecimal digits of the SHA-256."""
    return hashlib.sha256(data).hexdigest()[:20]


def save_image(image: np.ndarray, folder: Path) -> str:
    """Write an image as 16-bit PNG, clipped to [0, 1], and return its name, a hash."""
    levels = np.round(np.clip(image, 0, 1).astype(np.float64) * _LEVELS).astype(np.uint16)
    data = bytes(imagecodecs.png_encode(np.ascontiguousarray(levels)))
    name = f"{digest(data)}.png"
    if not (folder / name).exists():
        with atomic_write(folder / name, overwrite=True) as handle:
            handle.write(data)
    return name


def load_image(folder: Path, name: str) -> np.ndarray:
    """Read an image of a store's folder, float32 in [0, 1].

    Raises
    ------
    BenchmarkError
        If it is not there.
    """
    path = folder / "outputs" / name
    try:
        return imagecodecs.png_decode(path.read_bytes()).astype(np.float32) / _LEVELS
    except OSError:
        raise BenchmarkError(f"{path} is missing: run that image again") from None
