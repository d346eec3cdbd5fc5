"""The command line."""

from zspot.frontends.cli.console import INTERRUPTED
from zspot.frontends.cli.program import app, main, run

__all__ = ["INTERRUPTED", "app", "main", "run"]
