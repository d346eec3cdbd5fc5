"""The paper's tables from stored rows, as Markdown, CSV and LaTeX."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.datasets import Entry
from benchmarks.metrics import CONVENTIONS, DEFAULT, BenchmarkError, columns
from benchmarks.store import complete, write_rows
from benchmarks.studies import IMAGE, SUITES
from benchmarks.variants import NOISY, rank, weights
from zspot.io.atomic import atomic_write

REAL = (("sidd_val", ""), ("fmdd", ""), ("polyu", ""), ("cc", ""))
WHITE = (("set9", "white:25"), ("bsd68", "white:25"))
EMPTY, WEIGHTS = "", "trained weights"
_VARIANT = ["method", "effort", "changes"]
PUBLISHED: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("published.toml").read_text(encoding="utf-8")
)
"""What papers print, by entry; under "seconds" their time for an image."""


@dataclass(frozen=True)
class How:
    """How figures are averaged; the arguments of `means`."""

    convention: str = DEFAULT
    every: bool = False
    clock: str = "wall"

    def means(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Average the rows of one set."""
        return means(rows, self.convention, every=self.every, clock=self.clock)


@dataclass(frozen=True)
class Table:
    """A table with what it shows in words.

    Cells of columns whose name starts with "published" are printed in grey.
    """

    name: str
    caption: str
    cells: pd.DataFrame

    def markdown(self) -> str:
        """Return the table as Markdown; published figures in italics, which is its grey."""
        shown = self.cells.copy()
        for column in _grey(shown):
            shown[column] = [f"*{cell}*" if cell else EMPTY for cell in shown[column]]
        body = shown.to_markdown(index=False, disable_numparse=True)
        return f"# {self.name}\n\n{self.caption}\n\n{body}\n"

    def latex(self) -> str:
        """Return a `table` environment; it needs the packages booktabs and xcolor."""
        shown = self.cells.map(_escape)
        for column in _grey(shown):
            shown[column] = [
                rf"\textcolor{{gray}}{{{cell}}}" if cell else EMPTY for cell in shown[column]
            ]
        shown.columns = [_escape(column) for column in shown.columns]
        label = self.name.lower().replace(" ", "-")
        return shown.to_latex(
            index=False, escape=False, caption=_escape(self.caption), label=f"tab:{label}"
        )


def write_tables(
    rows: pd.DataFrame,
    out: Path,
    *,
    methods: str | None = None,
    reference: str = "mash",
    convention: str = DEFAULT,
    every: bool = False,
    crop: int | None = None,
    clock: str = "wall",
    overwrite: bool = False,
) -> list[Path]:
    """Write every table for which there are rows, and the rows, into a folder; return the files.

    Parameters
    ----------
    rows : DataFrame
    out : Path
    methods, reference, convention, every, crop, clock, overwrite
        As `python -m benchmarks tables --help` says.

    Raises
    ------
    BenchmarkError
        If nothing is left to show.
    """
    kept = one_kind(chosen(complete(rows), methods), crop)
    written = []
    out.mkdir(parents=True, exist_ok=True)
    for table in _every(named(kept), reference, How(convention, every, clock)):
        stem = out / table.name.lower().replace(" ", "-")
        for suffix, text in (
            (".md", table.markdown()), (".csv", table.cells.to_csv(index=False)),
            (".tex", table.latex()),
        ):  # fmt: skip
            written.append(_write(stem.with_suffix(suffix), text, overwrite))
    write_rows(kept, out / "rows.csv", overwrite=overwrite)
    return [*written, out / "rows.csv"]


def _every(rows: pd.DataFrame, reference: str, how: How) -> list[Table]:
    """Return the tables for which there are rows."""
    tables = [
        equal_time(rows, reference, how),
        quality("Table 2", "White noise of deviation 25 of 255", rows, WHITE, how),
        quality("Table real", "Noise of cameras and microscopes", rows, REAL, how),
        quality("Table all", "Every set", rows, _entries(rows), how),
        conventions(rows),
    ]
    return [table for table in tables if table is not None]


def chosen(rows: pd.DataFrame, methods: str | None) -> pd.DataFrame:
    """Return the rows of the methods named in a list; all for None."""
    if methods is None:
        return rows
    wanted = [split(word) for word in methods.split(",") if word.strip()]
    kept = rows[pd.MultiIndex.from_frame(rows[_VARIANT]).isin(wanted)]
    if kept.empty:
        raise BenchmarkError(f"no rows of {methods}")
    return kept


def split(word: str) -> tuple[str, str, str]:
    """Return method, effort and changes of a word, of methods that are no longer there too."""
    name, _, changes = word.strip().partition(" ")
    name, _, effort = name.partition(":")
    return name, "" if name == NOISY else effort or "balanced", changes.strip()


