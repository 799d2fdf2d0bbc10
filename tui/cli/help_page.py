"""The page that `--help` prints: usage, summary, examples, commands, then options in groups.

Where a command has `--help-all`, its `--help` leaves out the groups in `RARE`. Typer's own page is not used: it begins
with the options, shows types such as `<bool>`, and is six screens long for `train`.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperArgument, TyperCommand, TyperGroup

RARE = frozenset(
    {
        *("File formats", "Cleaning", "Model", "Training details", "Intervals", "Sampling details", "Tweet filter"),
        *("Machine", "Trackers", "Screen", "Shell", "Scripts", "Connection"),
    }
)
"""Headings of options that a first run does not need."""
_HEADINGS = {
    **dict.fromkeys(("--install-completion", "--show-completion"), "Shell"),
    **dict.fromkeys(("--version", "--help-all", "--help"), "Help"),
}
"""Headings of options that have no `rich_help_panel`."""
_F = TypeVar("_F", bound=Callable[..., Any])
EXAMPLES = "Examples:\n"
"""Begins the examples in the docstring of a command."""
_MAX_WIDTH = 100
_MAX_LABEL_WIDTH, _MIN_TEXT_WIDTH = 25, 20


class CommandWithHelp(TyperCommand):
    """A command with our help page."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 - typer's classes have no public name
        """Print the page."""
        print_help(self, ctx)


class GroupWithHelp(TyperGroup):
    """A group of commands with our help page."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 - as above
        """Print the page."""
        print_help(self, ctx)


class CommandGroup(typer.Typer):
    """A group such as `data`, whose commands have our help page; without a command it prints its own."""

    def __init__(self, summary: str) -> None:
        """Create a group without commands."""
        super().__init__(cls=GroupWithHelp, no_args_is_help=True, help=summary, subcommand_metavar="COMMAND")

    def command(self, name: str | None = None, **options: Any) -> Callable[[_F], _F]:  # noqa: ANN401 - typer's options
        """Return the decorator that adds a command."""
        return super().command(name, cls=CommandWithHelp, **options)


def show_all(context: typer.Context, is_asked: bool) -> None:  # noqa: FBT001 - the form of typer's callbacks
    """Print the page with the rare options too, and exit."""
    if is_asked:
        print_help(context.command, context, with_rare=True)
        raise typer.Exit


def print_help(command: Any, context: Any, *, with_rare: bool = False) -> None:  # noqa: ANN401 - as above
    """Print the help of a command or group on stdout."""
    console = Console(highlight=False)
    width = min(console.width, _MAX_WIDTH)
    parameters = shown_parameters(command, context)
    folds = not with_rare and any(each.name == "help_all" for each in parameters)
    summary, _, examples = inspect.cleandoc(command.help or "").partition(EXAMPLES)
    console.print(Text(f"Usage: {usage(command, context)}", "bold"))
    for paragraph in summary.strip().split("\n\n"):
        console.print("", Text(_filled(paragraph, width)), sep="\n")
    if examples:
        console.print("", Text("Examples", "bold"), Text(textwrap.indent(textwrap.dedent(examples), "  ")), sep="\n")
    if isinstance(command, TyperGroup):
        _print_group(console, "Commands", _commands(command, context), width)
    for heading, members in by_heading(parameters).items():
        if not (folds and heading in RARE):
            _print_group(console, heading, map(entry, members), width)


def shown_parameters(command: Any, context: Any) -> list[Any]:  # noqa: ANN401 - as above
    """Return the arguments and options of a command, without hidden ones."""
    return [each for each in command.get_params(context) if not getattr(each, "hidden", False)]


def usage(command: Any, context: Any) -> str:  # noqa: ANN401 - as above
    """Return the program, the command and what follows it, as in "tweetgen-tui xray [OPTIONS] TEXT"."""
    pieces = re.sub(r"{(.*?)}(\.\.\.)?", r"\1", " ".join(command.collect_usage_pieces(context)))
    return f"{context.command_path} {pieces}"


def _filled(text: str, width: int) -> str:
    """Return a paragraph with line breaks for this width."""
    return textwrap.fill(" ".join(text.split()), width, break_on_hyphens=False)


def _commands(group: TyperGroup, context: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - as above
    """Yield the name and the first sentence of each command."""
    for name in group.list_commands(context):
        command: Any = group.get_command(context, name)
        yield name, inspect.cleandoc(command.help or "").partition("\n\n")[0]


def by_heading(parameters: Iterable[Any]) -> dict[str, list[Any]]:
    """Return arguments and options by heading: a command's own first, those about help last."""
    groups: dict[str, list[Any]] = {"Arguments": [], "Options": []}
    for each in parameters:
        named = (_HEADINGS[name] for name in each.opts if name in _HEADINGS)
        own = "Arguments" if isinstance(each, TyperArgument) else next(named, "Options")
        groups.setdefault(getattr(each, "rich_help_panel", None) or own, []).append(each)
    of_help = groups.pop("Help")
    return {heading: each for heading, each in groups.items() if each} | {"Help": of_help}


def entry(parameter: Any) -> tuple[str, str]:  # noqa: ANN401 - as above
    """Return an argument or option as it is typed, and its help with its default."""
    text = parameter.help or ""
    if isinstance(parameter, TyperArgument):
        return parameter.metavar or "", text
    names = ", ".join([*sorted(parameter.opts, key=len), *parameter.secondary_opts])
    if parameter.is_flag:
        return names, text
    is_shown = parameter.show_default is not False and isinstance(parameter.default, int | float | str)
    default = parameter.default if is_shown else None
    return f"{names} {parameter.metavar}", text if default is None else f"{text} [default: {default}]"


def _print_group(console: Console, heading: str, entries: Iterable[tuple[str, str]], width: int) -> None:
    """Print labels and texts in two columns; a label wider than its column has a line to itself."""
    console.print("", Text(heading, "bold"), sep="\n")
    pairs = list(entries)
    max_label_width = min(max(width - _MIN_TEXT_WIDTH - 4, 0), _MAX_LABEL_WIDTH)
    label_width = min(max(len(label) for label, _ in pairs), max_label_width)
    indent = " " * (label_width + 4)
    for label, text in pairs:
        lines = _filled(text, max(width - len(indent), _MIN_TEXT_WIDTH)).split("\n")
        if len(label) > label_width:
            console.print(Text(f"  {label}", "cyan"))
            lines = ["", *lines]
        else:
            console.print(Text.assemble((f"  {label:<{label_width + 2}}", "cyan"), lines[0]))
        for line in lines[1:]:
            console.print(Text(indent + line))
