"""The command line of the benchmarks: `python -m benchmarks --help`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

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
    str, typer.Option(help="How quality is measured; see benchmarks/evaluation.py.")
]


@app.command(
    epilog="Example:  python -m benchmarks run --suite quick --methods auto:fast,bsn-ins:fast "
    "--data ../shared/data --out results"
)
def run(
    data: Data,
    out: Out,
    suite: Annotated[
        str, typer.Option(help="A suite, or sets: sidd_val,set9+white:25. See suites.py.")
    ] = "quick",
    methods: Annotated[
        str, typer.Option(metavar="LIST", help="method or method:effort, comma-separated.")
    ] = "auto",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first images of each set.")
    ] = None,
    crop: Annotated[
        int | None, typer.Option(min=0, help="Cut the middle of this side; 0 for whole images.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the methods.")] = 0,
    noise_seed: Annotated[int, typer.Option(min=0, help="Of the noise added to clean sets.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "cpu",
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each process.")] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="tcp://HOST:PORT", help="Run on this Dask cluster instead."),
    ] = None,
    skip_missing: Annotated[bool, typer.Option(help="Leave out sets that are not there.")] = False,
    retry_errors: Annotated[bool, typer.Option(help="Run images again that failed.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Run methods over sets and keep one row per image; what has a row is not run again."""
    from dataclasses import replace

    from benchmarks import runner, suites
    from benchmarks.store import Store
    from benchmarks.watch import Watch

    chosen = suites.suite(suite)
    chosen = replace(
        chosen,
        limit=chosen.limit if limit is None else limit,
        crop=chosen.crop if crop is None else crop,
    )
    if scheduler is not None and jobs != 1:
        raise _error("--scheduler and --jobs exclude each other: the cluster has its own workers")
    tasks, missing = runner.plan(
        data.resolve(), chosen, suites.methods(methods), skip_missing=skip_missing,
        seed=seed, noise_seed=noise_seed, device=device, threads=threads,
    )  # fmt: skip
    for text in missing:
        typer.echo(f"left out: {text}", err=True)
    store = Store(out)
    todo = runner.unfinished(tasks, store, retry=retry_errors)
    typer.echo(f"{len(todo)} of {len(tasks)} rows to make in {out}", err=True)
    watch = Watch(todo, jobs, store.rows(), quiet=quiet)
    errors = runner.run(todo, store, watch, jobs=jobs, scheduler=scheduler)
    store.close()
    if errors:
        raise _error(f"{errors} of {len(todo)} rows are errors: see above and the column error")


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
    data: Data,
    out: Out,
    which: Annotated[
        str, typer.Option(help="Of 1, 2, 3, 4, 5, 6, quality-time; comma-separated.")
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

    options = drawing.Options(
        data.resolve(),
        rows,
        out,
        methods,
        image,
        crop,
        effort,
        failing,
        dark,
        inr_lr,
        clock,
        overwrite,
    )
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
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Print the paired differences FIRST - SECOND with bootstrap confidence intervals."""
    from benchmarks.compare import differences
    from benchmarks.store import read_rows

    table = differences(
        read_rows(rows), first, second, confidence=confidence, convention=convention, crop=crop
    )
    typer.echo(
        table.to_csv(index=False) if as_csv else table.to_markdown(index=False), nl=not as_csv
    )


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


def _error(message: str) -> Exception:
    from benchmarks.errors import BenchmarkError

    return BenchmarkError(message)


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
        if type(error).__name__ in ("BenchmarkError", "FileError", "OptionError"):
            return _fail(str(error), 2)
        return _fail(f"{type(error).__name__}: {error}", 1)


_CANCELLED = "cancelled: the rows made so far are kept, the same command goes on"


def _fail(message: str, code: int) -> int:
    typer.echo(f"benchmarks: {' '.join(message.split())}", err=True)
    return code


if __name__ == "__main__":
    main()
