"""Directives that turn the stored results in docs/results into tables, so that none is typed.

`{measured} FILE.csv` shows the file as it is; `:by:` names a table of `TABLES` instead. `:variant:`
keeps one variant, `:where:` the rows of a query, `:columns:` these columns (separated by `|`, each
`NAME` or `NAME = what it is called`). Tables with a method get a column "trained weights".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from benchmarks.datasets import Entry
from benchmarks.metrics import mean_with_interval
from benchmarks.store import read_rows
from benchmarks.studies import (
    IMAGE,
    SUITES,
    beside_noisy,
    by_set,
    in_words,
    label,
    study,
    variant_of,
)
from benchmarks.tables import WEIGHTS
from benchmarks.variants import Variant, rank, weights
from benchmarks.verdict import confusion

RESULTS = Path(__file__).parents[1] / "results"
NOISES = {
    "white": "white", "rows": "correlated along rows", "columns": "correlated along columns",
    "both": "correlated both ways", "diagonal": "correlated along a diagonal",
    "ringing": "ringing", "poisson": "counted light", "photons": "few photons",
    "speckle": "speckle", "log-speckle": "logarithm of speckle", "rician": "Rician",
    "offsets": "offsets of rows", "jpeg": "JPEG after the noise", "levels": "16 levels",
    "upscaled": "enlarged", "grain": "film grain", "shared": "shared by the channels",
}  # fmt: skip
"""What the kinds of noise of the study `matrix` are called."""

JUDGED = {
    "gained 2 dB": "gained 2 dB or more", "gained less": "gained less",
    "invented": "stripes added as strong as the noise", "kept": "four fifths of the noise kept",
    "median": "7 x 7 median instead",
    "shifted": "colours or brightness shifted by 5 % of the range",
    "smooth": "blurred with a Gaussian of 2.5 pixels",
}  # fmt: skip
"""What the results are called whose verdict is counted."""

BEHIND, LESS = "less auto, dB (95 %)", "auto less bm3d (95 %)"


class Measured(SphinxDirective):
    """A table of stored results."""

    required_arguments = 1
    option_spec = {  # noqa: RUF012
        "by": lambda text: directives.choice(text.partition(" ")[0], tuple(TABLES)) and text,
        "variant": directives.unchanged,
        "columns": directives.unchanged,
        "where": directives.unchanged,
    }

    def run(self) -> list[Any]:
        """Return the table and a link to its file."""
        name = self.arguments[0]
        self.env.note_dependency(str(RESULTS / name))
        by, _, more = self.options.get("by", "as-it-is").partition(" ")
        table = TABLES[by](RESULTS / name, more or self.options.get("variant", ""))
        if "where" in self.options:
            table = table.query(self.options["where"])
        if table.empty:
            raise self.error(f"{name}: no rows to show")
        if "columns" in self.options:
            pairs = [word.partition(" = ") for word in self.options["columns"].split("|")]
            names = {old.strip(): new.strip() or old.strip() for old, _, new in pairs}
            table = table[[*names]].rename(columns=names)
        text = as_text(table).to_markdown(index=False, disable_numparse=True)
        return self.parse_text_to_nodes(f"{text}\n\nEvery row: [{name}](/results/{name})")


def with_weights(table: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    """Return a table whose second column says of each line whether its weights are trained."""
    table.insert(1, WEIGHTS, [weights(method) for method in methods])
    return table


def as_it_is(path: Path, _: str) -> pd.DataFrame:
    """Return a file as it is."""
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    if "method" in table and WEIGHTS not in table:
        table = with_weights(table, [str(method) for method in table["method"]])
    return table


def sets(path: Path, variant: str) -> pd.DataFrame:
    """Average the images of each set, of one variant."""
    rows = _named(beside_noisy(read_rows(path)))
    rows = rows[[v == Variant.parse(variant) for v in rows["variant"]]]
    table = by_set(SUITES["development"].ordered(rows))
    return with_weights(table, [variant.partition(":")[0]] * len(table))


def runs(path: Path, _: str) -> pd.DataFrame:
    """Show each row beside its input."""
    rows = _named(beside_noisy(read_rows(path)))
    rows = rows.assign(image=rows["set"] + "/" + rows["image"], variant=rows["variant"].map(label))
    return with_weights(rows, list(rows["method"]))


def methods(path: Path, _: str) -> pd.DataFrame:
    """Put methods under each other and sets side by side: mean PSNR / SSIM, and the median time.

    The last column but one is the mean difference from `auto` over all images.
    """
    rows = read_rows(path)
    rows = SUITES["development"].ordered(rows[rows["error"].isna()])
    best = rows[(rows["method"] == "auto") & (rows["effort"] == "balanced")]
    best = best.set_index(IMAGE)["psnr"]
    out: dict[tuple[str, str], dict[str, str]] = {}
    for (method, effort), mine in rows.groupby(["method", "effort"], sort=False, dropna=False):
        line = {"method": f"{method} {'' if pd.isna(effort) else effort}".strip()}
        for (name, noise), images in mine.groupby(["set", "noise"], sort=False):
            title = f"{Entry(name, noise).title} ({len(images)})"
            line[title] = in_words(images["psnr"].mean(), images["ssim"].mean())
        behind = (mine.set_index(IMAGE)["psnr"] - best).dropna()
        line[BEHIND] = mean_with_interval(behind) if behind.any() else ""
        seconds = mine["cpu_seconds"].median()
        line["median s"] = f"{seconds:.0f}" if seconds >= 1 else f"{seconds:.1f}"
        out[method, str(effort)] = line
    lines = [out[key] for key in sorted(out, key=lambda key: (rank(key[0]), key[1]))]
    table = pd.DataFrame(lines).fillna("")
    last = [BEHIND, "median s"]
    ordered = ["method", *(c for c in table if c not in ("method", *last)), *last]
    return with_weights(table[ordered], [line["method"] for line in lines])


def of_study(path: Path, name: str) -> pd.DataFrame:
    """Return the table of a study; where its lines are variants, with their weights."""
    known = study(name)
    table = known.show(read_rows(path), RESULTS)
    if table.columns[0] == "megapixels":
        return with_weights(table, ["auto"] * len(table))
    if table.columns[0] != "variant":
        return table
    found = [known.variants.get(word) for word in table["variant"]]
    return with_weights(table, [v.method if v else "auto" for v in found])


def noises(path: Path, _: str) -> pd.DataFrame:
    """Average the pictures of the study `matrix` for each kind of noise."""
    rows = _named(read_rows(path))
    kinds = [NOISES[str(noise).partition(":")[0]] for noise in rows["noise"]]
    rows = rows.assign(kind=kinds, variant=rows["variant"].map(label))
    table = rows.pivot_table(index="kind", columns="variant", values="psnr", sort=False)
    table = table.loc[[*dict.fromkeys(NOISES.values())], ["noisy", "bm3d", "auto:fast", "auto"]]
    cells = rows[rows["variant"] == "noisy"].groupby("kind", sort=False).size()
    table.loc["all"] = rows.groupby("variant")["psnr"].mean()
    pairs = rows.pivot_table(index=[*IMAGE, "kind"], columns="variant", values="psnr")
    less = (pairs["auto"] - pairs["bm3d"]).dropna()
    ends = less.groupby("kind").apply(mean_with_interval)
    table[LESS] = [*ends.loc[table.index[:-1]], mean_with_interval(less)]
    table.insert(0, "images", [*(str(cells[kind]) for kind in table.index[:-1]), str(cells.sum())])
    table = table.map(lambda cell: f"{cell:.2f}" if isinstance(cell, float) else cell)
    return table.rename_axis(columns=None).reset_index()


def photons(path: Path, kind: str) -> pd.DataFrame:
    """Put pictures side by side: the gain for each method and mean of photons."""
    rows = pd.read_csv(path, dtype={"gain": str})
    rows = rows[rows["kind"] == kind]
    order = list(dict.fromkeys(rows["picture"]))
    table = rows.pivot(index=["method", "photons"], columns="picture", values="gain")[order]
    table = table.reset_index().sort_values(["method", "photons"], ascending=[True, False])
    table.columns.name = None
    return with_weights(table, list(table["method"]))


def weak(path: Path, _: str) -> pd.DataFrame:
    """Put sets under each other and weak noises side by side: PSNR before and after, losses."""
    rows = beside_noisy(read_rows(path))
    out = []
    for name in (Entry.parse(entry).set for entry in SUITES["development"].entries):
        mine = rows[rows["set"] == name]
        clean = mine[mine["noise"].str.contains("clean")]["removed"]
        images = len(clean)
        line = {"references of": f"{Entry(name, '').title} ({images})"}
        line["none: removed, of 255"] = f"{clean.mean():.2f} (at most {clean.max():.2f})"
        for noise in ("white:1", "correlated:1", "white:2", "correlated:2"):
            found = mine[mine["noise"].str.contains(f"+{noise}+", regex=False)]
            lost = int((found["noisy_psnr"] - found["psnr"] > 0.05).sum())
            means = f"{found['noisy_psnr'].mean():.1f} → {found['psnr'].mean():.1f}"
            line[noise.replace(":", " ")] = f"{means} ({lost})"
        out.append(line)
    table = pd.DataFrame(out)
    return with_weights(table, ["auto"] * len(table))


def verdicts(path: Path, _: str) -> pd.DataFrame:
    """Count the verdicts on results as they were and made bad on purpose."""
    table = confusion(pd.read_csv(path, keep_default_na=False)).loc[[*JUDGED]]
    columns = {"good": "good", "check": "look closely", "poor": "do not rely"}
    table = table.rename(index=JUDGED)[[*columns]].rename(columns=columns).reset_index()
    return with_weights(table, ["auto"] * len(table))


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(variant=[variant_of(row) for _, row in rows.iterrows()])


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return cells as tables print them."""

    def shown(cell: object) -> str:
        if pd.isna(cell):  # type: ignore[call-overload]
            return ""
        text = f"{cell:.10g}" if isinstance(cell, float) else str(cell)
        # lines break after a slash and before a bracket only
        text = re.sub(r"(?<=\d) to (?=[\d-])", "\u00a0to\u00a0", text)
        return re.sub(r"(?<=\d) / (?=\d)", "\u00a0/ ", text)

    return table.map(shown)


TABLES: dict[str, Callable[[Path, str], pd.DataFrame]] = {
    "as-it-is": as_it_is, "set": sets, "run": runs, "method": methods, "study": of_study,
    "noise": noises, "photons": photons, "weak": weak, "verdict": verdicts,
}  # fmt: skip


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("measured", Measured)
    return {"version": "1", "parallel_read_safe": True}
