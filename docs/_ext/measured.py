"""Directives that turn the stored results in docs/results into tables, so that none is typed.

`{measured} FILE.csv` with `:by: set` averages the images of each set, of the variant that
`:variant:` names, with `:by: method` puts methods under each other and images side by side, with
`:by: run` shows each row beside its input, and without shows the file as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from benchmarks.store import read_rows
from benchmarks.studies import SUITES, beside_noisy, by_set, in_words, label, variant_of
from benchmarks.variants import Variant

RESULTS = Path(__file__).parents[1] / "results"


class Measured(SphinxDirective):
    """A table of stored results."""

    required_arguments = 1
    option_spec = {  # noqa: RUF012
        "by": lambda text: directives.choice(text, ("set", "method", "run")),
        "variant": directives.unchanged,
        "columns": directives.unchanged,
        "where": directives.unchanged,
    }

    def run(self) -> list[Any]:
        """Return the table and a link to its file."""
        name, by = self.arguments[0], self.options.get("by")
        self.env.note_dependency(str(RESULTS / name))
        if by is None:
            rows = pd.read_csv(RESULTS / name, keep_default_na=False, na_values=[""])
        else:
            rows = read_rows(RESULTS / name)
        if "where" in self.options:
            rows = rows.query(self.options["where"])
        if by == "method":
            rows = by_method(rows)
        elif by is not None:
            rows = with_input(rows, self.options.get("variant"))
        if rows.empty:
            raise self.error(f"{name}: no rows to show")
        if by == "set":
            rows = by_set(SUITES["development"].ordered(rows))
        if "columns" in self.options:
            rows = rows[self.options["columns"].split()]
        text = as_they_are(rows).to_markdown(index=False, disable_numparse=True)
        return self.parse_text_to_nodes(f"{text}\n\nEvery row: [{name}](/results/{name})")


def with_input(rows: pd.DataFrame, variant: str | None) -> pd.DataFrame:
    """Return the rows of a variant, or of all, beside their input and with what they are called."""
    rows = beside_noisy(rows)
    found = [variant_of(row) for _, row in rows.iterrows()]
    rows = rows.assign(variant=[label(v) for v in found], image=rows["set"] + "/" + rows["image"])
    return rows if variant is None else rows[[v == Variant.parse(variant) for v in found]]


def by_method(rows: pd.DataFrame) -> pd.DataFrame:
    """Put methods under each other and images side by side: PSNR / SSIM (processor seconds)."""
    rows = rows.assign(
        method=(rows["method"] + " " + rows["effort"]).str.strip(),
        image=rows["set"] + "/" + rows["image"],
    )
    out = []
    for method, images in rows.groupby("method", sort=False):
        cells = {}
        for row in images.itertuples():
            quality = in_words(row.psnr, row.ssim)  # type: ignore[arg-type]
            failed = isinstance(row.error, str)
            cells[row.image] = "failed" if failed else f"{quality} ({row.cpu_seconds:.0f})"
        out.append({"method": method, **cells})
    return pd.DataFrame(out).fillna("")


def as_they_are(rows: pd.DataFrame) -> pd.DataFrame:
    """Show the rows themselves."""

    def shown(cell: object) -> str:
        if pd.isna(cell):  # type: ignore[call-overload]
            return ""
        return f"{cell:.10g}" if isinstance(cell, float) else str(cell)

    return rows.map(shown)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("measured", Measured)
    return {"version": "1", "parallel_read_safe": True}
