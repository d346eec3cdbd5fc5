"""The command line of the benchmarks: `python -m benchmarks --help`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zspot.core.errors import ZspotError

if TYPE_CHECKING:
    import pandas as pd

    from benchmarks.studies import Suite

app = typer.Typer(
    help="Run denoisers over image sets, and make tables and figures of the stored rows.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of the image sets.")]
Rows = Annotated[
    Path, typer.Option("--rows", metavar="PATH", help="Folder of a run, or a CSV file of rows.")
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")]
Overwrite = Annotated[bool, typer.Option(help="Replace files that exist.")]
Chosen = Annotated[
    str | None,
    typer.Option("--methods", metavar="LIST", help="Only these, as in auto,bsn-ins:best,noisy."),
]
Crop = Annotated[int | None, typer.Option(min=0, help="Only rows of this crop (0: whole images).")]
Clock = Annotated[
    str, typer.Option(help="Seconds as they passed (wall) or of the processor (cpu).")
]
Convention = Annotated[
    str, typer.Option(help="How quality is measured; see benchmarks/metrics.py.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first images of each set.")]
Jobs = Annotated[int, typer.Option(min=1, help="Processes.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of each process.")]
SkipMissing = Annotated[bool, typer.Option(help="Leave out sets that are not there.")]
Retry = Annotated[bool, typer.Option(help="Run images again that failed.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]


@app.command(
    epilog="Example:  python -m benchmarks run --suite quick --methods auto:fast,bsn-ins:fast "
    "--data ../shared/data --out results"
)
def run(
    data: Data,
    out: Out,
    suite: Annotated[
        str, typer.Option(help="A suite of studies.toml, or sets: sidd_val,set9+white:25.")
    ] = "quick",
    methods: Annotated[
        str, typer.Option(metavar="LIST", help="method[:effort][ key=value ...], comma-separated.")
    ] = "auto",
    limit: Limit = None,
    crop: Annotated[
        int | None, typer.Option(min=0, help="Cut the middle of this side; 0 for whole images.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the methods.")] = 0,
    noise_seed: Annotated[int, typer.Option(min=0, help="Of the noise added to clean sets.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "cpu",
    jobs: Jobs = 1,
    threads: Threads = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="tcp://HOST:PORT", help="Run on this Dask cluster instead."),
    ] = None,
    skip_missing: SkipMissing = False,
    retry_errors: Retry = False,
    quiet: Quiet = False,
) -> None:
    """Run methods over sets and keep one row per image; what has a row is not run again."""
    from benchmarks import runner, studies, variants

    chosen = _narrowed(studies.suite(suite), limit, crop)
    tasks, missing = runner.plan(
        data.resolve(), chosen, variants.parse_list(methods), skip_missing=skip_missing,
        seed=seed, noise_seed=noise_seed, device=device, threads=threads,
    )  # fmt: skip
    for text in missing:
        typer.echo(f"left out: {text}", err=True)
    runner.make(tasks, out, jobs=jobs, scheduler=scheduler, retry=retry_errors, quiet=quiet)


@app.command(epilog="Example:  python -m benchmarks study ablation --data ../shared/data")
def study(
    name: Annotated[str, typer.Argument(help="A study of benchmarks/studies.toml.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Of the image sets; without, nothing is run."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="PATH", help="Folder of a run, or a CSV file of rows.")
    ] = Path("results"),
    limit: Limit = None,
    variants: Annotated[
        str | None, typer.Option(metavar="LIST", help="Only these, by the names in the study.")
    ] = None,
    jobs: Jobs = 1,
    threads: Threads = 1,
    skip_missing: SkipMissing = False,
    retry_errors: Retry = False,
    quiet: Quiet = False,
    as_csv: AsCsv = False,
) -> None:
    """Run a study's missing rows and print its table; without --data only that."""
    from benchmarks import runner, studies
    from benchmarks.store import read_rows

    known = studies.study(name)
    if data is not None:
        data = data.resolve()
        chosen = known.chosen(variants)
        tasks, missing = runner.plan(
            data, _narrowed(known.suite, limit, None), list(chosen.values()),
            skip_missing=skip_missing, threads=threads,
        )  # fmt: skip
        for text in missing:
            typer.echo(f"left out: {text}", err=True)
        runner.make(tasks, out, jobs=jobs, retry=retry_errors, quiet=quiet)
    _print(known.show(read_rows(out), out, data), as_csv)


