"""The manual page: the program's commands and options from its command line, and the prose of `tests.manual.prose`."""

from __future__ import annotations

import inspect
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from typer.core import TyperGroup

from tests.manual import prose
from tests.manual.roff import heading, label, literal, paragraph, tagged
from tui.cli.app import app
from tui.cli.help_page import EXAMPLES, by_heading, entry, shown_parameters, usage

PROGRAM = "tweetgen-tui"
_OF_EVERY_COMMAND = "Help"
"""Heading of the options that each command has."""


def manual_page() -> str:
    """Return the source of tweetgen-tui(1), in the macros of man(7)."""
    root: Any = typer.main.get_command(app)
    context = root.context_class(root, info_name=PROGRAM)
    return "\n".join([*_head(), *_options(root, context), *_commands(root, context), *_tail(root)]) + "\n"


def _head() -> Iterator[str]:
    """Yield title, name, synopsis and description."""
    metadata = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yield r".\" Written by python -m tests.readme from the commands and options of the program."
    yield rf'.TH TWEETGEN\-TUI 1 "{prose.DATE}" "{PROGRAM} {metadata["version"]}" "User Commands"'
    yield from (".nh", ".ad l")  # an option that is broken at its hyphens can't be copied
    yield heading("SH", "NAME")
    yield rf"tweetgen\-tui \- {prose.PURPOSE}"
    yield heading("SH", "SYNOPSIS")
    yield r"\fBtweetgen\-tui\fR [\fIOPTIONS\fR]"
    yield ".br"
    yield r"\fBtweetgen\-tui\fR \fICOMMAND\fR [\fIOPTIONS\fR] [\fIARGUMENTS\fR]"
    yield from _prose_part("SH", "DESCRIPTION", prose.DESCRIPTION)


def _prose_part(macro: str, title: str, paragraphs: tuple[str, ...]) -> Iterator[str]:
    """Yield a heading and paragraphs."""
    yield heading(macro, title)
    for number, text in enumerate(paragraphs):
        yield from [".PP"] if number else []
        yield paragraph(text)


def _listed_section(title: str, entries: dict[str, str]) -> Iterator[str]:
    """Yield a section that explains names."""
    yield heading("SH", title)
    for name, text in entries.items():
        yield tagged(paragraph(f"`{name}`"), text)


def _options(root: Any, context: Any) -> Iterator[str]:  # typer's classes have no public name
    """Yield the options of the program itself."""
    yield from _prose_part("SH", "OPTIONS", (prose.OPTIONS,))
    for title, parameters in by_heading(shown_parameters(root, context)).items():
        yield heading("SS", title)
        yield from (tagged(label(name), text) for name, text in map(entry, parameters))


def _commands(root: Any, context: Any) -> Iterator[str]:  # as above
    """Yield each command with the options that it has."""
    yield from _prose_part("SH", "COMMANDS", (prose.COMMANDS,))
    shared = {entry(parameter) for parameter in shown_parameters(root, context)}
    for command, its_context in _leaves(root, context):
        yield from _command(command, its_context, shared)


def _leaves(group: Any, context: Any) -> Iterator[tuple[Any, Any]]:  # as above
    """Yield every command below a group that is no group, with its context."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        below = command.context_class(command, info_name=name, parent=context)
        if isinstance(command, TyperGroup):
            yield from _leaves(command, below)
        else:
            yield command, below


def _command(command: Any, context: Any, shared: set[tuple[str, str]]) -> Iterator[str]:  # as above
    """Yield one command: its usage, what it does, its options, its examples."""
    summary, _, examples = inspect.cleandoc(command.help).partition(EXAMPLES)
    usage_line = usage(command, context).removeprefix(f"{PROGRAM} ")
    yield from _prose_part("SS", usage_line, tuple(summary.strip().split("\n\n")))
    groups = by_heading(shown_parameters(command, context))
    entries = [entry(each) for title, group in groups.items() if title != _OF_EVERY_COMMAND for each in group]
    yield from (tagged(label(name), text) for name, text in entries if (name, text) not in shared)
    as_above = [name.partition(" ")[0].rstrip(",") for name, text in entries if (name, text) in shared]
    if as_above:
        yield ".PP"
        yield paragraph("As under OPTIONS: " + ", ".join(f"`{name}`" for name in as_above) + ".")
    if examples:
        yield from (".PP", literal(textwrap.dedent(examples)))


def _tail(root: Any) -> Iterator[str]:  # as above
    """Yield the sections behind the commands."""
    yield from _listed_section("EXIT STATUS", prose.EXIT_STATUS)
    yield from _listed_section("ENVIRONMENT", prose.ENVIRONMENT)
    yield from _listed_section("FILES", prose.FILES)
    yield from (".PP", paragraph(prose.FILES_ON_MACOS))
    yield heading("SH", "EXAMPLES")
    yield literal(textwrap.dedent(inspect.cleandoc(root.help).partition(EXAMPLES)[2]))
    yield from _prose_part("SH", "SEE ALSO", prose.SEE_ALSO)
