"""The commands beside `zspot denoise`: noise, methods, web."""

import contextlib
import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from zspot.core.ranges import AT_ONCE
from zspot.frontends.cli.console import stdout, tell


def noise(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Noisy image file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print every number as JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the report (extra `plot`).")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the plot if it exists.")] = False,
) -> None:
    """Say what the noise of INPUT is like: level, signal dependence, correlation."""
    from zspot.files.file import first_plane
    from zspot.io import read
    from zspot.io.atomic import check_free
    from zspot.noise import analyze_noise, plot_noise

    if plot is not None:
        check_free(plot, overwrite)
    plane, channel_axis, name = first_plane(read(source))
    report = analyze_noise(plane, channel_axis=channel_axis)
    if as_json:
        typer.echo(json.dumps(report.to_dict()))
    else:
        tell(f"{source}{name}")
        tell(report.summary())
    if plot is not None:
        plot_noise(report, plane, plot, channel_axis=channel_axis)


def methods() -> None:
    """List the methods with their citations."""
    from zspot.algorithms import METHODS

    for method in METHODS.values():
        stdout.print(f"[bold]{escape(method.name)}[/bold]", highlight=False)
        tell(f"  {method.summary}")
        tell(f"  {method.citation}")
        if method.seconds is not None:
            tell(f"  about {method.seconds:g} s on one core for 128 x 128 colour pixels")


def web(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 7860,
    jobs: Annotated[
        int,
        typer.Option(min=0, max=AT_ONCE, help="Images denoised at a time; 0: one for each core."),
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
    allowed_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Other name of this computer.")
    ] = None,
) -> None:
    """Serve the web page on this computer (127.0.0.1) until Ctrl-C (extra `web`)."""
    from zspot.frontends.web import Settings, read_auth, serving

    allowed = read_auth(auth) if auth is not None else ()
    hosts = tuple(allowed_host or ())
    settings = Settings(port, jobs, max_megabytes, max_pixels, queue, allowed, share, hosts)
    with serving(settings) as (blocks, url), contextlib.suppress(KeyboardInterrupt):
        tell(f"zspot: open {url}  (Ctrl-C stops)")
        if blocks.share_url:
            tell(f"zspot: public at {blocks.share_url}")
        while True:
            time.sleep(1)
