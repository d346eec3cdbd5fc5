"""The program `zspot`. Commands import heavy modules themselves, so that help is instant."""

from collections.abc import Sequence

import typer

from zspot._version import __version__
from zspot.core.errors import ClusterError, StoppedError, ZspotError, error_in_words
from zspot.frontends.cli import stopping
from zspot.frontends.cli.commands import methods, noise, web
from zspot.frontends.cli.console import BAD_USE, FAILED, examples, fail, switch
from zspot.frontends.cli.denoise import EXAMPLES, denoise

app = typer.Typer(
    help="Denoise one noisy image: no clean image, no training by you. The default uses small "
    "bundled weights; auto-scratch and bsn-ins use your image alone.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog=EXAMPLES)(denoise)
_NOISE = examples("zspot noise noisy.png", "zspot noise cells.ome.tif --plot noise.png")
app.command(epilog=_NOISE)(noise)
app.command()(methods)
app.command(epilog=examples("zspot web", "zspot web --jobs 2 --auth users.txt"))(web)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"zspot {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = switch("Show the version.", "--version", callback=_version, is_eager=True),
) -> None:
    pass


def run(arguments: Sequence[str] | None = None) -> int:
    """Run and return 0 for success, 1 failure, 2 bad use or input, 130 Ctrl-C, 143 SIGTERM."""
    stopping.working = True
    try:
        code = app(arguments, standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        code = stopping.INTERRUPTED
    except StoppedError as error:
        return fail(error_in_words(error), stopping.code or stopping.INTERRUPTED)
    except Exception as error:
        # Libraries make other errors of Ctrl-C, and some versions of typer a code.
        if stopping.code:
            return fail(stopping.CANCELLED, stopping.code)
        if hasattr(error, "format_message"):  # typer's own: unknown option, missing argument, ...
            message = error.format_message().replace("Value error, ", "")  # type: ignore[attr-defined]
            context = getattr(error, "ctx", None)
            command = f" {context.info_name}" if context and context.parent else ""
            return fail(f"{message} (see zspot{command} --help)", BAD_USE) if message else BAD_USE
        # What zspot refuses is bad use or input.
        refused = isinstance(error, ZspotError) and not isinstance(error, ClusterError)
        return fail(error_in_words(error), BAD_USE if refused else FAILED)
    if code == stopping.INTERRUPTED:
        return fail(stopping.CANCELLED, stopping.code or code)
    return code