def _narrowed(suite: Suite, limit: int | None, crop: int | None) -> Suite:
    """Return a suite with the limit and the crop that were asked for."""
    from dataclasses import replace

    limit, crop = suite.limit if limit is None else limit, suite.crop if crop is None else crop
    return replace(suite, limit=limit, crop=crop)


@app.command(epilog="Example:  python -m benchmarks tables --rows results --out docs/results")
def tables(
    rows: Rows,
    out: Out,
    methods: Chosen = None,
    reference: Annotated[
        str, typer.Option(help="Table 1 compares at the time of this method.")
    ] = "mash",
    convention: Convention = "float",
    clock: Clock = "wall",
    crop: Crop = None,
    every: Annotated[
        bool, typer.Option("--every-image", help="Mean over each method's own images.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write the paper's tables as Markdown, CSV and LaTeX, and the rows they are made of."""
    from benchmarks.store import read_rows
    from benchmarks.tables import write_tables

    for path in write_tables(
        read_rows(rows), out, methods=methods, reference=reference, convention=convention,
        every=every, crop=crop, clock=clock, overwrite=overwrite,
    ):  # fmt: skip
        typer.echo(path)


@app.command(
    epilog="Example:  python -m benchmarks figures --rows results --data ../shared/data "
    "--out docs/figures --which 3,quality-time"
)
def figures(
    rows: Rows,
    out: Out,
    data: Data = Path(),
    which: Annotated[
        str, typer.Option(help="Of 1 to 6, quality-time, curve, sizes; comma-separated.")
    ] = "1,2,3,4,5,6,quality-time",
    methods: Chosen = None,
    image: Annotated[
        str, typer.Option(help="Image of figure 1, as in sidd_val/2_4 or set9+white:25/kodim03.")
    ] = "sidd_val/2_4",
    crop: Annotated[int, typer.Option(min=16, help="Side of figure 1's image.")] = 128,
    effort: Annotated[str, typer.Option(help="Of bsn-ins in figure 1.")] = "balanced",
    inr_lr: Annotated[
        float | None, typer.Option(min=1e-9, help="Of figure 1's INR; by default the recipe's own.")
    ] = None,
    failing: Annotated[str, typer.Option(help="Method whose failures figure 2 shows.")] = "bsn-ins",
    clock: Clock = "wall",
    dark: Annotated[float, typer.Option(help="Clean mean below which a region is dark.")] = 0.08,
    overwrite: Overwrite = False,
) -> None:
    """Draw the paper's figures; figure 1 trains a network, the others need only stored rows."""
    from benchmarks import figures as drawing
    from benchmarks.drawing import Options

    options = Options(
        data.resolve(), rows, out, methods, image, crop, effort, failing, dark, inr_lr, clock,
        overwrite,
    )  # fmt: skip
    for path in drawing.draw(which, options):
        typer.echo(path)


@app.command(epilog="Example:  python -m benchmarks compare auto bsn-ins:best --rows results")
def compare(
    first: Annotated[str, typer.Argument(metavar="METHOD[:EFFORT]")],
    second: Annotated[str, typer.Argument(metavar="METHOD[:EFFORT]")],
    rows: Rows,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999)] = 0.95,
    convention: Convention = "float",
    crop: Crop = None,
    as_csv: AsCsv = False,
) -> None:
    """Print the paired differences FIRST - SECOND with bootstrap confidence intervals."""
    from benchmarks.compare import differences
    from benchmarks.store import read_rows

    table = differences(
        read_rows(rows), first, second, confidence=confidence, convention=convention, crop=crop
    )
    _print(table, as_csv)


@app.command(epilog="Example:  python -m benchmarks border --rows results --data ../shared/data")
def border(rows: Rows, data: Data, as_csv: AsCsv = False) -> None:
    """Print the PSNR of each stored output by the distance of its pixels from the border."""
    from benchmarks.compare import borders
    from benchmarks.store import read_rows

    _print(borders(read_rows(rows), rows, data.resolve()), as_csv)


@app.command(
    epilog="Example:  python -m benchmarks export --rows results --study auto --out auto.csv"
)
def export(
    rows: Rows,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The CSV file to write.")],
    study: Annotated[str | None, typer.Option(help="Only the rows of this study.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Of the sets, to add `aligned`.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write stored rows as CSV, which every command reads in place of the store."""
    from benchmarks import aligned, studies
    from benchmarks.store import read_rows, write_rows

    found = read_rows(rows)
    if study is not None:
        found = studies.study(study).rows_of(found)
    found = found if data is None else aligned.fill(found, rows, data)
    write_rows(found, out, overwrite=overwrite)
    typer.echo(f"{len(found)} rows")


@app.command("import", epilog="Example:  python -m benchmarks import auto.csv --out results")
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV files of rows.")],
    out: Out,
) -> None:
    """Add the rows of CSV files that a store lacks, so that a run does not make them again."""
    from benchmarks.store import Store

    with Store(out) as store:
        for path in files:
            typer.echo(f"{path}: {store.take(path)} rows")


@app.command(
    epilog="Example:  python -m benchmarks theory --data ../shared/data --out results/theory"
)
def theory(
    data: Data,
    out: Out,
    crop: Annotated[int, typer.Option(min=16, help="Side of the images.")] = 96,
    steps: Annotated[int, typer.Option(min=1, help="Of each fit.")] = 150,
    seeds: Annotated[int, typer.Option(min=1, help="Fits of each mask.")] = 1,
    radius: Annotated[int, typer.Option(min=2, help="Of the theory's windows.")] = 6,
) -> None:
    """Measure whether the theory of the linear blind-spot denoiser chooses the mask well."""
    from benchmarks.theory import Trial

    Trial(data.resolve(), out, crop, steps, seeds, radius).run()


@app.command(epilog="Example:  python -m benchmarks verdict --rows results --data ../shared/data")
def verdict(
    rows: Rows,
    data: Data,
    out: Annotated[Path, typer.Option(metavar="FILE", help="CSV file to write.")],
    every: Annotated[int, typer.Option(min=1, help="Only each n-th image.")] = 1,
) -> None:
    """Judge the stored results of a run, and results made bad on purpose."""
    import csv

    import pandas as pd

    from benchmarks.verdict import confusion, judged

    with out.open("w", newline="", encoding="utf-8") as file:
        writer = None
        for row in judged(rows, data, every):
            writer = writer or csv.DictWriter(file, list(row), lineterminator="\n")
            if not file.tell():
                writer.writeheader()
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})
            file.flush()
    print(confusion(pd.read_csv(out, keep_default_na=False)).to_string())


@app.command(epilog="Example:  python -m benchmarks noise-report --data ../shared/data --limit 4")
def noise_report(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="Of the sets; without, scikit-image's pictures."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="A CSV file.")] = None,
    limit: Limit = None,
) -> None:
    """Print the errors of the noise report against noise that is known."""
    from benchmarks.noise_report import print_errors

    print_errors(data, out, limit)


