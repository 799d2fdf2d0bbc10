"""The manual page and the completion scripts, which the wheel installs below `share/`; written into `assets/share/`.

The page's text is `tests/manual_page.1`, in the macros of man(7); commands and options are those of the command line.
"""

from __future__ import annotations

import inspect
import re
import textwrap
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer.main
from typer._completion_shared import get_completion_script
from typer.core import TyperArgument, TyperGroup

from tui.cli.app import app
from tui.cli.lazy_group import EXAMPLES

ROOT = Path(__file__).parents[1]
SHARE = ROOT / "assets" / "share"
PROGRAM = "tweetgen-tui"
MANUAL_PAGE = f"man/man1/{PROGRAM}.1"
COMPLETION_SCRIPTS = {
    "bash": f"bash-completion/completions/{PROGRAM}",
    "zsh": f"zsh/site-functions/_{PROGRAM}",
    "fish": f"fish/vendor_completions.d/{PROGRAM}.fish",
}
"""Where bash-completion, zsh and fish look for the script of a program."""
_ESCAPES = {"\\": r"\(rs", "-": r"\-", "'": r"\(aq", '"': r"\(dq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
"""Characters that groff prints as others: a hyphen-minus as a hyphen, an apostrophe as a closing quote."""


def shared_files() -> dict[str, str]:
    """Return the text of each file by its path below `share/`."""
    scripts = {
        path: get_completion_script(prog_name=PROGRAM, complete_var="_TWEETGEN_TUI_COMPLETE", shell=shell) + "\n"
        for shell, path in COMPLETION_SCRIPTS.items()
    }
    return {MANUAL_PAGE: manual_page(), **scripts}


def write_shared_files() -> None:
    """Write the files into `assets/share/`."""
    for name, text in shared_files().items():
        path = SHARE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def manual_page() -> str:
    """Return the source of tweetgen-tui(1)."""
    root: Any = typer.main.get_command(app)
    context = root.context_class(root, info_name=PROGRAM)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    options = dict(map(_entry, root.get_params(context)))
    panels: dict[str, list[str]] = {}
    for each in root.get_params(context):
        panels.setdefault(each.rich_help_panel or "Options", []).append(_tagged(*_entry(each)))
    text = Path(__file__).with_suffix(".1").read_text(encoding="utf-8")
    for name, lines in {
        "VERSION": [version],
        "OPTIONS": [f'.SS "{panel}"\n' + "\n".join(entries) for panel, entries in panels.items()],
        "COMMANDS": [line for each in _commands(root, context) for line in _command(*each, options)],
        "EXAMPLES": [_examples(root)],
    }.items():
        text = text.replace(f"@{name}@", "\n".join(lines))
    return text


def _commands(group: Any, context: Any) -> Iterator[tuple[Any, Any]]:  # typer's classes have no public name
    """Yield every command below a group that is no group, with its context."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        below = command.context_class(command, info_name=name, parent=context)
        yield from _commands(command, below) if isinstance(command, TyperGroup) else [(command, below)]


def _command(command: Any, context: Any, shared: dict[str, str]) -> Iterator[str]:
    """Yield one command: its usage, what it does, its own options, the names of those in `shared`, its examples."""
    usage = " ".join(command.collect_usage_pieces(context)).replace("{", "").replace("}", "")
    yield f'.SS "{_escaped(f"{context.command_path} {usage}".removeprefix(f"{PROGRAM} "))}"'
    paragraphs = [each for each in command.help.split("\n\n") if not each.startswith(EXAMPLES)]
    yield "\n.PP\n".join(map(_filled, paragraphs))
    shown = [each for each in command.get_params(context) if not getattr(each, "hidden", False)]
    entries = [entry for entry in map(_entry, shown) if not entry[0].startswith(r"\fB\-\-help")]
    yield from (_tagged(*entry) for entry in entries if entry not in shared.items())
    if as_above := [_escaped_option(entry[0]) for entry in entries if entry in shared.items()]:
        yield ".PP\n" + _wrapped(f"As under OPTIONS: {', '.join(as_above)}.")
    if EXAMPLES in command.help:
        yield ".PP\n" + _examples(command)


def _escaped_option(label: str) -> str:
    """Return the first option of a label, such as that of --data FILE."""
    return label.partition(r"\fR")[0] + r"\fR"


def _entry(parameter: Any) -> tuple[str, str]:
    """Return an argument or option as it is typed, in roff, and its help with its default."""
    argument = isinstance(parameter, TyperArgument)
    names = [] if argument else [*sorted(parameter.opts, key=len), *parameter.secondary_opts]
    value = "" if not argument and parameter.is_flag else parameter.metavar or ""
    label = ", ".join(rf"\fB{_escaped(name)}\fR" for name in names)
    if value:
        label += rf"\fI{' ' if names else ''}{_escaped(value)}\fR".replace("|", r"|\:")
    default = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
    has_default = isinstance(default, int | float | str) and not isinstance(default, bool)
    return label, f"{parameter.help} [default: {default}]" if has_default else parameter.help


def _tagged(label: str, text: str) -> str:
    """Return an entry of a list."""
    return f".TP\n{label}\n{_filled(text)}"


def _examples(command: Any) -> str:
    """Return the examples in the help of a command, as lines."""
    lines = textwrap.dedent(inspect.cleandoc(command.help).partition(EXAMPLES)[2]).splitlines()
    return "\n".join([".EX", *map(_escaped, lines), ".EE"])


def _filled(text: str) -> str:
    """Return one paragraph."""
    return _wrapped(_escaped(" ".join(text.split())))


def _wrapped(source: str) -> str:
    """Return source in lines, none of which is a request, although it may begin with a full stop."""
    lines: Iterable[str] = textwrap.wrap(source, 110, break_long_words=False, break_on_hyphens=False)
    return "\n".join(re.sub(r"^\.", r"\\&.", line) for line in lines)


def _escaped(text: str) -> str:
    """Return text that roff prints character by character."""
    return "".join(_ESCAPES.get(char) or (char if char < "\x7f" else rf"\[u{ord(char):04X}]") for char in text)
