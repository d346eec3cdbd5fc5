"""Directives that turn the stored results in docs/results into tables, so that none is typed.

`{measured} FILE.csv` with `:by: set` averages the images of each set, with `:by: method` puts
methods under each other and images side by side, and without shows the rows themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from benchmarks.datasets import title

RESULTS = Path(__file__).parents[1] / "results"


class Measured(SphinxDirective):
    """A table of stored results."""

    required_arguments = 1
    option_spec = {  # noqa: RUF012
        "by": lambda text: directives.choice(text, ("set", "method")),
        "columns": directives.unchanged,
        "where": directives.unchanged,
    }

    def run(self) -> list[Any]:
        """Return the table and a link to its file."""
        name = self.arguments[0]
        self.env.note_dependency(str(RESULTS / name))
        rows = pd.read_csv(RESULTS / name, keep_default_na=False, na_values=[""])
        if "where" in self.options:
            rows = rows.query(self.options["where"])
        if rows.empty:
            raise self.error(f"{name}: no rows to show")
        if "columns" in self.options:
            rows = rows[self.options["columns"].split()]
        make = {"set": by_set, "method": by_method}.get(self.options.get("by", ""), as_they_are)
        text = make(rows).to_markdown(index=False, disable_numparse=True)
        return self.parse_text_to_nodes(f"{text}\n\nEvery row: [{name}](/results/{name})")


def by_set(rows: pd.DataFrame) -> pd.DataFrame:
    """Average the images of each set; images that came out below their input are counted."""
    out = []
    for name, images in rows.groupby("set", sort=False):
        out.append(
            {
                "set": title(str(name)),
                "images": str(len(images)),
                "noisy": _quality(images["noisy_psnr"].mean(), images["noisy_ssim"].mean()),
                "denoised": _quality(images["psnr"].mean(), images["ssim"].mean()),
                "gain, dB": f"{(images['psnr'] - images['noisy_psnr']).mean():.2f}",
                "least gain, dB": f"{(images['psnr'] - images['noisy_psnr']).min():.2f}",
                "got worse": str(int((images["psnr"] < images["noisy_psnr"]).sum())),
                "median s": _seconds(images),
            }
        )
    return pd.DataFrame(out)


def by_method(rows: pd.DataFrame) -> pd.DataFrame:
    """Put methods under each other and images side by side: PSNR / SSIM (processor seconds)."""
    rows = rows.assign(
        method=rows["method"] + rows["effort"].map(lambda e: f" {e}" if isinstance(e, str) else ""),
        image=rows["set"] + "/" + rows["image"].astype(str),
    )
    out = []
    for method, images in rows.groupby("method", sort=False):
        cells = {}
        for row in images.itertuples():
            cells[row.image] = (
                "failed"
                if isinstance(row.error, str)
                else f"{_quality(row.psnr, row.ssim)} ({row.cpu_seconds:.0f})"
            )
        out.append({"method": method, **cells})
    return pd.DataFrame(out).fillna("")


def as_they_are(rows: pd.DataFrame) -> pd.DataFrame:
    """Show the rows themselves."""
    return rows.map(lambda cell: "" if pd.isna(cell) else str(cell))


def _quality(psnr: float, ssim: float) -> str:
    return f"{psnr:.2f} / {ssim:.3f}"


def _seconds(images: pd.DataFrame) -> str:
    """Return the median time: of the processor where it was taken, else as it passed."""
    if "cpu_s" in images and images["cpu_s"].notna().all():
        return f"{images['cpu_s'].median():.1f}"
    return f"{images['seconds'].median():.1f} (clock)"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("measured", Measured)
    return {"version": "1", "parallel_read_safe": True}
