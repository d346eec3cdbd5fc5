"""Rows of results: one for each image, method and effort, in an SQLite file.

SQLite keeps whole rows through a kill at any moment and a loss of power: a row is one transaction,
on the disk before the next image starts. The denoised images lie beside it as PNG files of 16 bits,
clipped to [0, 1], named by their hash. CSV is the text form of the rows: everything that reads a
store reads it, so that a few rows can be kept with the project.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import imagecodecs
import numpy as np

from benchmarks.metrics import CONVENTIONS, BenchmarkError, columns
from zspot.io.atomic import atomic_write

if TYPE_CHECKING:
    import pandas as pd  # loaded where it is used: processes that make rows do without

KEY = {
    "set": "TEXT", "noise": "TEXT", "noise_seed": "INTEGER", "image": "TEXT", "crop": "INTEGER",
    "method": "TEXT", "effort": "TEXT", "changes": "TEXT", "seed": "INTEGER",
}  # fmt: skip
"""What a row is of; `crop` 0 is the whole image, `changes` what was changed in the method."""

_DEFAULTS: dict[str, str | int] = {
    "noise": "",
    "noise_seed": 0,
    "crop": 0,
    "effort": "",
    "changes": "",
    "seed": 0,
}
QUALITY = {column: "REAL" for name in CONVENTIONS for column in columns(name)}
FACTS = {
    "psnr_one_pass": "REAL",  # of one prediction, where several are averaged
    "removed": "REAL",  # root mean square of input - output, of 255
    "seconds": "REAL",  # of the method, without reading and measuring
    "cpu_seconds": "REAL",  # of all threads: what a busy machine does not lengthen much
    "look_s": "REAL", "fit_s": "REAL", "predict_s": "REAL", "finish_s": "REAL",  # of `seconds`
    "steps": "INTEGER", "passes": "INTEGER",  # of the recipe's fit and prediction
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
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(f"CREATE TABLE IF NOT EXISTS rows ({fields}, UNIQUE ({_names(KEY)}))")
        self._db.execute("CREATE TABLE IF NOT EXISTS recipes (hash TEXT PRIMARY KEY, toml TEXT)")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS notes (kind TEXT, key TEXT, lines TEXT, UNIQUE (kind, key))"
        )
        there = {row[1] for row in self._db.execute("PRAGMA table_info(rows)")}
        if not {*KEY} <= there <= {*COLUMNS}:
            raise sqlite3.DatabaseError("has the columns of another version of the benchmarks")
        for name in (name for name in COLUMNS if name not in there):  # of an earlier version
            self._db.execute(f'ALTER TABLE rows ADD COLUMN "{name}" {COLUMNS[name]}')

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, row: dict[str, Any], image: np.ndarray | None, recipe: str | None) -> None:
        """Keep one row, its image and its recipe; a row of the same key is replaced."""
        row = dict(row)
        if image is not None:
            row["output"] = save_image(image, self.folder / "outputs")
        self._db.execute("BEGIN IMMEDIATE")
        if recipe is not None:
            row["recipe"] = digest(recipe.encode())
            self._db.execute("INSERT OR IGNORE INTO recipes VALUES (?, ?)", (row["recipe"], recipe))
        self._insert("REPLACE", [row])
        self._db.execute("COMMIT")

    def _insert(self, otherwise: str, rows: Iterable[Mapping[str, Any]]) -> int:
        marks = ", ".join("?" * len(COLUMNS))
        return self._db.executemany(
            f"INSERT OR {otherwise} INTO rows ({_names(COLUMNS)}) VALUES ({marks})",
            [[row.get(name, _DEFAULTS.get(name)) for name in COLUMNS] for row in rows],
        ).rowcount

    def done(self, *, errors: bool = True) -> set[tuple]:
        """Return the keys of the rows that exist, those of failed images too unless told."""
        which = "" if errors else " WHERE error IS NULL"
        return set(self._db.execute(f"SELECT {_names(KEY)} FROM rows{which}"))

    def rows(self) -> pd.DataFrame:
        """Return every row."""
        import pandas as pd

        return pd.read_sql_query(f"SELECT {_names(COLUMNS)} FROM rows", self._db)

    def take(self, path: Path) -> int:
        """Add the rows of a CSV file that are not there yet; return how many."""
        rows = read_rows(path).astype(object)
        rows = rows.where(rows.notna(), None)
        self._db.execute("BEGIN IMMEDIATE")
        count = self._insert("IGNORE", (dict(row) for _, row in rows.iterrows()))
        self._db.execute("COMMIT")
        return count

    def note(self, kind: str, key: tuple, lines: list[dict[str, Any]]) -> None:
        """Keep what was measured of something that is no denoised image."""
        values = kind, json.dumps(key), json.dumps(lines)
        self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", values)

    def noted(self, kind: str) -> dict[tuple, list[dict[str, Any]]]:
        """Return the notes of a kind by their keys, in the order in which they were made."""
        found = self._db.execute(
            "SELECT key, lines FROM notes WHERE kind = ? ORDER BY rowid", (kind,)
        )
        return {tuple(json.loads(key)): json.loads(lines) for key, lines in found}


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _sweep(folder: Path) -> None:
    """Remove files that a killed run left half-written; another run's are younger than this."""
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _STALE:
                path.unlink()


def read_rows(path: Path) -> pd.DataFrame:
    """Read the rows of a store's folder or of a CSV file.

    Raises
    ------
    BenchmarkError
        If there are none.
    """
    if path.suffix == ".csv":
        rows = complete(_read_csv(path))
    else:
        if not (path / _FILE).exists():
            raise BenchmarkError(f"{path} has no {_FILE}: run `python -m benchmarks run` first")
        with Store(path) as store:
            rows = store.rows()
    if rows.empty:
        raise BenchmarkError(f"{path} holds no rows: run `python -m benchmarks run` first")
    return rows.sort_values(list(KEY), ignore_index=True)


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    text = {name: str for name, kind in COLUMNS.items() if kind == "TEXT"}
    try:
        rows = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"{path} cannot be read: {error}") from None
    missing = [name for name in ("set", "image", "method", "psnr") if name not in rows]
    if missing:
        raise BenchmarkError(f"{path} lacks the columns {', '.join(missing)}")
    return rows


def complete(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with every column; what a CSV file leaves out is empty, or has its default."""
    rows = rows.reindex(columns=list(COLUMNS))
    for name, value in _DEFAULTS.items():
        rows[name] = rows[name].astype(object).fillna(value).astype(type(value))
    return rows


def write_rows(rows: pd.DataFrame, path: Path, *, overwrite: bool = False) -> None:
    """Write rows as CSV, without columns that are empty or at their default in all of them."""
    shown = [
        name
        for name in COLUMNS
        if rows[name].notna().any() and not (rows[name] == _DEFAULTS.get(name)).all()
    ]
    text = rows[shown].to_csv(index=False, float_format="%.7g")
    with atomic_write(path, overwrite=overwrite) as handle:
        handle.write(text.encode())


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
