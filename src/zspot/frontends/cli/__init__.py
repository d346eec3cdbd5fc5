"""The command line."""

from zspot.frontends.cli.main import main

__all__ = ["main"]
