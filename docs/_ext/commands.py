"""Directives made from the program itself: its command line and its methods."""

from __future__ import annotations

import typing
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from benchmarks.variants import weights
from zspot.algorithms import METHODS
from zspot.frontends.cli.program import app


class Commands(SphinxDirective):
    """Every command of `zspot` with its arguments, options and examples."""

    def run(self) -> list[Any]:
        """Return a section for each command."""
        group: Any = typer.main.get_command(app)
        top = _table("option", [_option(p, {}) for p in _options(group)])
        sections = [f"{group.help}\n\n{top}"]
        callbacks = {c.name or c.callback.__name__: c.callback for c in app.registered_commands}
        for name, command in group.commands.items():
            kinds = typing.get_type_hints(callbacks[name])
            sections.append(_section(f"zspot {name}", command, kinds))
        return self.parse_text_to_nodes("\n\n".join(sections), allow_section_headings=True)


class Methods(SphinxDirective):
    """The methods with what they are for, the time they take and where they come from."""

    def run(self) -> list[Any]:
        """Return one definition for each method."""
        rows = ["| method | trained weights | for | s | source |", "|---|---|---|---:|---|"]
        for method in METHODS.values():
            seconds = "" if method.seconds is None else f"{method.seconds:g}"
            cells = (f"`{method.name}`", weights(method.name), method.summary, seconds)
            rows.append("| " + " | ".join([*cells, method.citation]) + " |")
        return self.parse_text_to_nodes("\n".join(rows))


def _section(title: str, command: Any, kinds: dict[str, Any]) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    names = " ".join(_name(p) for p in arguments)
    parts = [f"## {title}", f"```text\n{title} [OPTIONS] {names}".rstrip() + "\n```", command.help]
    if arguments:
        parts.append(_table("argument", [(f"`{_name(p)}`", p.help, "") for p in arguments]))
    parts.append(_table("option", [_option(p, kinds) for p in _options(command)]))
    if command.epilog:
        parts.append(_examples(command.epilog))
    return "\n\n".join(parts)


def _name(parameter: Any) -> str:
    return parameter.metavar or parameter.name.upper()


def _options(command: Any) -> list[Any]:
    return [p for p in command.params if p.param_type_name == "option" and not p.hidden]


def _option(option: Any, kinds: dict[str, Any]) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    value = "" if option.is_flag else f" `{option.metavar or _kind(kinds[option.name])}`"
    shown = option.show_default if isinstance(option.show_default, str) else option.default
    default = "" if shown is None or shown is False or callable(shown) else str(shown)
    return names + value, option.help or "", default


def _kind(annotation: Any) -> str:
    """Return what an option takes: its choices, or the kind of its value."""
    kind = next((k for k in typing.get_args(annotation) if k is not type(None)), annotation)
    if issubclass(kind, Enum):
        return "|".join(choice.value for choice in kind)
    return {int: "NUMBER", str: "TEXT", Path: "FILE"}[kind]


def _table(what: str, rows: list[tuple[str, str, str]]) -> str:
    head = [f"| {what} | | default |", "|---|---|---|"]
    cells = [tuple(cell.replace("|", r"\|") for cell in row) for row in rows]
    return "\n".join([*head, *(f"| {a} | {b} | {c} |" for a, b, c in cells)])


def _examples(epilog: str) -> str:
    lines = [line.strip() for line in epilog.split("\n\n")]
    return "\n".join(["```text", *(line for line in lines if line.startswith("zspot")), "```"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("zspot-commands", Commands)
    app.add_directive("zspot-methods", Methods)
    return {"version": "1", "parallel_read_safe": True}
