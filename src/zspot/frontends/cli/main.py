"""The command line. Heavy modules load inside the commands, so that help is instant."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from zspot._version import __version__
from zspot.frontends.cli.cores import share_cores

if TYPE_CHECKING:
    from zspot.api.result import Result
    from zspot.core.progress import Report

INTERRUPTED = 130  # what shells report for a program ended by Ctrl-C

app = typer.Typer(
    help="Denoise one image using nothing but itself: no clean image, no second shot.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_stderr = Console(stderr=True)
_stdout = Console(soft_wrap=True)


def _examples(*commands: str) -> str:
    """Return an epilog with a line for each command; typer breaks lines at empty ones."""
    return "\n\n".join(["Examples:", *commands])


class Effort(StrEnum):
    """How much time to spend."""

    fast = "fast"
    balanced = "balanced"
    best = "best"


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"zspot {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


@app.command(
    epilog=_examples(
        "zspot denoise noisy.png clean.png",
        "zspot denoise cells.ome.tif cells-clean.ome.tif --effort best",
        "zspot denoise stack.tif clean.tif --axes ZYX",
        "zspot denoise stack.tif clean.tif --share-fit",
        "zspot denoise first.png clean.png --method n2n --second other.png",
        "zspot denoise noisy.png softer.png --strength 0.8 --keep-detail 0.5",
        "zspot denoise noisy.png clean.png --save-recipe used.toml",
        "zspot denoise other.png other-clean.png --recipe used.toml",
        "zspot denoise night/ night-clean/",
        "zspot denoise 'night/*.png' some/ --workers 1",
    )
)
def denoise(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Noisy file, folder or pattern.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="File to write; a folder for many.")
    ],
    method: Annotated[
        str | None, typer.Option(help="Method; `zspot methods` lists them.", show_default="auto")
    ] = None,
    effort: Annotated[
        Effort | None,
        typer.Option(help="Time against quality.", show_default="balanced"),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Run this recipe instead of a method."),
    ] = None,
    save_recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Write the recipe that ran, to rerun it exactly."),
    ] = None,
    second: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Second noisy image of the scene, for method n2n."),
    ] = None,
    strength: Annotated[
        float, typer.Option(metavar="0..1", help="How much of the result: 0 gives the input.")
    ] = 1.0,
    keep_detail: Annotated[
        float, typer.Option(metavar="0..1", help="Share of the detail it removed to put back.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same result on a CPU.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    axes: Annotated[
        str | None,
        typer.Option(metavar="TZCYX", help="Name the axes of a stack, S for colours, Q for any."),
    ] = None,
    share_fit: Annotated[
        bool, typer.Option("--share-fit", help="Fit a stack once: its planes start from the first.")
    ] = False,
    max_memory: Annotated[
        str | None,
        typer.Option(metavar="2GB", help="Memory to stay under.", show_default="half of the free"),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="CPU threads for an image.", show_default="all; 1 for many"),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="tcp://HOST:PORT", help="Running Dask cluster for many files."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes for many files.", show_default="one for each core"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace OUTPUT if it exists.")] = False,
) -> None:
    """Denoise INPUT and write the same kind of file, only cleaner, to OUTPUT.

    INPUT may be a folder, or a pattern in quotes; OUTPUT is then a folder, and a rerun goes on
    where the last one stopped.
    """
    if recipe is not None and (method is not None or effort is not None):
        raise _BadUseError("--recipe replaces --method and --effort: leave those two out")
    from zspot.api import DEFAULT_METHOD
    from zspot.files.discovery import is_many
    from zspot.recipe import Recipe

    many = is_many(source)
    if many:
        _check_many(second, save_recipe, scheduler, workers)
    elif scheduler is not None or workers is not None:
        raise _BadUseError("--scheduler and --workers go with a folder or pattern as INPUT")
    if save_recipe is not None:
        _check_saving(save_recipe, share_fit, overwrite)
    chosen = Recipe.load(recipe) if recipe is not None else (method or DEFAULT_METHOD)
    options = {"effort": (effort or Effort.balanced).value, "seed": seed, "device": device}
    options |= {"axes": axes, "share_fit": share_fit, "max_memory": max_memory}
    options |= {"strength": strength, "keep_detail": keep_detail, "overwrite": overwrite}
    if many:
        from zspot.frontends.cli.many import denoise_and_tell

        options |= {"threads": threads or 1, "scheduler": scheduler, "workers": workers}
        with _progress_bar(source.name, quiet) as report:
            tell = None if quiet else _tell
            denoise_and_tell(source, target, chosen, {**options, "progress": report}, tell)
        return
    from zspot.files import denoise_file

    _set_threads(threads)
    with _progress_bar(source.name, quiet) as report:
        options |= {"second": second, "progress": report}
        result, notes = denoise_file(source, target, chosen, **options)
    if save_recipe is not None:
        notes += _save(save_recipe, result, overwrite, strength, keep_detail)
    if not quiet:
        for note in notes:
            _tell(f"note: {note}", error=True)
        seconds = result.timings["total"]
        _tell(f"{target}: denoised in {seconds:.1f} s on {result.device} ({result.reason})")


def _check_many(
    second: Path | None, save_recipe: Path | None, scheduler: str | None, workers: int | None
) -> None:
    if second is not None:
        raise _BadUseError("--second goes with one file: pairs of many files are not matched")
    if save_recipe is not None:
        raise _BadUseError("--save-recipe goes with one file: the journal holds what ran")
    if scheduler is not None and workers is not None:
        raise _BadUseError("--workers is for a local cluster: leave it or --scheduler out")


def _check_saving(path: Path, share_fit: bool, overwrite: bool) -> None:
    if share_fit:
        raise _BadUseError(
            "--save-recipe does not go with --share-fit: a recipe does not hold the fit that "
            "planes start from; leave one of them out"
        )
    _check_free(path, overwrite)


def _save(
    path: Path, result: Result, overwrite: bool, strength: float, keep_detail: float
) -> tuple[str, ...]:
    """Write the recipe that ran and return what it does not hold, as notes."""
    from zspot.api.result import Blending
    from zspot.io.atomic import atomic_write

    if result.recipe is None:
        raise _BadUseError(f"no recipe ran ({result.reason}): {path} is not written")
    with atomic_write(path, overwrite=overwrite) as handle:
        handle.write(result.recipe.to_toml().encode())
    words = Blending(strength, keep_detail).words
    return (f"{path} does not hold {words}: give them again with --recipe",) if words else ()


def _tell(line: str, *, error: bool = False) -> None:
    """Print a line whatever is in it, such as names that are not UTF-8."""
    from zspot.core.errors import printable

    (_stderr if error else _stdout).print(escape(printable(line)), highlight=False)


def _set_threads(count: int | None) -> None:
    if count is not None:
        import torch

        torch.set_num_threads(count)


@app.command(
    epilog=_examples("zspot noise noisy.png", "zspot noise cells.ome.tif --plot noise.png")
)
def noise(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Noisy image file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print every number as JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the report (extra `plot`).")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the plot if it exists.")] = False,
) -> None:
    """Say what the noise of INPUT is like: level, signal dependence, correlation."""
    import json

    from zspot.files.file import first_plane
    from zspot.io import read
    from zspot.noise import analyze_noise, plot_noise

    if plot is not None:
        _check_free(plot, overwrite)
    plane, channel_axis, name = first_plane(read(source))
    report = analyze_noise(plane, channel_axis=channel_axis)
    if as_json:
        typer.echo(json.dumps(report.to_dict()))
    else:
        _stdout.print(escape(f"{source}{name}"), highlight=False)
        _stdout.print(escape(report.summary()), highlight=False)
    if plot is not None:
        plot_noise(report, plane, plot, channel_axis=channel_axis)


@app.command()
def methods() -> None:
    """List the methods with their citations."""
    from zspot.algorithms import METHODS

    for method in METHODS.values():
        _stdout.print(f"[bold]{escape(method.name)}[/bold]", highlight=False)
        _stdout.print(f"  {escape(method.summary)}", highlight=False)
        _stdout.print(f"  {escape(method.citation)}", highlight=False)
        if method.seconds is not None:
            _stdout.print(f"  about {method.seconds:g} s on one core for 128 x 128 colour pixels")


@app.command(epilog=_examples("zspot web", "zspot web --jobs 2 --auth users.txt"))
def web(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 7860,
    jobs: Annotated[
        int, typer.Option(min=0, help="Images denoised at a time; 0: one for each core.")
    ] = 0,
    max_megabytes: Annotated[int, typer.Option(min=1, help="Largest file accepted.")] = 500,
    max_pixels: Annotated[
        int, typer.Option(min=1, help="Largest image accepted, in values.")
    ] = 200_000_000,
    queue: Annotated[int, typer.Option(min=1, help="Runs that may wait.")] = 50,
    auth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Let in only those listed, as lines name:password."),
    ] = None,
    share: Annotated[
        bool, typer.Option("--share", help="Ask gradio for a public address: anyone can use it.")
    ] = False,
) -> None:
    """Serve the web page on this computer (127.0.0.1) until Ctrl-C (extra `web`)."""
    import signal
    import threading

    from zspot.frontends.web import Settings, read_auth, serving

    allowed = read_auth(auth) if auth is not None else ()
    settings = Settings(port, jobs, max_megabytes, max_pixels, queue, allowed, share)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    with serving(settings) as (blocks, url):
        _stdout.print(f"zspot: open {url}  (Ctrl-C stops)", highlight=False)
        if blocks.share_url:
            _stdout.print(f"zspot: public at {blocks.share_url}", highlight=False)
        while not stop.wait(1):
            pass


class _BadUseError(Exception):
    """Options that do not go together; the message says what to do."""


def _check_free(path: Path, overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise _BadUseError(f"{path}: folder {path.parent} does not exist")
    if path.exists() and not overwrite:
        raise _BadUseError(f"{path}: exists already; choose another name or pass --overwrite")


@contextmanager
def _progress_bar(name: str, quiet: bool) -> Iterator[Report | None]:
    """Show a bar with the time left on a terminal; nothing if quiet."""
    if quiet or not _stderr.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bar

    from zspot.core.progress import Progress
    from zspot.frontends.job import stage_in_words

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Bar(*columns, console=_stderr, transient=True) as bar:
        task = bar.add_task(escape(name), total=None, left="")

        def report(p: Progress) -> None:
            left = stage_in_words(p)
            if p.seconds_left is not None:
                left += f", {_duration(p.seconds_left)} left"
            bar.update(task, completed=p.done, total=p.total, left=left)

        yield report


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with 0, 1 (failure), 2 (bad use or input) or 130 (Ctrl-C)."""
    share_cores()
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = app(arguments, standalone_mode=False) or 0
        # Some versions of typer turn Ctrl-C into this code, others let it through.
        return _fail(_CANCELLED, INTERRUPTED) if code == INTERRUPTED else code
    except (KeyboardInterrupt, typer.Abort):
        return _fail(_CANCELLED, INTERRUPTED)
    except Exception as error:
        if type(error).__name__ == "StoppedError":  # many files: the message says what is done
            return _fail(str(error), INTERRUPTED)
        if type(error).__name__ == "SomeFailedError":
            return max(_fail(line, 1) for line in error.args[0])
        if hasattr(error, "format_message"):  # typer's own: unknown option, missing argument, ...
            message = error.format_message()  # type: ignore[attr-defined]
            return _fail(f"{message} (see zspot --help)", 2) if message else 2
        if not _BAD_INPUT.isdisjoint(kind.__name__ for kind in type(error).__mro__):
            return _fail(str(error), 2)
        return _fail(f"{type(error).__name__}: {error}", 1)


_CANCELLED = "cancelled: nothing was written"

# By name, so that reporting an error does not import what the command did not need.
_BAD_INPUT = frozenset(
    {"_BadUseError", "FileError", "ImageError", "OptionError", "RecipeError", "WebError"}
)


def _fail(message: str, code: int) -> int:
    from zspot.core.errors import printable

    typer.echo(f"zspot: {' '.join(printable(message).split())}", err=True)
    return code