@app.command(epilog="Example:  python -m benchmarks submit sidd_benchmark auto --rows results "
             "--out SubmitSrgb.csv")  # fmt: skip
def submit(
    name: Annotated[str, typer.Argument(metavar="SET", help="sidd_benchmark or dnd.")],
    method: Annotated[str, typer.Argument(metavar="METHOD[:EFFORT]")],
    rows: Rows,
    data: Data,
    out: Annotated[
        Path, typer.Option("--out", metavar="PATH", help="A .csv or .mat file; for dnd a folder.")
    ],
    overwrite: Overwrite = False,
) -> None:
    """Write the file that the authors of a benchmark without ground truth ask for."""
    from benchmarks.submit import write_submission

    typer.echo(write_submission(name, method, rows, data.resolve(), out, overwrite=overwrite))


def _print(table: pd.DataFrame, as_csv: bool) -> None:
    text = (
        table.to_csv(index=False)
        if as_csv
        else table.to_markdown(index=False, disable_numparse=True)
    )
    typer.echo(text, nl=not as_csv)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with 0, 1 (failure), 2 (bad use or input) or 130 (Ctrl-C)."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = app(arguments, standalone_mode=False) or 0
        # Some versions of typer turn Ctrl-C into this code, others let it through.
        return _fail(_CANCELLED, 130) if code == 130 else code
    except (KeyboardInterrupt, typer.Abort):
        return _fail(_CANCELLED, 130)
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own: unknown option, missing argument, ...
            message = error.format_message()  # type: ignore[attr-defined]
            return _fail(f"{message} (see python -m benchmarks --help)", 2) if message else 2
        if isinstance(error, ZspotError):
            return _fail(str(error), 2)
        return _fail(f"{type(error).__name__}: {error}", 1)


_CANCELLED = "cancelled: the rows made so far are kept, the same command goes on"


def _fail(message: str, code: int) -> int:
    typer.echo(f"benchmarks: {' '.join(message.split())}", err=True)
    return code


if __name__ == "__main__":
    main()