def one_kind(rows: pd.DataFrame, crop: int | None = None) -> pd.DataFrame:
    """Return the rows of one crop, which must be of one seed and one seed of the noise.

    Raises
    ------
    BenchmarkError
        If rows of different kinds would be averaged.
    """
    if crop is not None:
        rows = rows[rows["crop"] == crop]
    for column, hint in (
        ("crop", "choose one with --crop"),
        ("seed", "keep each seed in a folder of its own"),
        ("noise_seed", "keep each seed in a folder of its own"),
    ):
        found = sorted(set(rows[column]))
        if len(found) > 1:
            values = ", ".join(map(str, found))
            raise BenchmarkError(f"there are rows of {column} {values}: {hint}")
    if rows.empty:
        raise BenchmarkError(f"there are no rows of crop {crop}")
    return rows


def named(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows whose method says what was changed in it."""
    return rows.assign(method=(rows["method"] + " " + rows["changes"]).str.strip())


def means(rows: pd.DataFrame, convention: str, *, every: bool, clock: str = "wall") -> pd.DataFrame:
    """Average each method and effort over a set.

    Parameters
    ----------
    rows : DataFrame
        Of one set.
    convention : str
    every : bool
        Over each method's own images; otherwise over those that all methods have done.
    clock : {"wall", "cpu"}

    Returns
    -------
    DataFrame
        With method, effort, n, failed, psnr, ssim, seconds (the median), sorted for print.
    """
    psnr, ssim = columns(convention)
    fine = rows[rows["error"].isna() & rows[psnr].notna()]
    kinds = fine.groupby(["method", "effort"]).ngroups
    if not every and kinds:
        shared = fine.groupby(IMAGE)["method"].transform("size") == kinds
        fine = fine[shared]
    grouped = fine.groupby(["method", "effort"])
    out = grouped.agg(
        n=(psnr, "size"),
        psnr=(psnr, "mean"),
        ssim=(ssim, "mean"),
        seconds=(_clock(clock), "median"),
    )
    failed = rows[rows["error"].notna()].groupby(["method", "effort"]).size()
    out["failed"] = failed.reindex(out.index).fillna(0).astype(int)
    out = out.reset_index()
    keys = [_rank(m, e) for m, e in zip(out.method, out.effort, strict=True)]
    return out.iloc[sorted(range(len(out)), key=keys.__getitem__)].reset_index(drop=True)


def quality(
    name: str, caption: str, rows: pd.DataFrame, entries: Iterable[tuple[str, str]], how: How
) -> Table | None:
    """Return PSNR / SSIM of every method on the sets, or None if there are no rows of them."""
    blocks = []
    for entry in entries:
        found = how.means(_of_set(rows, entry))
        if not found.empty:
            blocks.append(_block(entry, found))
    if not blocks:
        return None
    cells = pd.concat(blocks, axis=1).fillna(EMPTY)
    cells = cells.loc[:, (cells != EMPTY).any()].reset_index()
    order = sorted(range(len(cells)), key=lambda i: _rank(cells["method"][i], cells["effort"][i]))
    cells.insert(2, WEIGHTS, cells["method"].map(weights))
    return Table(name, f"{caption}. {_words(rows, how)}", cells.iloc[order])


def _block(entry: tuple[str, str], found: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of one set; the number of images is in the title where all have it."""
    counts = set(found.n)
    title = Entry(*entry).title
    head = f"{title}, {counts.pop()} images" if len(counts) == 1 else title
    published = PUBLISHED.get(str(Entry(*entry)), {})
    columns = {
        "method": found.method,
        "effort": found.effort,
        head: [f"{p:.2f} / {s:.3f}" for p, s in zip(found.psnr, found.ssim, strict=True)],
        f"images, {title}": found.n.astype(str) if counts else EMPTY,
        f"failed, {title}": [str(n) if n else EMPTY for n in found.failed],
        f"s, {title}": [_seconds(s) for s in found.seconds],
        f"published, {title}": [published.get(m, EMPTY) for m in found.method],
    }
    return pd.DataFrame(columns).set_index(["method", "effort"])


def equal_time(rows: pd.DataFrame, reference: str, how: How) -> Table | None:
    """Return Table 1: each method's best effort that takes no longer than the reference."""
    lines = []
    for entry in _entries(rows):
        found = how.means(_of_set(rows, entry))
        theirs = found[found.method == reference]
        if theirs.empty:
            continue
        limit = float(theirs.seconds.max())
        found = found[found.method != NOISY]
        for method, group in found.groupby("method", sort=False):
            within = group[group.seconds <= limit]
            ranked = within.sort_values("psnr", ascending=False)
            pick = (ranked if len(within) else group.sort_values("seconds")).iloc[0]
            lines.append({
                "set": Entry(*entry).title, "method": method, "effort": pick.effort,
                WEIGHTS: weights(str(method)),
                "PSNR / SSIM": f"{pick.psnr:.2f} / {pick.ssim:.3f}", "n": str(pick.n),
                "s": _seconds(pick.seconds), f"of {reference}": f"{pick.seconds / limit:.2f}",
                "in time": "yes" if len(within) else "no: its fastest",
                "published": PUBLISHED.get(str(Entry(*entry)), {}).get(str(method), EMPTY),
                "published s (256 x 256, A6000)": _seconds(PUBLISHED["seconds"].get(str(method))),
            })  # fmt: skip
    if not lines:
        return None
    caption = (
        f"Quality at equal time: the best effort of each method that takes no longer than "
        f"{reference} on this machine. {_words(rows, how)}"
    )
    return Table("Table 1", caption, pd.DataFrame(lines))


def conventions(rows: pd.DataFrame) -> Table | None:
    """Return what each convention changes, averaged over all images of a set and method."""
    fine = rows[rows["error"].isna() & rows["psnr"].notna()]
    measured = [name for name in CONVENTIONS if fine[list(columns(name))].notna().all(axis=None)]
    if fine.empty or measured == [DEFAULT]:
        return None
    lines = []
    for key, group in fine.groupby(["set", "noise", "method", "effort"]):
        name, noise, method, effort = (str(part) for part in key)
        line = {
            "set": Entry(name, noise).title,
            "method": f"{method} {effort}".strip(),
            "n": str(len(group)),
            DEFAULT: f"{group.psnr.mean():.2f} / {group.ssim.mean():.4f}",
        }
        for other in measured:
            if other != DEFAULT:
                psnr, ssim = (group[column].mean() for column in columns(other))
                change = psnr - group.psnr.mean(), ssim - group.ssim.mean()
                line[other] = f"{change[0]:+.3f} / {change[1]:+.4f}"
        lines.append((rank(method), line))
    lines.sort(key=lambda pair: (pair[1]["set"], pair[0]))
    words = "; ".join(f"{name}: {c.summary}" for name, c in CONVENTIONS.items() if name in measured)
    caption = f"What a convention changes in PSNR / SSIM against {DEFAULT}. {words}."
    return Table("Table conventions", caption, pd.DataFrame([line for _, line in lines]))


def _words(rows: pd.DataFrame, how: How) -> str:
    """Say how the figures of a table came about."""
    over = "each method's own images" if how.every else "the images that every method here has done"
    crops = sorted(set(rows["crop"]))
    sizes = ", ".join(f"middle {c} x {c}" if c else "whole images" for c in crops)
    # Rows of few columns do not say on what they ran.
    hardware, threads, commits = (
        ", ".join(map(str, sorted(rows[name].dropna().unique())))
        for name in ("hardware", "threads", "git_commit")
    )
    load = (
        f"{rows['load'].min():.1f} to {rows['load'].max():.1f}"
        if rows["load"].notna().any()
        else ""
    )
    known = {" on": hardware, ", threads": threads, ", machine load": load, "; commit": commits}
    ran = "".join(f"{name} {value}" for name, value in known.items() if value)
    development = [Entry.parse(text) for text in SUITES["development"].entries]
    sets = ", ".join(e.title for e in development if (e.set, e.noise) in _entries(rows))
    others = "; the shorter efforts of other methods on a few images of these"
    tuned = f"auto on {sets}{others}" if sets else "none of these sets"
    return (
        f"PSNR in dB / SSIM, {CONVENTIONS[how.convention].summary}; mean over {over} ({sizes}); "
        f"s: median {how.clock} seconds{ran}. "
        f"Tuned on: {tuned}. Published: whole sets, as printed."
    )


def _rank(method: str, effort: str) -> tuple[int, str, int]:
    """Return a key that sorts methods into their order and efforts from fast to best."""
    efforts = ("", "fast", "balanced", "best")
    return (*rank(method), efforts.index(effort) if effort in efforts else len(efforts))


def _clock(name: str) -> str:
    columns = {"wall": "seconds", "cpu": "cpu_seconds"}
    if name not in columns:
        raise BenchmarkError(f"clock {name!r}: choose one of {', '.join(columns)}")
    return columns[name]


def _seconds(value: float | None) -> str:
    if value is None:
        return EMPTY
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _entries(rows: pd.DataFrame) -> list[tuple[str, str]]:
    return sorted({(str(s), str(n)) for s, n in zip(rows["set"], rows["noise"], strict=True)})


def _of_set(rows: pd.DataFrame, entry: tuple[str, str]) -> pd.DataFrame:
    return rows[(rows["set"] == entry[0]) & (rows["noise"] == entry[1])]


def _grey(cells: pd.DataFrame) -> list[str]:
    return [column for column in cells.columns if str(column).startswith("published")]


def _escape(cell: object) -> str:
    text = str(cell)
    for mark in "\\&%$#_{}":
        text = text.replace(mark, "\\textbackslash{}" if mark == "\\" else f"\\{mark}")
    return text


def _write(path: Path, text: str, overwrite: bool) -> Path:
    with atomic_write(path, overwrite=overwrite) as handle:
        handle.write(text.encode())
    return path
