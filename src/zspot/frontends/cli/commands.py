"""The commands beside `zspot denoise`: noise, methods, web."""

# ruff: noqa: B008  (typer takes options as defaults)
import contextlib
import json
import sys
import time
import webbrowser
from pathlib import Path

import typer
from rich.markup import escape

from zspot.core.progress import duration
from zspot.core.ranges import AT_ONCE
from zspot.frontends.cli.console import stdout, switch, tell, value

_COLUMNS = 80


def noise(
    source: Path = typer.Argument(metavar="INPUT", help="Noisy image file."),
    as_json: bool = switch("Print every number as JSON.", "--json"),
    plot: Path | None = value("FILE.png", "Draw the report (extra `plot`)."),
    overwrite: bool = switch("Replace the plot if it exists."),
) -> None:
    """Say what the noise of INPUT is like: level, signal dependence, correlation."""
    from zspot.files.file import first_plane
    from zspot.io import read
    from zspot.io.atomic import check_free
    from zspot.noise import analyze_noise, plot_noise

    if plot is not None:
        check_free(plot, overwrite)
    plane, channel_axis, valid, name = first_plane(read(source))
    report = analyze_noise(plane, channel_axis=channel_axis, mask=valid)
    if as_json:
        typer.echo(json.dumps(report.to_dict()))
    else:
        tell(f"{source}{name}")
        tell(report.summary())
    if plot is not None:
        plot_noise(report, plane, plot, channel_axis=channel_axis)


def methods(
    source: Path | None = typer.Argument(
        None, metavar="INPUT", help="Image to say for how long each would take."
    ),
    verbose: bool = switch("Name the papers, too.", "--verbose", "-v"),
) -> None:
    """List the methods: what for, whether trained weights are used, licence, time on one core."""
    from rich.table import Table

    from zspot.algorithms.catalogue import METHODS, TIMED
    from zspot.io import read

    planes, pixels = 1, TIMED
    if source is not None:
        image = read(source)
        sizes = dict(zip(image.axes, image.data.shape, strict=True))
        pixels = sizes["Y"] * sizes["X"]
        planes = image.data.size // (pixels * sizes.get("S", 1))
    columns = "method", "what for", "weights", "licence", "time"
    table = Table(*columns, box=None, padding=(0, 2, 0, 0))
    for method in METHODS.values():
        told = escape(f"{method.summary}\n{method.citation}" if verbose else method.summary)
        seconds = method.seconds_for(pixels)
        weights = "trained" if method.pretrained else "none"
        took = "" if seconds is None else duration(planes * seconds)
        table.add_row(method.name, told, weights, method.licence, took)
    stdout.print(table, width=min(stdout.width, _COLUMNS), soft_wrap=False)
    what = "128 x 128 pixels" if source is None else f"{source}"
    tell("")
    tell(f"Time: about, on one core, effort balanced, for {what}.")
    tell("Papers: zspot methods --verbose.")


def web(
    port: int = value(None, "0 takes a free one.", 7860, min=0, max=65535),
    jobs: int = value(None, "Images at a time; 0: one for each core.", 0, min=0, max=AT_ONCE),
    max_megabytes: int = value(None, "Largest file accepted.", 500, min=1),
    max_pixels: int = value(None, "Largest image accepted, in values.", 200_000_000, min=1),
    queue: int = value(None, "Runs that may wait.", 50, min=1),
    auth: Path | None = value("FILE", "Let in only those listed, as lines name:password."),
    share: bool = switch("Ask gradio for a public address: anyone can use it.", "--share"),
    browser: bool = typer.Option(True, help="Open the page in your browser."),
    allowed_host: list[str] | None = value("NAME", "Other name of this computer."),
) -> None:
    """Serve the web page on this computer (127.0.0.1) until Ctrl-C (extra `web`)."""
    from zspot.frontends.web import Settings, read_auth, serving

    allowed = read_auth(auth) if auth is not None else ()
    hosts = tuple(allowed_host or ())
    settings = Settings(port, jobs, max_megabytes, max_pixels, queue, allowed, share, hosts)
    with serving(settings) as (blocks, url), contextlib.suppress(KeyboardInterrupt):
        tell(f"zspot: open {url}  (Ctrl-C stops)")
        if browser and sys.stdout.isatty():
            webbrowser.open(url)
        if blocks.share_url:
            tell(f"zspot: public at {blocks.share_url}")
        while True:
            time.sleep(1)
